"""Studies on disk whose runs have gone in every way that a verdict speaks of: what each is told,
and that each fact is told of one of them.

After a wanted change of wording: ``UPDATE_GOLDEN=1 pytest tests/compare/test_histories.py``, and
read the diff.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

import q1lab
from q1lab.journal import on_record
from q1lab.journal.store import Store
from q1lab.judgment import interim_analyses, layout
from q1lab.judgment.facts import FACTS, facts_of, next_step
from q1lab.judgment.intervals import analyze
from q1lab.judgment.judgment import Beside, Judgment
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.metric import Metric
from q1lab.judgment.tables.found_runs import TableOptions
from q1lab.judgment.tables.judged_table import judge_table
from q1lab.judgment.tables.number_table import found_in_text
from q1lab.study import studies
from q1lab.study.command_arms import CommandSpec
from q1lab.study.seed_range import SeedRange
from q1lab.study.series import Series
from q1lab.study.studies import ARMS, Study
from tests.kit import places
from tests.kit.lab_home import CONFIG, compared, finish, make_study, train
from tests.kit.plans import changed

GOLDEN = places.GOLDEN / "verdict" / "histories.txt"
PREDICTION = {"direction": "lower", "size": 0.03, "matters": 0.01, "confidence": 0.7}
CLEAR = {"effect": -0.03, "noise": 0.002}
"""Pairs that make a claim."""

MEMBERS = ("swiglu", "rmsnorm")

Told = dict[str, Judgment]


def ended(study: Study, values: Mapping[str, Any]) -> Study:
    """The study, each arm's runs ended with these values; None for one that diverged."""
    for arm in ARMS:
        for seed, value in enumerate(values[arm]):
            state = "diverged" if value is None else "finished"
            train(study, arm, seed, val=value, state=state)
    return study


def finished(name: str, **keys: Any) -> Study:
    how = {key: keys.pop(key) for key in ("effect", "noise") if key in keys}
    study = make_study(name, **keys)
    finish(study, **how)
    return study


def rewritten(study: Study, name: str, change: Callable[[list[dict[str, Any]]], None]) -> Study:
    """The study, with the events of a run changed."""
    file = study.files.run(name).events
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines)
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return study


def with_parts(parts: Sequence[float | None]) -> Callable[[list[dict[str, Any]]], None]:
    """The change of a run's events by which its text's parts have these losses at the end."""
    last = {"type": "eval", "iter": 2000, "val_loss": 1.9, "final": True, "parts": parts}
    return lambda lines: lines.insert(-1, last)


def with_curves(name: str, iters: int, loss: Callable[[int], float]) -> Study:
    """A study of so many iters whose val loss goes so."""
    study = changed(make_study(name), config={**CONFIG, "max_iters": iters})
    studies.save(study)
    curve = [
        {"type": "eval", "iter": at, "val_loss": loss(at), "t": at / 28}
        for at in range(0, iters + 1, iters // 10)
    ]

    def draw(lines: list[dict[str, Any]]) -> None:
        rest = [line for line in lines if line["type"] != "eval"]
        lines[:] = [*rest[:-1], *curve, rest[-1]]

    for run in study.runs:
        swing = 0.01 if (run.arm == "modified") == (run.seed == 1) else 0.0
        train(study, run.arm, run.seed, iters, val=1.9 + swing)
        rewritten(study, run.name, draw)
    return study


def looks() -> Told:
    """A question is asked, asked again, and asked a third time; then another one."""
    told = {}
    asked = (
        ("a first look", {"prediction": PREDICTION, **CLEAR}),
        ("a second look", {"noise": 0.02}),
        ("a third look", CLEAR),
        ("another question", {"variant": "gqa", "prediction": {**PREDICTION, "after": "x"}}),
    )
    for at, (name, how) in enumerate(asked):
        seeds, created = (3 * at, 3 * at + 1, 3 * at + 2), f"2026-03-0{at + 1}T09:30:00+00:00"
        study = finished(f"study-{at}", seeds=seeds, created=created, **how)
        with Store() as store:
            on_record.record_begin(store, study)
        told[name] = compared(study)
    return told


def against_delta() -> Told:
    open_ = finished("rope-1", prediction=PREDICTION)
    for run in open_.runs:
        gain = 0.01 * (run.arm == "modified")
        parts = [1.9 + 0.02 * at - gain * (at % 3) for at in range(30)]
        rewritten(open_, run.name, with_parts(parts))
    close = finished("gqa-1", variant="gqa", effect=-0.009, noise=0.0032)
    small = finished(
        "swiglu-1", variant="swiglu", prediction=PREDICTION, effect=0.0005, noise=0.001
    )
    return {
        "open, with δ": compared(open_),
        "close to 0": compared(close),
        "too small": compared(small),
    }


def runs_that_differ() -> Told:
    study = finished("rope-1", unchecked=True, trainers=["0123456789ab"], **CLEAR)
    arms = {**study.arms, "modified": replace(study.arms["modified"], n_params=900_000)}
    study = changed(study, arms=arms)
    studies.save(study)
    rewritten(study, "modified-seed1", lambda lines: lines[0].update(dtype="fp32"))
    for name in ("baseline-seed0", "baseline-seed1"):
        rewritten(study, name, lambda lines: lines[0].update(dtype="bf16"))
    with study.files.run("baseline-seed0").events.open("a") as events:
        events.write("no event\n")
    return {"runs that differ": compared(study)}


def values_that_stand_out() -> Told:
    base = [1.9090, 1.9055, 1.9102, 1.9081]
    seeds = (0, 1, 2, 3)
    outlier = {"baseline": base, "modified": [1.879, 1.8745, 8.9102, 1.8791]}
    equal = {"baseline": base, "modified": [*base[:3], 1.9]}
    lost = {"baseline": base, "modified": [1.879, None, 1.88, 1.879]}
    names = {"an outlier": outlier, "equal pairs": equal, "one diverged": lost}
    made = {
        name: compared(ended(make_study(f"rope-{at}", seeds=seeds), values))
        for at, (name, values) in enumerate(names.items(), 1)
    }
    more = finished("rope-9", seeds=(9, 10, 11), created="2026-03-09T09:30:00+00:00", **CLEAR)
    return {**made, "after one that diverged": compared(more)}


def curves() -> Told:
    rising = with_curves("rope-1", 5000, lambda at: 1.47 + ((at - 1500) / 5000) ** 2)
    falling = with_curves("rope-2", 60, lambda at: 1.9 + 2.2 * math.exp(-at / 300))
    return {"overfit": compared(rising), "a short budget": compared(falling)}


def designs() -> Told:
    level = interim_analyses.level_per_look(3, 8)
    planned = SeedRange(3, 8, level, interim_analyses.t_limits(3, 8, level))
    ranged = finished("rope-1", seeds=tuple(range(8)), range=planned, **CLEAR)
    opened = make_study("gqa-1", "gqa", tuple(range(8)), range=planned)
    for run in opened.runs[:4]:
        train(opened, run.arm, run.seed)
    sweep = [
        finished(f"{name}-1", variant=name, series=Series("sweep-1", MEMBERS, at, 0.025))
        for at, name in enumerate(MEMBERS)
    ]
    loop = CommandSpec("python train.py {seed} {args}", {}, "/p", "acc", "higher", take="best")
    own = {"kind": "command", "config": {}, "preset": "", "dtype": "", "loop": loop}
    command = changed(make_study("fast-1"), **own)
    studies.save(command)
    finish(command, **CLEAR)
    return {
        "a range": compared(ranged),
        "an open range": compared(opened),
        "of a sweep": compared(sweep[0]),
        "a command": compared(command),
        "same code": compared(finished("baseline-1", variant="baseline", effect=0.0)),
    }


def faster() -> Told:
    """The loss that is judged beside a speed: unchanged, and worse."""
    even = {0: 1.91, 1: 1.9, 2: 1.92}
    moved = {
        "faster": {0: 1.911, 1: 1.899, 2: 1.921},
        "faster and worse": {0: 1.95, 1: 1.93, 2: 1.96},
    }
    speed = q1lab.judge(
        {0: 9.1, 1: 9.0, 2: 9.2}, {0: 7.1, 1: 7.2, 2: 7.1}, metric="seconds"
    ).judgment
    return {
        name: replace(
            speed,
            beside=Beside(
                Metric("val_loss", "", "lower"), analyze(even, losses, headline="paired")
            ),
        )
        for name, losses in moved.items()
    }


def elsewhere() -> Told:
    base, mod = {0: 1.91, 1: 1.9, 2: 1.92, 3: 1.9}, {0: 1.79, 1: 1.8, 2: 1.85, 5: 1.8}
    counted = ["arm,seed,acc,n_items", "a,0,0.71,100", "a,1,0.70,100", "a,2,0.73,100"]
    counted += ["b,0,0.74,100", "b,1,0.75,100", "b,2,0.77,100"]
    options = TableOptions(baseline="a")
    (table,) = found_in_text("\n".join(counted), "t.csv", options).tables(options)
    return {
        "from elsewhere": q1lab.judge(base, mod).judgment,
        "counted on few items": judge_table(table),
    }


STORIES = (
    faster,
    looks,
    against_delta,
    runs_that_differ,
    values_that_stand_out,
    curves,
    designs,
    elsewhere,
)


def test_every_fact_is_told_of_a_history(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    said: set[str] = set()
    told: set[str] = set()
    for story in STORIES:
        monkeypatch.setenv("Q1LAB_HOME", str(tmp_path_factory.mktemp(story.__name__)))
        for name, j in story().items():
            lines += [f"## {name}", *plain_lines(layout.first_lines(j)), ""]
            sentences = [*(fact.text for fact in facts_of(j)), *filter(None, [next_step(j)])]
            lines += [text for text in sentences if text not in told]
            lines += [""]
            told |= {*sentences}
            said |= {fact.key for fact in facts_of(j)}
    missing = {teller.__name__ for _, teller in FACTS} - said
    text = "\n".join(lines)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert missing == set(), "no history reaches these sentences"
    assert text == GOLDEN.read_text(encoding="utf-8"), "a reader sees other words"


@pytest.mark.parametrize("other", [[None] * 30, [1.9] * 20, []])
def test_parts_of_a_text_that_don_t_fit_together_say_nothing_of_another_text(
    other: list[float | None],
) -> None:
    study = finished("rope-1")
    for run in study.runs:
        parts = other if run.name == "modified-seed1" else [1.9 + at / 50 for at in range(30)]
        rewritten(study, run.name, with_parts(parts))
    assert compared(study).found.text_error is None


def test_a_run_that_reports_no_times_counts_in_no_mean_time() -> None:
    study = finished("rope-1")

    def untimed(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line.pop("t", None)
            line.pop("total", None)

    for name in ("modified-seed1", "modified-seed2"):
        rewritten(study, name, untimed)
    costs = [arm.costs["wall_s"] for arm in compared(study).arms.values()]
    assert costs[0] == costs[1], "wall clock averages zeros in"
