"""`q1lab run` of two commands: from what they print to a verdict."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.study import studies
from q1lab.study.studies import Study
from tests.app.test_terminal import Terminal, start
from tests.kit.commands import q1lab

__all__ = ["start"]

TRAIN = """
import argparse, random, sys
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--lr", type=float, default=1.0)
parser.add_argument("--last", default="step {s}: train loss {t}, val loss {v}")
args = parser.parse_args()
with Path(__file__).with_name("started").open("a") as started:
    started.write(f"{args.seed} {args.lr}\\n")
noise = random.Random(f"{args.seed} {args.lr}")
for step in range(0, 60, 20):
    value = round(1 / (step + 10) + noise.gauss(0, 0.001) - (0.02 if args.lr == 2 else 0), 5)
    print(args.last.format(s=step, t=value / 2, v=value))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with somebody's train.py; commands are typed there."""
    work = tmp_path / "proj"
    work.mkdir()
    (work / "train.py").write_text(TRAIN)
    monkeypatch.chdir(work)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    return work


def two(*options: str, last: str = "", file: str = "train.py") -> tuple[str, ...]:
    first = f"{shlex.quote(sys.executable)} {file} --seed={{seed}}"
    first += f" --last={shlex.quote(last)}" if last else ""
    return ("run", first, f"{first} --lr=2", *options)


def started(folder: Path) -> list[str]:
    return (folder / "started").read_text().splitlines()


def only_study() -> Study:
    (study,) = studies.load_readable()
    return study


def test_two_commands_come_to_a_verdict(folder: Path) -> None:
    done = q1lab(*two())
    assert "HELPS   lr=2 − baseline = " in done.stdout
    assert "Metric: val loss, lower is better" in done.stderr
    study = only_study()
    assert (study.id, study.design.pairs[0]) == ("train_lr_2-1", 3)
    assert started(folder)[:3] == ["0 1.0", "0 2.0", "1 2.0"], "the arm that begins alternates"
    assert len(started(folder)) == len(set(started(folder))), "the first run is the study's"
    events = [
        json.loads(line)
        for line in study.files.run("baseline-seed0").events.read_text().splitlines()
    ]
    assert [event["iter"] for event in events if event["type"] == "eval"] == [1, 20, 40, 40]
    assert [event["train_loss"] for event in events if event["type"] == "iter"]
    before = len(started(folder))
    again = q1lab(*two())
    assert "HELPS" in again.stdout
    assert len(started(folder)) == before, "typed again, it prints the comparison"


def test_an_arm_more_against_the_same_baseline_asks_nothing_again(folder: Path) -> None:
    q1lab(*two("--seeds", "1"))
    words = two("--seeds", "1")
    q1lab("run", words[1], words[1] + " --lr=3", "--seeds", "1")
    assert sorted(studies.ids()) == ["train_lr_2-1", "train_lr_3-1"]
    assert started(folder).count("0 1.0") == 2, "no first run for the second study"


BOTH = "epoch {s} val_loss={v} val_acc={t}"


def test_several_numbers_are_named_and_the_first_run_waits(folder: Path) -> None:
    refused = q1lab(*two("--seeds", "1", last=BOTH), code=2)
    assert "several numbers may be the metric: val_loss (0.0" in refused.stderr
    assert "such as --metric val_loss; its first run is kept" in refused.stderr
    assert studies.ids() == []
    q1lab(*two("--seeds", "1", "--metric", "val_acc", last=BOTH))
    assert started(folder) == ["0 1.0", "0 2.0"]
    assert only_study().metric.better == "higher", "the name says so"


def test_a_score_alone_on_its_line_is_offered_beside_a_training_loss(folder: Path) -> None:
    """As `print(model.score(X, y))` behind scikit-learn's own lines."""
    (folder / "train.py").write_text(
        TRAIN.replace("print(args", "print('loss', value); print(args")
    )
    refused = q1lab(*two("--seeds", "1", last="{v}"), code=2).stderr
    assert "loss (0.0" in refused
    assert "number (0.0" in refused, "a training loss is judged in place of the score"


def test_a_metric_that_is_not_printed_is_answered_with_all_that_are(folder: Path) -> None:
    three = f"{BOTH} val_f1={{t}}"
    refused = q1lab(*two("--seeds", "1", "--metric", "f1", last=three), code=1).stdout
    offered = [line.partition("--metric ")[2] for line in refused.splitlines()]
    assert list(filter(None, offered)) == ["val_f1", "val_acc", "val_loss"]
    assert refused.count("epoch 40 val_loss=") == 1, "the line stands once above them"


def test_a_metric_that_another_study_measures_is_named_with_it(folder: Path) -> None:
    q1lab(*two("--seeds", "1", "--metric", "accuracy", last=BOTH), code=1)
    asked = q1lab(*two("--seeds", "1", last=BOTH), code=2).stderr
    assert "several numbers may be the metric" in asked, "that study has measured nothing"
    q1lab(*two("--seeds", "1", "--metric", "val_acc", last=BOTH))
    first = q1lab(*two("--seeds", "1", last=BOTH)).stderr.splitlines()[0]
    name = studies.ids()[-1]
    assert first == (
        f"Metric: val_acc, as in {name}, higher is better (to say it: --metric val_acc "
        "--better higher)."
    )


def ends_of_study(folder: Path) -> list[str]:
    """The last sentence of the newest study for a person, for a program and on its page."""
    q1lab("export", str(folder / "page.html"), "--overwrite")
    told = " ".join(re.sub("<[^>]+>", " ", (folder / "page.html").read_text()).split())
    record = json.loads(q1lab("compare", "--json").stdout)
    said = " ".join(q1lab("compare").stdout.split())
    end = str(record["next"])
    return [said[-len(end) :], end, end if end in told else told]


def test_a_study_that_failed_says_what_to_do_first(folder: Path) -> None:
    conf = folder / "conf.yaml"
    conf.touch()
    words = two("--seeds", "1", "--metric", "val loss", file="train.py --last conf.yaml")
    q1lab(*words, code=1)  # it prints no number
    command = f"q1lab run {only_study().id}"
    said = q1lab("status").stdout.splitlines()[-1]
    anew = " (in the command: type all of it again)"
    assert said == f"next: correct the cause above{anew}, then {command}"
    assert q1lab("compare", "--full").stdout == q1lab("compare").stdout, "it offers what failed"
    goes_on = "It goes on with the whole command as you correct it."
    assert ends_of_study(folder) == [goes_on] * 3
    conf.unlink()
    put_back = f"Put conf.yaml back; then it goes on with {command}."
    assert ends_of_study(folder) == [put_back] * 3
    assert q1lab("status").stdout.splitlines()[-1] == f"next: put conf.yaml back, then {command}"
    assert json.loads(q1lab("status", "--json").stdout)["next"] == command
    assert q1lab("run", only_study().id, code=2).stderr.endswith(
        "No such file or directory, and the command needs it; put it back\n"
    )


def test_a_direction_that_no_name_shows_is_asked_about(folder: Path) -> None:
    refused = q1lab(*two("--seeds", "1", last="{v}"), code=2)
    assert "number: is lower better, as of a loss, or higher" in refused.stderr
    named = q1lab(*two("--seeds", "1", "--metric", "quux", last="quux {v}"), code=2)
    assert "--better" in named.stderr, "a named metric whose direction is not known is not judged"
    assert studies.ids() == []
    q1lab(*two("--seeds", "1", "--better", "higher", last="{v}"))
    assert only_study().metric.better == "higher"
    assert started(folder) == ["0 1.0", "0 2.0"]


@pytest.mark.parametrize(
    ("last", "says"),
    [("done", "showed no metric: it printed no number with a name"), ("{v", "exit status 1")],
)
def test_a_first_run_without_a_number_leaves_nothing(last: str, says: str) -> None:
    assert says in q1lab(*two(last=last), code=1).stderr
    assert studies.ids() == []


@pytest.mark.parametrize(
    "last",
    [
        "{{'eval_loss': {v}, 'epoch': 0.5}}",
        "\x1b[32mINFO\x1b[0m | eval_loss | {v} |",
        "10%|#\r100%|##| eval_loss={v} lr=1",
        '{{"step": {s}, "eval_loss": {v}}}',
    ],
)
def test_lines_of_many_kinds_are_read(last: str) -> None:
    q1lab(*two("--seeds", "1", last=last))
    assert (only_study().metric.name, only_study().metric.better) == ("eval_loss", "lower")


def test_a_first_run_of_other_files_is_not_taken_over(folder: Path) -> None:
    q1lab(*two("--seeds", "1", last=BOTH), code=2)
    (folder / "train.py").write_text(TRAIN + "\nprint()\n")
    q1lab(*two("--seeds", "1", "--metric", "val_acc", last=BOTH))
    assert started(folder) == ["0 1.0", "0 1.0", "0 2.0"]
    assert len(list(paths.scratch_dir().glob("first-*"))) == 1, "for a day"


@pytest.mark.parametrize(
    ("typed", "cure"),
    [
        ("--seed 3", "--seed {seed}"),
        ("--seed=3", "--seed={seed}"),
        ("seed=3 --lr=2", "seed={seed}"),
    ],
)
def test_a_command_with_a_seed_of_its_own_is_answered_with_its_place(
    folder: Path, typed: str, cure: str
) -> None:
    command = f"{shlex.quote(sys.executable)} train.py {typed}"
    assert cure in q1lab("run", command, f"{command} --lr=3", code=2).stderr


def test_a_study_of_commands_has_no_files_to_compare(folder: Path) -> None:
    q1lab(*two("--seeds", "1", "--metric", "val_acc", last=BOTH))
    (study_id,) = studies.ids()
    assert f"{study_id} has no model files" in q1lab("diff", study_id, code=2).stderr


def test_options_that_do_not_go_with_two_commands() -> None:
    assert "--preset is for q1lab's own loop" in q1lab(*two("--preset", "cpu"), code=2).stderr
    assert "the first command is the baseline" in q1lab(*two("--baseline", "x"), code=2).stderr


@pytest.mark.parametrize("metric", ["tokens_per_second", "seconds"])
def test_a_speed_is_judged_with_the_loss_beside_it(metric: str, folder: Path) -> None:
    last = "step {s} val_loss={v} tokens_per_second={t}"
    words = two("--seeds", "3", "--metric", metric, last=last)
    told = " ".join(q1lab(*words).stdout.split())
    study = only_study()
    assert study.metric.better == ("lower" if metric == "seconds" else "higher")
    assert study.trainer.loop.beside == "val_loss"
    assert "The val_loss is better: −0.0" in told, "beside the speed it says what the loss does"
    assert started(folder)[:2] == ["0 1.0", "0 1.0"], "the first run warms up, and does not count"
    before = len(started(folder))
    q1lab(*words)
    assert len(started(folder)) == before, "typed again, it prints the comparison"


def test_a_terminal_asks_which_number_counts(start: Callable[..., Terminal]) -> None:
    terminal = start(*two("--seeds", "1", last=BOTH), columns=80, lines=24)
    terminal.sees("Which number counts?", "val_loss  0.0", "lower is better", "val_acc   0.0")
    terminal.press("\x1b[B\r")
    terminal.sees("to say it: --metric val_acc --better")
    terminal.sees("Everything else")
    assert only_study().metric.name == "val_acc"


def test_who_leaves_the_list_loses_nothing(start: Callable[..., Terminal], folder: Path) -> None:
    terminal = start(*two("--seeds", "1", last=BOTH), columns=80, lines=24)
    terminal.sees("Which number counts?")
    terminal.press("\x1b")
    terminal.sees("its first run is kept")
    assert studies.ids() == []
    assert started(folder) == ["0 1.0"]
