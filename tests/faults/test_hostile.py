"""Hostile content: junk in events and plans, names that are markup or paths, and who may read the
files."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs import report, sharing
from q1lab.commands.cli import run_command_line
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal.ingest_events import NEW_RUN, fold_events, reported_values
from q1lab.journal.store import Store
from q1lab.judgment.metric import VAL_LOSS
from q1lab.study import studies
from q1lab.study.events import LONGEST_LINE, read_new_events, sanitize_event
from q1lab.study.studies import Study
from q1lab.study.typed_seeds import parse_seeds
from q1lab.train import launch
from q1lab.week import progress
from tests.kit import lab_home
from tests.kit.commands import q1lab
from tests.kit.faults import corpus, faulty, figures, tables, tiny

pytestmark = pytest.mark.sample

__all__ = ["faulty"]
Faulty = Callable[..., Path]
SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled")
NASTY = (
    "[bold red]x[/bold red]",
    "[/]",
    "[link=file:///etc/passwd]x[/link]",
    "\x1b[2J\x1b]0;owned\x07x",
    "\x9b31m",
    "a\rb",
    "two\nlines",
    "\u202eevil",
    "quote ' \" ` $(touch owned)",
    "🙂\u0301",
    "x" * 100_000,
    "\ud800",
    "{{ 7*7 }}",
    "'); DROP TABLE runs; --",
)


def trained() -> Study:
    q1lab("run", "rope", *SMALL, "--seeds", "2", "--json")
    return studies.load("rope-1")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = (
    "iter",
    "attempt",
    "resumed_from",
    "train_loss",
    "val_loss",
    "numbers",
    "tok_per_s",
    "t",
    "total",
    "tokens",
    "message",
    "text",
    "time",
    "reused_from",
    "state",
    "final",
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda kind, rest: {"type": kind, **rest},
            st.sampled_from(["start", "iter", "eval", "note", "exit", "surprise"]),
            st.dictionaries(st.sampled_from(KEYS), json_values),
        ),
        max_size=12,
    )
)
def test_no_event_stops_the_fold(events: list[dict[str, Any]]) -> None:
    """Whatever a line says, it either is an event whose values fit the tables, or is counted as
    none."""
    good = [
        event for event in map(sanitize_event, json.loads(json.dumps(events))) if event is not None
    ]
    after = fold_events(NEW_RUN, good)
    for key, value in after.items():
        assert value is None or isinstance(value, str | int | float), key
        if isinstance(value, str):
            value.encode()
    for _, i, value in reported_values(good, VAL_LOSS):
        assert 0 <= i < 2**53
        assert value is None or math.isfinite(value)


def test_junk_in_an_event_file_is_counted_and_the_rest_goes_on(faulty: Faulty) -> None:
    faulty(fake=True)
    study = trained()
    before = tables()
    events = study.files.run("modified-seed0").events
    lines = events.read_bytes().splitlines(keepends=True)
    junk = [
        b"\x00\xff\xfe\x80junk\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"type": 7}\n',
        b'{"type": "iter"}\n',
        b'{"type": "iter", "iter": 1e400}\n',
        b'{"type": "iter", "iter": -4, "train_loss": "low"}\n',
        b"[" * 100_000 + b"\n",
        b'{"type": "eval", "iter": ' + b"9" * 5000 + b"}\n",
        os.urandom(2000) + b"\n",
        json.dumps({"type": "note", "text": NASTY[3]}).encode() + b"\n",
    ]
    mixed = [
        part for pair in zip(lines, [*junk, *[b""] * len(lines)], strict=False) for part in pair
    ]
    events.write_bytes(b"".join(mixed))
    with Store() as store:
        store.db.execute("DELETE FROM studies")  # all is read again from the files
    after = tables()
    with Store() as store:
        bad = next(
            r["bad_lines"]
            for r in store.runs(study.id)
            if r["arm"] == "modified" and r["seed"] == 0
        )
    assert after["metrics"] == before["metrics"]
    facts = json.loads(q1lab("compare", "--json").stdout)["facts"]
    assert any("damaged lines" in fact["text"] for fact in facts)
    shown = q1lab("status").stdout + q1lab("compare").stdout
    assert "\x1b" not in shown
    figures(
        "junk in events",
        "counted and skipped",
        f"{len(junk)} junk lines, {bad} counted, 0 events lost",
    )
    assert bad >= len(junk) - 2


def test_a_line_without_an_end_is_passed_over_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with file.open("wb") as out:
        out.write(b'{"type":"start"}\n')
        out.truncate(9 * LONGEST_LINE)
        out.seek(9 * LONGEST_LINE)
        out.write(b'\n{"type":"exit","state":"finished"}\n')
    all_events, offset, bad = [], 0, 0
    while True:
        events, new, more = read_new_events(file, offset)
        all_events += events
        bad += more
        if new == offset:
            break
        offset = new
    assert [event["type"] for event in all_events] == ["start", "exit"]
    assert bad >= 9
    assert offset == file.stat().st_size


@pytest.mark.parametrize(
    "name",
    ["../outside", "..", ".", "", "/etc", "a/b", "rope-1/../rope-1", "rope-1\n", "-1", "x" * 300, "\x1b[31m", "é"],
)  # fmt: skip
def test_study_names_never_lead_elsewhere(
    home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = home / "outside"
    outside.mkdir()
    (outside / "study.json").write_text(lab_home.make_study().files.plan.read_text())
    with Store():  # opening it makes its files
        before = sorted(home.rglob("*"))
    for command in ("compare", "attach", "stop"):
        assert run_command_line([command, "--", name]) == 2
        message = capsys.readouterr().err
        assert len(message.strip().splitlines()) == 1
        assert "\x1b" not in message
    if name:
        with pytest.raises(Problem):
            studies.load(name)
    assert sorted(home.rglob("*")) == before


def test_the_trainer_itself_stays_inside(tmp_path: Path) -> None:
    assert sharing.inside(tmp_path, "source/x.py") == tmp_path / "source" / "x.py"
    for name in ("../x.py", "/etc/passwd", "a/../../b"):
        with pytest.raises(ValueError, match="outside"):
            sharing.inside(tmp_path, name)


@pytest.mark.parametrize("name", ['it\'s "mine" [bold]b', "🙂 $(touch owned);b", "-x", "new\nline"])
def test_names_are_text(
    faulty: Faulty, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model file and a corpus with such names: planned, trained, shown, and nothing else."""
    faulty(fake=True)
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    model, data = folder / f"{name}.py", folder / f"{name}.txt"
    model.write_text((paths.models_dir() / "rope.py").read_text())
    data.write_text(corpus(tmp_path).read_text())
    args = ("run", str(model), *SMALL, "--data", str(data), "--seeds", "2", "--unchecked")
    args += ("--baseline", "baseline")
    record = json.loads(q1lab(*args, "--json").stdout)
    study = studies.load(record["study"])
    assert record["complete"]
    for command in (("status",), ("compare",), ("attach",), args, ("diff", study.id)):
        done = q1lab(*command, code=None)
        assert "\x1b" not in done.stdout + done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted([model.name, data.name]), (
        "nothing was executed"
    )
    assert study.files.root.parent == paths.studies_dir()


def test_text_in_events_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(NASTY):
        study = lab_home.make_study(f"rope-{number}", seeds=(0, 1))
        lab_home.finish(study)
        say = report.Report(study.files.run("modified-seed1").events)
        say("note", text=text)
        say.close()
        lab_home.train(study, "baseline", 1, 600, state="failed", message=text)
        with Store() as store:
            progress.save_answer(store, "week", "step", text[:1000])
        for command in (["status"], ["compare", study.id], ["attach", study.id]):
            assert run_command_line(command) in (0, 1)
            output = capsys.readouterr()
            both = output.out + output.err
            assert not set(both) & {"\x1b", "\x9b", "\u202e"}, command
            assert len(both) < 30_000
            assert command != ["status"] or "[bold" not in text or text in both


def test_everything_is_private_whatever_the_umask(
    faulty: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real trainer, umask 000, a home that was not there: no file or folder that others may
    read."""
    faulty()
    home = tmp_path / "deep" / "home"
    monkeypatch.setenv("Q1LAB_HOME", str(home))
    args = tiny(tmp_path, iters=40)
    args[args.index("disabled")] = "offline"
    code = "import os, sys; os.umask(0); from q1lab.commands.cli import run_command_line; sys.exit(run_command_line(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    with Store() as store:
        progress.save_answer(store, "week", "one", "first")
    open_to_others = [
        f"{path.relative_to(home)} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in [home, *home.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    everything = len(list(home.rglob("*")))
    figures(
        "private files under umask 000",
        "nothing readable or writable by other users",
        f"{len(open_to_others)} of {everything} files and folders",
    )
    assert open_to_others == []


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    """Only tensors and plain values come out of a checkpoint, even one with a right checksum."""
    import hashlib
    import pickle

    from labs import checkpoint

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    data = pickle.dumps(Evil(), protocol=2)
    (tmp_path / f"iter-0000009-{hashlib.sha256(data).hexdigest()[:16]}.pt").write_bytes(data)
    checkpoint.save(tmp_path, 3, {"iter": 3})
    loaded = checkpoint.newest(tmp_path)
    assert not (tmp_path / "owned").exists()
    assert loaded is not None
    assert loaded["iter"] == 3


def test_a_clock_that_was_set_back_changes_neither_order_nor_durations(faulty: Faulty) -> None:
    faulty(fake=True)
    q1lab("run", "rope", *SMALL, "--json")
    for study_id in studies.ids():  # as if all had been planned tomorrow
        source = studies.load(study_id).files.source
        later = source.stat().st_mtime_ns + 86_400 * 10**9
        os.utime(source, ns=(later, later))
    q1lab("run", "swiglu", *SMALL, "--json")
    assert studies.latest() == "swiglu-1"
    env = {**os.environ, "PYTHONPATH": os.environ["PYTHONPATH"]}
    jump = (  # a trainer whose wall clock jumps an hour back and a day ahead between its events
        "import datetime, random, sys\nfrom labs import report\n"
        "class Wild(datetime.datetime):\n"
        "    @classmethod\n    def now(cls, tz=None):\n"
        "        return datetime.datetime.now(tz) + datetime.timedelta(hours=random.choice([-1, 0, "
        "24]))\n"
        "report.datetime = Wild\nimport fake_train\nsys.exit(fake_train.main())\n"
    )
    script = paths.home() / "wild.py"
    script.write_text(jump)
    env["Q1LAB_TRAINER"] = f"{sys.executable} {script}"
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", "run", "gqa", *SMALL, "--seeds", "5", "--json", "--fresh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    with Store() as store:
        rows = store.runs("gqa-1")
    seconds = [row["seconds"] for row in rows]
    figures(
        "clock −1 h, +1 day",
        "no negative duration",
        f"{sum(s < 0 for s in seconds)} negative of {len(rows)}, the longest {max(seconds):.2f} s; "
        "0 studies out of order",
    )
    assert all(0 <= s < 30 for s in seconds)
    assert {row["state"] for row in rows} == {"finished"}
    assert launch.is_alive(studies.load("gqa-1").files) is False
    assert parse_seeds("1").seeds == (0,)
