"""Write docs/reliability.md: run every fault test, long ones too, and table what they measured.

``python docs/faults.py`` takes about a quarter of an hour on two cores. ``--figures FILE`` keeps the raw figures (JSON
lines), and with ``--only-table`` makes the page again from such a file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
Figure = dict[str, Any]

OTHERS = {
    "the git states of a learner's repository; an edited MODIFICATION.md": ["test_repository.py", "test_documents_save.py"],
    "a timer over sleep, clock jumps and crashes": ["test_clock.py"],
    "W&B: no key, refused, black hole, errors, slow, dies in mid-run, relay killed": ["test_relay.py", "test_sync.py"],
}  # fmt: skip
"""Faults whose tests count only whether they pass."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--only-table", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = args.figures or Path(folder) / "figures.jsonl"
        status = 0
        if not args.only_table:
            file.unlink(missing_ok=True)
            status = measure(file)
        figures = [json.loads(line) for line in file.read_text().splitlines()]
    if status == 0:
        (ROOT / "docs" / "reliability.md").write_text(page(figures), encoding="utf-8")
    return status


def measure(file: Path) -> int:
    """Run the tests; figures of their own go to ``file``, and for the others how many passed."""
    env = {**os.environ, "FAULT_FIGURES": str(file), "OMP_NUM_THREADS": "1"}
    tests = sorted(str(path) for path in (ROOT / "tests").glob("test_faults_*.py"))
    status = pytest(tests, env)[0]
    for fault, names in OTHERS.items():
        more, passed, skipped = pytest([str(ROOT / "tests" / name) for name in names], env)
        status |= more
        with file.open("a") as out:
            record = {"fault": fault, "tests": names, "passed": passed, "skipped": skipped}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    return status


def pytest(tests: list[str], env: dict[str, str]) -> tuple[int, int, int]:
    """Run tests; returns (exit status, how many passed, how many were skipped)."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *tests]
        done = subprocess.run(command, cwd=ROOT, env=env, check=False)
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
        count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    return done.returncode, count["tests"] - sum(list(count.values())[1:]), count["skipped"]


def page(figures: list[Figure]) -> str:
    """The page, from the figures. Of the short and the long run of one test the long one counts."""
    return HEAD.format(machine=machine()) + "\n".join(rows(figures)) + "\n" + FOOT


def rows(figures: list[Figure]) -> list[str]:
    def of(fault: str, size: str = "", **wanted: Any) -> list[Figure]:
        found = [f for f in figures if f["fault"] == fault and all(f.get(k) == v for k, v in wanted.items())]
        return sorted(found, key=lambda f: f.get(size, 0))

    lines = []

    def row(fault: str, passes: str, measured: str) -> None:
        lines.append(f"| {fault} | {passes} | {measured} |")

    def last(fault: str, size: str, say: Callable[[Figure], str], **wanted: Any) -> str:
        found = of(fault, size, **wanted)
        return say(found[-1]) if found else "not measured"

    kills = "200 random kill -9"
    for who in ("trainer without torch", "real trainer", "viewer"):
        row(
            f"random `kill -9`: {who}",
            "0 acknowledged lost, 0 twice, at most one checkpoint interval redone",
            last(kills, "kills", killed, who=who),
        )
    row(
        "viewer killed, trainers live",
        "attached again in under 2 s, none launched twice",
        last(
            "viewer killed, trainers live", "runs_attached",
            lambda f: f"{f['runs_attached']} runs attached after {f['attached_again_after_s']} s, "
            f"{f['launched_twice']} launched twice",
        ),
    )  # fmt: skip
    row(
        "a trainer that ignores TERM, with a child of its own",
        "the group is gone within 11 s",
        last("a trainer that ignores TERM, with a grandchild", "left", lambda f: f"gone after {f['gone_after_s']} s"),
    )  # fmt: skip
    row("two viewers at once", "0 double launches of 50", last("two viewers at once", "launches", lambda f: f"{f['double']} double of {f['launches']}; {f['refused_with_a_message']} were refused with a message"))  # fmt: skip
    row("a reboot", "crashed, and one command goes on", last("a reboot", "lost", lambda f: f"{f['state_after_it']}; {f['commands_to_go_on']} command; {f['acknowledged_events']} acknowledged events, {f['lost']} lost, {f['duplicates']} twice"))  # fmt: skip
    row("a logout", "the study goes on", last("a logout", "runs_finished_after_it", lambda f: f"viewer ended by {f['viewer_ended_by']}; {f['runs_finished_after_it']} runs finished after it"))  # fmt: skip
    for under in ("the database", "events", "a checkpoint"):
        row(
            f"a full disk under {under}",
            "a clear message; goes on once there is space",
            last("a full disk", "goes_on_from_iter", full, under=under),
        )
    for copy in ("with the last copy", "without any copy"):
        for kind in dict.fromkeys(f["kind"] for f in of("a damaged database")):
            row(
                f"a damaged database: {kind}, {copy}",
                "never overwritten, moved aside, runs rebuilt",
                last("a damaged database", "trials", damaged, kind=kind, copy=copy),
            )
    row("a database of a newer q1lab", "left alone, said in a line", last("a newer schema", "", lambda f: f"exit status {f['exit_status']}, {f['bytes_changed']} bytes changed"))  # fmt: skip
    row("clock −1 h, +1 day", "no negative duration", last("clock -1 h, +1 day", "runs", lambda f: f"{f['negative_durations']} negative of {f['runs']}, the longest {f['longest_s']} s; {f['studies_out_of_order']} studies out of order"))  # fmt: skip
    row("a loss that is NaN at iter k", "diverged, within one eval, no silent retry", last("NaN at iter k", "k", lambda f: f"k = {f['k']}: {f['shown_as']} at iter {f['stopped_at_iter']}, {f['attempts']} attempt"))  # fmt: skip
    row("out of memory (RLIMIT_AS)", "failed, no silent retry", last("out of memory (RLIMIT_AS)", "", lambda f: f"{f['shown_as']}: “{f['message']}…”, {f['attempts']} attempt"))  # fmt: skip
    for figure in {f["does"]: f for f in of("a model file that")}.values():
        row(f"a model file that {figure['does']}", "a message with file and line; q1lab lives", model(figure))
    row("junk in events", "counted, passed over", last("hostile content", "lines", lambda f: f"{f['lines']} junk lines, {f['counted']} counted, {f['events_lost']} events lost", what="junk in events"))  # fmt: skip
    row("study names and paths that lead elsewhere", "refused", last("hostile content", "tried", lambda f: f"{f['followed']} of {f['tried']} followed", what="study names and paths that lead elsewhere"))  # fmt: skip
    row("private files under umask 000", "none open to others", last("private files", "files_and_folders", lambda f: f"{f['open_to_others']} of {f['files_and_folders']} files and folders"))  # fmt: skip
    for fault in OTHERS:
        found = of(fault)
        if found:
            names = ", ".join(f"`tests/{name}`" for name in found[-1]["tests"])
            row(fault, "see the tests", f"{found[-1]['passed']} tests of {names} passed")
    return lines


def killed(figure: Figure) -> str:
    kills = f"{figure['kills']} kills"
    if figure.get("in_a_checkpoint"):
        kills += f", {figure['in_a_checkpoint']} inside a checkpoint's writing"
    text = f"{kills}; {figure['acknowledged_events']:,} acknowledged events, {figure['lost']} lost, "
    text += f"{figure['duplicates']} twice"
    if "acknowledged_answers" in figure:
        text += f"; {figure['acknowledged_answers']:,} acknowledged answers, 0 lost"
    if "runs_that_differ_from_unbroken_ones" in figure:
        text += (
            f"; {figure['iters_redone']} iters redone, {figure['most_at_once']} at most at once (interval: 20); "
            f"{figure['runs_that_differ_from_unbroken_ones']} runs differ from unbroken ones"
        )
    return text


def full(figure: Figure) -> str:
    if "goes_on_from_iter" in figure:
        return f"“{figure['message']}”; the old checkpoint loads, goes on from iter {figure['goes_on_from_iter']}"
    return f"“{figure['message']}”; {figure['lost']} rows lost"


def damaged(figure: Figure) -> str:
    total = figure["rows_each"] * figure["trials"]
    return (
        f"{figure['trials']} trials, {figure['moved_aside']} moved aside (the others hurt nothing that a check "
        f"sees); of {total:,} rows the learner typed {figure['own_rows_lost']} lost, "
        f"{figure['own_rows_changed']} changed"
    )


def model(figure: Figure) -> str:
    if "log_at_most_mb" in figure:
        return f"finished; its log was {figure['log_at_most_mb']} MB at most, {figure['log_at_the_end_mb']} MB at the end"
    where = "file and line named" if figure["file_and_line"] else "named as the model"
    return f"exit status {figure['exit_status']}, {where}"


def machine() -> str:
    """This machine in neutral words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    arch = re.sub("_", "-", platform.machine())
    return f"a {cores}-core {arch} {platform.system()} machine, Python {platform.python_version()}"


HEAD = """# What survives, measured

<!-- made by `python docs/faults.py`; do not edit -->

Every row is a test in `tests/test_faults_*.py`: a short version runs with the other tests, the long one by
`make faults`. Measured on {machine}.

| fault | passes when | measured |
|---|---|---|
"""

FOOT = """
## What to know

- **Runs** live in files; the database only indexes them. Delete `q1lab.db`, and the runs are there again.
- **Ticks, answers, papers, predictions** live in `q1lab.db` alone. At most once a minute q1lab copies them into
  `q1lab.copy-1.json` beside it (`-2` is an earlier day's). A damaged database is renamed to `q1lab.damaged-….db`, not a
  byte of it changed; every row that can be read goes into the new one, the copies fill the gaps, and one line says
  what was saved. SQLite has no checksums: a letter that the disk garbled is noticed by comparing with the copy, so
  without a copy such a row stays garbled.
- **A full disk** ends a run as failed, with its last checkpoint intact; the same `q1lab run` goes on from there.
- **Order** goes by sequence, durations by the monotonic clock: setting the clock changes neither.
- **A model file is your own code** and runs with your rights. The limits on it (time, memory, output) guard against
  accidents; they are no sandbox. Don't train a file that you would not run.
"""

if __name__ == "__main__":
    sys.exit(main())
