"""Running a command as a run: what it reports, how it ends, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import loop as running
from labs import report
from tests.kit.waiting import wait_for

ANY_LOOP = Path(__file__).parents[1] / "kit" / "any_loop.py"


@pytest.fixture(autouse=True)
def keep_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its end a run's process ends all of its children. This one has others, those of other
    tests."""
    monkeypatch.setattr(running, "end_orphans", lambda: None)


def plan_of(folder: Path, words: str = "", **more: Any) -> dict[str, Any]:
    run = f"{shlex.quote(sys.executable)} {ANY_LOOP} --seed={{seed}} --out={{out}} {words} {{args}}"
    loop = {"run": run, "args": {"base": "", "fast": "--lr=0.05"}, "folder": str(folder)}
    arms = {"baseline": {"variant": "base"}, "modified": {"variant": "fast"}}
    return {"loop": {**loop, "metric": "val/loss", **more}, "arms": arms, "looks": [[0]]}


def trained(folder: Path, words: str = "", **more: Any) -> list[dict[str, Any]]:
    """The events of one run."""
    run = folder / "baseline-seed0"
    run.mkdir(exist_ok=True)
    running.attempt(plan_of(folder, words, **more), "baseline", 0, run)
    return report.read(run / "events.jsonl")


def ended(folder: Path, words: str = "", **more: Any) -> dict[str, Any]:
    return trained(folder, words, **more)[-1]


@pytest.mark.parametrize("say", ["file", "lines", "nanogpt"])
def test_the_value_of_the_last_step_counts_however_it_is_reported(tmp_path: Path, say: str) -> None:
    more = {"pattern": "nanogpt"} if say == "nanogpt" else {}
    events = trained(tmp_path, f"--say={say}", **more)
    assert [event["type"] for event in events] == [
        "start",
        *["iter", "eval"] * 4,
        "eval",
        "exit",
    ]
    last = events[-1]
    assert (last["state"], last["iter"]) == ("finished", 4)
    assert last["metric_from"] == {"nanogpt": "pattern"}.get(say, say)
    assert last["val_loss"] == events[-2]["val_loss"] == pytest.approx(0.5, abs=0.1)


def test_the_best_value_counts_where_that_is_declared(tmp_path: Path) -> None:
    events = trained(tmp_path, "--rising --say=lines", take="best")
    values = [event["val_loss"] for event in events if event["type"] == "eval"]
    assert events[-1]["val_loss"] == min(values) < values[-2]
    higher = trained(tmp_path, "--say=lines", take="best", better="higher")[len(events) :]
    assert higher[-1]["val_loss"] == max(e["val_loss"] for e in higher if e["type"] == "eval")


@pytest.mark.parametrize(
    ("trouble", "state", "words"),
    [
        ("exit", "failed", "exit status 1: .*out of cheese"),
        ("signal", "failed", "ended by signal 11 .SIGSEGV."),
        ("nan", "diverged", "val/loss ended as nan"),
        ("flood", "finished", ""),
        ("fork", "finished", ""),
    ],
)
def test_however_it_ends_it_is_said(tmp_path: Path, trouble: str, state: str, words: str) -> None:
    last = ended(tmp_path, f"--trouble={trouble}")
    assert last["state"] == state
    assert re.search(words, last.get("message", ""))
    run = tmp_path / "baseline-seed0"
    assert (run / "run.log").stat().st_size < running.LOG_MOST + (1 << 17)
    if trouble == "fork":
        wait_for(lambda: not is_there(int((run / "out" / "child").read_text())))


def test_a_command_that_reports_nothing_has_failed(tmp_path: Path) -> None:
    last = ended(tmp_path, "--say=none")
    assert last["state"] == "failed"
    assert re.search(r"without val/loss: .*no number.*`step=250 val/loss=", last["message"])
    other = ended(tmp_path, "--metric=acc")
    assert "reported acc, train/loss" in other["message"]


def read(metric: str, *lines: str, **more: Any) -> running.Told:
    told = running.Told(lambda *_, **__: None, {"metric": metric, **more})
    for line in lines:
        told.line(line)
    return told


@pytest.mark.parametrize(
    ("metric", "line", "values"),
    [
        ("eval/mse", "epoch 60: train_mse=0.1 eval/mse=0.12345", {60: 0.12345}),
        ("val loss", "step 5: train loss: 2.3, val loss: 2.2", {5: 2.2}),
        ("loss", "step 5: train loss: 2.3, val loss: 2.2", {}),
        ("loss", "Epoch 3/9 - loss: 0.5 - val_loss: 0.6", {3: 0.5}),
        ("val/loss", '{"step": 250, "val/loss": 2.31}', {250: 2.31}),
        ("eval_loss", "{'eval_loss': 2.31, 'lr': 0.1}", {1: 2.31}),
        ("episodic_return", "global_step=48, episodic_return=[12.]", {48: 12.0}),
        ("acc", "acc: np.float64(0.97)", {1: 0.97}),
        ("acc", "acc: 97.5%", {1: 97.5}),
        ("loss", "loss: -1e-3;", {1: -0.001}),
        ("loss", "loss=[0.1, 0.2]", {}),
        ("loss", "loss=0.1 loss=0.2", {}),
        ("acc", "acc: 3/10", {}),
        ("acc", "acc: 1,234", {}),
        ("acc", "acc: 12s", {}),
        ("val_loss", "val_loss 1.98", {1: 1.98}),
        ("val loss", "step 5: train loss 2.3, val loss 2.2", {5: 2.2}),
        ("Accuracy", "Test set: Average loss: 0.05, Accuracy: 9832/10000 (98%)", {1: 98.0}),
        ("Test Accuracy", "Test set: Average loss: 0.05, Accuracy: 9832/10000 (98%)", {1: 98.0}),
        ("acc", "train loss 2.1, acc 0.5, val loss 2.2, acc 0.6", {}),
        ("val acc", "train loss 2.1, acc 0.5, val loss 2.2, acc 0.6", {1: 0.6}),
        ("ep_rew_mean", "|    ep_rew_mean     | 21.3     |", {1: 21.3}),
        ("eval loss", "I1130 07:49:52.1 train.py:120] eval epoch: 4, loss: 0.2", {4: 0.2}),
        ("val_loss", "loss: tensor(0.4, device='x') val_loss: tensor(0.3, device='x')", {1: 0.3}),
        ("loss", "\x1b[32mINFO\x1b[0m loss: 0.4", {1: 0.4}),
        ("number", "0.9533", {1: 0.9533}),
        ("valid-rmse", "[5]\ttrain-rmse:0.7\tvalid-rmse:0.871", {5: 0.871}),
        ("val_loss", "step:5100/5100 val_loss:3.2755 train_time:12:30", {5100: 3.2755}),
        ("test final score", "test final score: 9/10 = 90.00% correct", {1: 90.0}),
    ],
)
def test_a_line_that_names_the_metric_is_read_as_it_is(
    metric: str, line: str, values: dict[int, float]
) -> None:
    assert read(metric, line).values == values


def test_the_value_that_is_named_last_counts_though_steps_begin_anew() -> None:
    told = read("loss", "epoch 1 step 100 loss=3", "epoch 2 step 50 loss=2", "loss=nan")
    assert list(told.values) == [1, 2, 3]
    assert math.isnan(told.outcome()[1])


def test_what_a_program_says_to_q1lab_comes_before_what_it_prints() -> None:
    told = read("loss", "loss=2.3", "METRIC step=7 loss=2.3123", "loss=2.3")
    assert (told.values, told.source) == ({7: 2.3123}, "lines")


@pytest.mark.parametrize(
    ("metric", "line", "option"),
    [
        ("val", "train loss 2.3, val loss 2.2", "--metric 'val loss'"),
        ("train", "train loss 2.3, val 2", "--metric 'train loss'"),
        ("loss", "step 5: train loss: 2.3, val loss: 2.2", "--metric 'val loss'"),
        ("val_loss", "METRIC step=3 valloss=2 lr=3", "--metric valloss"),
        ("return", "global_step=48, episodic_return=[12.]", "--metric episodic_return"),
        ("acc", "| 60 | 0.12 |", ""),
    ],
)
def test_a_line_that_is_not_read_comes_with_the_option_that_reads_it(
    metric: str, line: str, option: str
) -> None:
    ways = read(metric, line, "done").ways()
    assert ways[0][1] == option
    if option:
        assert read(shlex.split(option)[1], line).values


def test_every_number_of_the_last_lines_is_offered_and_the_closest_name_first() -> None:
    ways = read("f1", "step 1: val_loss=2 acc=0.1", "step 2: val_f1=0.3 val_f2=0.4", "2").ways()
    assert [option.removeprefix("--metric ") for _, option in ways[:2]] == ["val_f1", "val_f2"]
    assert {option for _, option in ways[2:]} == {
        "--metric acc",
        "--metric val_loss",
        "--metric number",
    }
    many = " ".join(f"m{n}=1" for n in range(100))
    assert len(read("f1", many).ways()) == running.MOST_WAYS


def test_a_tables_rows_are_read_by_its_header() -> None:
    header = "epoch     train_loss  valid_loss  accuracy  time    "
    rows = ("0  0.9  0.8  0.7  00:12", "1  0.8  0.7  0.8  00:12", "done in  3 s")
    assert read("valid_loss", header, *rows).values == {1: 0.8, 2: 0.7}


def test_training_losses_come_from_the_same_output() -> None:
    events: list[dict[str, Any]] = []
    told = running.Told(lambda kind, **fields: events.append(fields), {"metric": "val loss"})
    for line in ("iter 10: loss 2.5, time 3ms", "step 20: train loss 2.4, val loss 2.6"):
        told.line(line)
    assert events == [
        {"iter": 10, "train_loss": 2.5},
        {"iter": 20, "train_loss": 2.4},
        {"iter": 20, "val_loss": 2.6},
    ]


def test_a_million_lines_are_read_in_a_moment_and_few_are_kept() -> None:
    told = read("loss", *(f"{n} it/s" for n in range(100_000)), "1" * 4095 + "x")
    assert len(told.recent) == running.MOST_RECENT
    many = read("loss", *(f"loss={n}" for n in range(100_000)))
    assert many.outcome()[:2] == (100_000, 99_999.0)
    assert not many.recent


def test_a_number_that_is_said_twice_counts_as_it_was_said_last(tmp_path: Path) -> None:
    events = trained(tmp_path, "--trouble=twice")
    note = next(event for event in events if event["type"] == "note")
    assert re.match(r"val/loss .*twice at step 1\b", note["text"])
    assert events[-1]["val_loss"] > 1


def test_a_name_that_changes_on_the_way_ends_at_another_step(tmp_path: Path) -> None:
    assert ended(tmp_path, "--trouble=renamed")["iter"] == 2


def test_an_input_that_changed_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_text("as planned")
    sha = "0" * 64
    last = ended(tmp_path, inputs={"data.bin": sha})
    assert re.match(r"data\.bin changed .*--fresh", last["message"])
    assert ended(tmp_path, inputs={"gone.bin": sha})["message"].startswith("gone.bin: No such file")


def test_no_such_program(tmp_path: Path) -> None:
    last = ended(tmp_path, run="./nothing-there {seed}")
    assert last["message"].startswith("./nothing-there: No such file")


@contextlib.contextmanager
def started(folder: Path, words: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A trainer of its own, as the runner starts it."""
    study = folder / "study"
    study.mkdir(exist_ok=True)
    (study / "study.json").write_text(json.dumps(plan_of(folder, words, **more)))
    command = [sys.executable, "-m", "labs.loop", str(study), "--only", "baseline-seed0"]
    child = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def events_in(folder: Path) -> list[dict[str, Any]]:
    return report.read(folder / "study" / "runs" / "baseline-seed0" / "events.jsonl")


@pytest.mark.parametrize("trouble", ["forever", "deaf"])
def test_a_command_that_never_ends_is_stopped(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(tmp_path, f"--trouble={trouble}") as child:
        wait_for(lambda: sum(e["type"] == "eval" for e in events_in(tmp_path)) == 4)
        child.terminate()
        assert child.wait(running.GRACE + 5) == 0
    assert events_in(tmp_path)[-1]["state"] == "stopped"


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    words = "--steps=6 --pause=0.3"
    with started(tmp_path, words, resume="--resume") as child:
        wait_for(lambda: any(e["type"] == "eval" for e in events_in(tmp_path)))
        child.terminate()
        child.wait(10)
    with started(tmp_path, words, resume="--resume") as child:
        child.wait(20)
    events = events_in(tmp_path)
    steps = [e["iter"] for e in events if e["type"] == "eval" and not e.get("final")]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert events[-1]["state"] == "finished"
    assert [e["resumed_from"] for e in events if e["type"] == "start"][1] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own leash is Linux's")
def test_the_command_ends_with_a_trainer_that_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--trouble=forever") as child:
        wait_for(lambda: any(e["type"] == "eval" for e in events_in(tmp_path)))
        (command,) = children_of(child.pid)
        child.send_signal(signal.SIGKILL)
        child.wait()
        wait_for(lambda: not is_there(command))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@given(st.binary(max_size=200))
def test_no_line_of_output_can_stop_it(line: bytes) -> None:
    events: list[Any] = []
    loop = {"metric": "val/loss", "pattern": r"val (?P<value>\S+)"}
    output = running.Told(lambda kind, **fields: events.append((kind, fields)), loop)
    output.line("METRIC " + line.decode("utf-8", "replace"))
    output.line(line.decode("utf-8", "replace"))
    assert all(isinstance(fields.get("iter"), int) for _, fields in events)


def test_a_metrics_file_is_read_in_pieces_and_through_no_link(tmp_path: Path) -> None:
    values: list[float] = []
    output = running.Told(lambda _, **fields: values.append(fields["val_loss"]), {"metric": "m"})
    path = tmp_path / "metrics.jsonl"
    numbers = running.Numbers(path, output)
    for piece in ('{"m": 1.0}\n{"m"', ": 2.0}\n", "no json\n[3]\n", '{"m": 4.0}'):
        with path.open("a") as out:
            out.write(piece)
        numbers.read()
    assert values == [1.0, 2.0]
    numbers.read(whole=True)
    assert values == [1.0, 2.0, 4.0]
    link = tmp_path / "link"
    link.symlink_to(path)
    running.Numbers(link, output).read()
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    running.Numbers(tmp_path / "pipe", output).read()
    assert time.monotonic() - began < 5
    assert values == [1.0, 2.0, 4.0]
    assert math.isclose(output.outcome()[1], 4.0)


def test_numbers_behind_a_progress_bar_are_read() -> None:
    events: list[Any] = []
    output = running.Told(lambda _, **fields: events.append(fields), {"metric": "val/loss"})
    output.line("100%|####| 78/78 [00:21<00:00, 3.34it/s]\x1b[AMETRIC step=4 val/loss=4.25")
    assert events == [{"iter": 4, "val_loss": 4.25}]
    output.line("METRIC")
    output.line("METRIC =3 val/loss")
    assert len(events) == 1


def test_the_metric_of_a_pattern_may_be_the_training_loss() -> None:
    events: list[Any] = []
    loop = {"metric": "train/loss", "pattern": r"iter (?P<step>\d+) loss (?P<value>\S+)"}
    output = running.Told(lambda _, **fields: events.append(fields), loop)
    output.line("iter 4 loss 0.5")
    assert events == [{"iter": 4, "val_loss": 0.5}]


def test_every_number_beside_the_metric_is_said_each_once_a_step() -> None:
    events: list[Any] = []
    output = running.Told(
        lambda kind, **fields: events.append((kind, fields)), {"metric": "val/acc"}
    )
    output.line("METRIC step=1 loss=2.5 grad_norm=0.5")
    output.line("METRIC step=1 grad_norm=0.6 lr=0.1")
    output.line("METRIC step=1 val/acc=0.25 epoch=1")
    assert events == [
        ("iter", {"iter": 1, "train_loss": 2.5, "numbers": {"grad_norm": 0.5}}),
        ("iter", {"iter": 1, "numbers": {"lr": 0.1}}),
        ("eval", {"iter": 1, "val_loss": 0.25, "numbers": {"epoch": 1.0}}),
    ]
    output.record("file", {"step": 2, "val/acc": 9.0, "from_the_file": 3})
    assert events[3:] == [("iter", {"iter": 2, "numbers": {"from_the_file": 3.0}})]
    del events[:]
    hostile = {"a\x1b[2J": 1, "b\n": 1, "\u202e": 1, "c" * 101: 1, "": 1, "d": "x", "e": math.nan}
    output.record("lines", {"step": 3, **hostile, **{f"name {n}": n for n in range(100)}})
    ((_, fields),) = events
    assert 50 < len(fields["numbers"]) < running.MOST_NUMBERS
    assert all(name == "e" or name.startswith("name ") for name in fields["numbers"])


def steps_kept(count: int, name: str) -> list[int]:
    """The steps that are written down of a command that reports so many."""
    events: list[tuple[str, int]] = []
    output = running.Told(
        lambda kind, **fields: events.append((kind, fields["iter"])), {"metric": "val/acc"}
    )
    for step in range(0, 5 * count, 5):
        output.record("lines", {"step": step, name: 1.0})
    assert {kind for kind, _ in events} == {"eval" if name == "val/acc" else "iter"}
    return [step for _, step in events]


@pytest.mark.parametrize("name", ["loss", "grad_norm", "val/acc"])
def test_the_numbers_of_every_step_are_written_down(name: str) -> None:
    """However fast they come: the clock would leave other steps in each run."""
    assert steps_kept(3000, name) == list(range(0, 15_000, 5))


@pytest.mark.parametrize("name", ["loss", "val/acc"])
def test_of_many_steps_some_are_written_down_evenly(name: str) -> None:
    kept = steps_kept(200_000, name)
    assert 20_000 < len(kept) < 40_000
    assert kept[:10_000] == list(range(0, 50_000, 5))
    steps = [b - a for a, b in itertools.pairwise(kept)]
    assert steps[9_999:] == sorted(steps[9_999:])
    assert max(steps) == 5 * 32


def test_a_long_curve_reaches_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last value of the metric is written down, whichever steps are left out."""
    monkeypatch.setattr(running, "KEPT", 4)
    evals = [event for event in trained(tmp_path, "--steps=7") if event["type"] == "eval"]
    assert [event["iter"] for event in evals] == [1, 2, 3, 4, 6, 7, 7]
    assert [event.get("final", False) for event in evals[-2:]] == [False, True]
