"""Write docs/reliability.md: run every fault test, long ones too, and table what they measured.

``python tools/docs/faults.py`` takes about half an hour on two cores. ``--figures FILE`` keeps the
raw figures (JSON lines), and with ``--only-table`` makes the page again from such a file.
``--some test_first_index.py week/test_clock.py`` runs these alone (``-k`` as pytest has it) and
prints their rows; the page stays as it is.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Figure = dict[str, Any]

OTHERS = {
    "the git states of a learner's repository; an edited MODIFICATION.md": [
        "test_repository.py", "documents/test_save.py",
    ],
    "a timer over sleep, clock jumps and crashes": ["week/test_clock.py"],
    "deleting, pruning, archiving and restoring: cut off, running, damaged, hostile": [
        "study/test_upkeep.py",
    ],
    "the end, a divergence and a stall are told; a command that hangs": [
        "study/test_told.py", "study/engines/test_remote.py",
    ],
    "a kill between writing a document and its commit; what q1lab wrote and what you edited": [
        "documents/test_cut_off.py",
    ],
    "room: one bad study, settled ones, steps of a long look": ["index/test_room.py"],
    "the journal: torn, flipped, cut off, a full disk, two at once; a home of 0.1.0": ["index/test_journal.py"],
    "W&B: no key, refused, black hole, errors, slow, dies in mid-run, relay killed": [
        "tracking/test_relay.py", "tracking/test_sync.py",
    ],
}  # fmt: skip
"""Faults whose tests count only whether they pass."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("--some", nargs="+", default=[], metavar="TEST")
    parser.add_argument("-k", dest="words", default="", help="with --some")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = args.figures or Path(folder) / "figures.jsonl"
        status = 0
        if not args.only_table:
            file.unlink(missing_ok=True)
            file.touch()
            status = measure(file, args.some, ["-k", args.words] if args.words else [])
        figures = [json.loads(line) for line in file.read_text().splitlines()]
    if args.some:
        print("\n".join(row for row in rows(figures) if not row.endswith("| not measured |")))
    elif status == 0:
        (ROOT / "docs" / "reliability.md").write_text(page(figures), encoding="utf-8")
    return status


def measure(file: Path, some: Sequence[str] = (), more: Sequence[str] = ()) -> int:
    """Run the tests; figures of their own go to ``file``, and for the others how many passed."""
    env = {**os.environ, "FAULT_FIGURES": str(file), "OMP_NUM_THREADS": "1"}
    tests = sorted(str(path) for path in (ROOT / "tests" / "faults").glob("test_*.py"))
    tests = [path for path in tests if not some or Path(path).name in some]
    status = pytest([*tests, *more], env)[0] if tests else 0
    for fault, names in OTHERS.items():
        if some and not set(some) & set(names):
            continue
        failed, passed, skipped = pytest([str(ROOT / "tests" / name) for name in names], env)
        status |= failed
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


KILLS = "0 acknowledged lost, 0 twice, at most one checkpoint interval redone"

ROWS: tuple[tuple[str, str, Figure, str, str], ...] = (
    # fault, passes when, which figures, the key of their size, how to say them ({name} or a
    # function of that name)
    ("`kill -9`: trainer without torch", KILLS, {"who": "trainer without torch"}, "kills", "killed"),
    ("`kill -9`: real trainer", KILLS, {"who": "real trainer"}, "kills", "killed"),
    ("`kill -9`: viewer", KILLS, {"who": "viewer"}, "kills", "killed"),
    (
        "viewer killed, trainers live", "attached again in under 2 s, none launched twice",
        {"fault": "viewer killed, trainers live"}, "runs_attached",
        "{runs_attached} runs attached after {attached_again_after_s} s, "
        "{launched_twice} launched twice",
    ),
    (
        "a trainer that ignores TERM, with a child of its own", "the group is gone within 11 s",
        {"fault": "a trainer that ignores TERM, with a grandchild"}, "left", "gone after {gone_after_s} s",
    ),
    (
        "two viewers at once", "0 double launches of 50", {"fault": "two viewers at once"}, "launches",
        "{double} double of {launches}; {refused_with_a_message} refused with a message",
    ),
    (
        "a reboot", "crashed, and one command goes on", {"fault": "a reboot"}, "lost",
        "{state_after_it}; {commands_to_go_on} command; {acknowledged_events} acknowledged events, "
        "{lost} lost, "
        "{duplicates} twice",
    ),
    (
        "a logout", "the study goes on", {"fault": "a logout"}, "runs_finished_after_it",
        "viewer ended by {viewer_ended_by}; {runs_finished_after_it} runs finished after it",
    ),
    *(
        (
            f"a full disk under {under}", "a clear message; goes on once there is space",
            {"fault": "a full disk", "under": under}, "goes_on_from_iter", "full",
        )
        for under in ("the database", "events", "a checkpoint")
    ),
    (
        "a database of a newer q1lab", "left alone, said in a line", {"fault": "a newer schema"}, "exit_status",
        "exit status {exit_status}, {bytes_changed} bytes changed",
    ),
    (
        "clock −1 h, +1 day", "no negative duration", {"fault": "clock -1 h, +1 day"}, "runs",
        "{negative_durations} negative of {runs}, the longest {longest_s} s; "
        "{studies_out_of_order} studies out of "
        "order",
    ),
    (
        "a loss that is NaN at iter k", "diverged, within one eval, no silent retry",
        {"fault": "NaN at iter k"}, "k",
        "k = {k}: {shown_as} at iter {stopped_at_iter}, {attempts} attempt",
    ),
    (
        "out of memory (RLIMIT_AS)", "failed, no silent retry", {"fault": "out of memory (RLIMIT_AS)"}, "attempts",
        "{shown_as}: “{message}…”, {attempts} attempt",
    ),
    *(
        (
            f"a model file that {does}", "a message with file and line; q1lab lives",
            {"fault": "a model file that", "does": does}, "exit_status", "model",
        )
        for does in (
            "raises", "has a syntax error", "raises at import", "exits at import", "ends the process", "loops",
            "prints 1080 MB",
        )
    ),
    (
        "`kill -9` of the first look at thousands of studies", "what it said it had read is read",
        {"fault": "the first index killed"}, "studies",
        "{kills} kills, {studies:,} studies; of those it had said {said_and_lost} lost",
    ),
    (
        "a plan that can't be read", "one marked line; the other studies go on",
        {"fault": "a plan that can't be read"}, "kinds", "{kinds} kinds, {others_stopped} others stopped",
    ),
    *(
        (
            f"{kind}, made by a generator", "one line or taken in whole; no traceback, no hang",
            {"fault": "files made by a generator", "kind": kind}, "made",
            "{made:,} made, {tracebacks} tracebacks",
        )
        for kind in (
            "CSVs to import", "runs to import", "studies to import", "studies among the others",
            "archives to restore",
        )
    ),
    *(
        (
            what, "one line, no traceback", {"fault": "text from outside", "what": what}, "cases",
            "{cases} kinds, {tracebacks} tracebacks",
        )
        for what in (
            "cookies that are no text", "arguments that are no text", "100,000 letters typed",
            "TOML 50,000 deep", "pictures' paths that lead nowhere", "browsers that go away",
        )
    ),
    (
        "matplotlib's cache under umask 000", "none open to others", {"fault": "matplotlib's cache"}, "files",
        "{open_to_others} of {files} files and folders",
    ),
    (
        "a current folder whose every module is hostile", "no child runs code of it",
        {"fault": "a hostile current folder"}, "children",
        "{children} Python processes, {not_isolated} not isolated, {code_that_ran} files of it ran",
    ),
    *(
        (
            f"who asked for {what} is killed", "the child ends with it",
            {"fault": "an asker killed", "child": kind}, "left", "{left} processes left",
        )
        for what, kind in (
            ("a probe of a model that loops", "probe"), ("a check of a model that loops", "check"),
            ("an upload", "upload"), ("the app in a browser", "app in a browser"),
        )
    ),
    (
        "Markdown that never ends what it begins (30,000 times)", "under 10 s of processor each",
        {"fault": "Markdown without an end"}, "readers",
        "{kinds} kinds × {readers} readers, {over_ten_seconds} longer",
    ),
    (
        "escape sequences in a copied study and in a setting", "none reaches the terminal",
        {"fault": "escape sequences in a copied study and in a setting"}, "commands",
        "{commands} commands, {reached_the_terminal} reached it",
    ),
    *(
        (
            f"output in {name}", "no traceback",
            {"fault": "output in another encoding", "encoding": name}, "commands",
            "{commands} commands, {tracebacks} tracebacks",
        )
        for name in ("ascii", "latin-1")
    ),
    (
        "a full disk under a new study", "a clear message, no half of a study",
        {"fault": "a full disk under a new study"}, "half_studies", "“{message}”, {half_studies} half studies left",
    ),
    (
        "wandb's temporary files", "gone with the relay", {"fault": "a relay's temporary files"}, "left",
        "{left} left",
    ),
    (
        "W&B's server dies while several runs are open", "the relay ends them together",
        {"fault": "W&B's server dies with runs open"}, "runs", "{runs} runs ended after {seconds} s",
    ),
    *(
        (
            f"{what} where a file is expected", "one line, no wait, bounded memory",
            {"fault": "special files", "what": what}, "readers", "{readers} readers, {hung} waited",
        )
        for what in ("a named pipe", "a folder", "/dev/zero", "a terabyte", "a socket")
    ),
    (
        "`--output` names a device", "refused, or written through", {"fault": "a device as the output"}, "devices",
        "{replaced} of {devices} replaced",
    ),
    (
        "junk in events", "counted, passed over", {"what": "junk in events"}, "lines",
        "{lines} junk lines, {counted} counted, {events_lost} events lost",
    ),
    (
        "study names and paths that lead elsewhere", "refused",
        {"what": "study names and paths that lead elsewhere"}, "tried", "{followed} of {tried} followed",
    ),
    (
        "private files under umask 000", "none open to others", {"fault": "private files"}, "files_and_folders",
        "{open_to_others} of {files_and_folders} files and folders",
    ),
)  # fmt: skip


def rows(figures: list[Figure]) -> list[str]:
    """The lines of the table."""
    lines = []
    for fault, passes, wanted, size, how in ROWS:
        found = [f for f in figures if all(f.get(key) == value for key, value in wanted.items())]
        largest = max(reversed(found), key=lambda f, size=size: f.get(size, 0), default=None)  # type: ignore[misc]
        if largest is None:
            measured = "not measured"
        elif how in WORDS:
            measured = WORDS[how](largest)
        else:
            measured = how.format(**largest)
        lines.append(f"| {fault} | {passes} | {measured} |")
    for fault in OTHERS:
        for figure in [f for f in figures if f["fault"] == fault][-1:]:
            names = ", ".join(f"`tests/{name}`" for name in figure["tests"])
            lines.append(
                f"| {fault} | their tests pass | {figure['passed']} tests of {names} passed |"
            )
    return lines


def killed(figure: Figure) -> str:
    kills = f"{figure['kills']} kills"
    if figure.get("in_a_checkpoint"):
        kills += f", {figure['in_a_checkpoint']} inside a checkpoint's writing"
    text = (
        f"{kills}; {figure['acknowledged_events']:,} acknowledged events, {figure['lost']} lost, "
    )
    text += f"{figure['duplicates']} twice"
    if "acknowledged_answers" in figure:
        text += f"; {figure['acknowledged_answers']:,} acknowledged answers, {figure['answers_lost']} lost"
    if "runs_that_differ_from_unbroken_ones" in figure:
        text += (
            f"; {figure['iters_redone']} iters redone, "
            f"{figure['most_at_once']} at most at once (interval: 20); "
            f"{figure['runs_that_differ_from_unbroken_ones']} runs differ from unbroken ones"
        )
    return text


def full(figure: Figure) -> str:
    if "goes_on_from_iter" in figure:
        return f"“{figure['message']}”; the old checkpoint loads, goes on from iter {figure['goes_on_from_iter']}"
    return f"“{figure['message']}”; {figure['lost']} rows lost"


def model(figure: Figure) -> str:
    if "log_at_most_mb" in figure:
        return (
            f"finished; its log was {figure['log_at_most_mb']} MB at most, "
            f"{figure['log_at_the_end_mb']} MB at the "
            "end"
        )
    where = "file and line named" if figure["file_and_line"] else "named as the model"
    return f"exit status {figure['exit_status']}, {where}"


WORDS: dict[str, Callable[[Figure], str]] = {
    "killed": killed, "full": full, "model": model,
}  # fmt: skip


def machine() -> str:
    """This machine in neutral words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    arch = re.sub("_", "-", platform.machine())
    return f"a {cores}-core {arch} {platform.system()} machine, Python {platform.python_version()}"


HEAD = """# What survives, measured

<!-- made by `python tools/docs/faults.py`; do not edit -->

Every row is a test in `tests/faults/`: a short version runs with the other tests, the long one by
`make faults`. Measured on {machine}.

| fault | passes when | measured |
|---|---|---|
"""

FOOT = """
## What to know

- **What you ticked and wrote** lives in `journal.jsonl`: a line an act, written and synced before the act counts, and
  only ever appended. Each line carries a checksum and a link to the line before, so a damaged line costs that line
  alone, and q1lab names it.
- **Runs** live in their files. The database only indexes both: delete `q1lab.db`, and everything is there again. A
  damaged one is made again, and one line says so.
- **A home of 0.1.0**, which kept what you typed in the database, is taken over at the first start: one line says what
  came over, and the old database stays beside as `q1lab.0.1.db`.
- **Deleting a study** keeps its plan and how its runs ended in `deleted.jsonl`: what was asked stays on record.
  `q1lab archive` makes one file of a study first; `q1lab restore` checks every byte of it and brings it back whole.
- **Being told**: with `q1lab config set on_end 'notify-send "$Q1LAB_SENTENCE"'` a command of yours runs when a study
  has ended, a run diverged, or nothing has come for 15 minutes, wherever the study trains and whether or not anybody
  watches; `Q1LAB_STUDY`, `Q1LAB_WHAT` and `Q1LAB_VERDICT` say more. Waiting in a cluster's queue is no stall.
- **A full disk** ends a run as failed, with its last checkpoint intact; the same `q1lab run` goes on from there.
- **Order** goes by sequence, durations by the monotonic clock: setting the clock changes neither.
- **A model file is your own code** and runs with your rights. The limits on it (time, memory, output) guard against
  accidents; they are no sandbox. Don't train a file that you would not run.
"""

if __name__ == "__main__":
    sys.exit(main())
