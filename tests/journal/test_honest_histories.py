"""What honest learners did, and what each is charged for it: the rows of honest_histories.txt, as
studies on disk, through the store and the comparison."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest

from q1lab.compare.comparison_cache import compare
from q1lab.journal import delete_restore, ingest_events, on_record, predictions
from q1lab.journal.store import Store
from q1lab.judgment.facts import facts_of
from q1lab.study import studies
from q1lab.study.command_arms import CommandSpec
from q1lab.study.identity import code_hash
from q1lab.study.seed_range import SeedRange
from q1lab.study.studies import ARMS, Study
from tests.kit import lab_home
from tests.kit.plans import changed

TABLE = Path(__file__).with_name("honest_histories.txt")
ROWS = [
    [cell.strip() for cell in line.split("|")]
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
TOLD = {"not_confirmed", "looks", "planned_looks", "chance", "strays", "record"}
"""Facts of a level, and of what else was asked."""
EFFECTS = {
    "null": {"effect": 0.0, "noise": 0.01},
    "clear": {"effect": -0.03, "noise": 0.002},
    "worse": {"effect": 0.03, "noise": 0.002},
    "small": {"effect": 0.0005, "noise": 0.001},
}
RANGE = SeedRange(3, 5, 0.02, (6.0, 5.0, 4.0))
PREDICTION = {"direction": "same", "size": 0.0, "matters": 0.01, "confidence": 0.7}
PROGRAMS = {
    "a": "x = 1\nprint(x)\n",
    "a-with-a-comment": "x = 1  # a note\n\nprint(x)\n",
    "b": "x = 2\nprint(x)\n",
}


def planned(store: Store, text: str, at: int) -> tuple[Study, dict[str, str]]:
    """The study that this part of a row plans, on disk, and what is special about it."""
    variant, pairs, *rest = text.split()
    special = dict((*word.split("=", 1), "")[:2] for word in rest)
    first, most = int(special.get("from", 0)), pairs.rpartition("..")[2]
    sizes = [int(size) for size in most.split("+")]
    seeds = range(first, first + sum(sizes))
    keys: dict[str, Any] = {"created": f"2026-03-07T09:{at:02}:00+00:00"}
    if ".." in pairs:
        keys["range"] = RANGE
    if "text" in special:
        keys["sha256"] = special["text"] * 64
    if "small" in special:
        keys["prediction"] = PREDICTION
    name = f"{variant}-{at}"
    if special.get("predicted"):
        direction, size, matters = special["predicted"].split(":")
        expected = predictions.Expected(
            direction=direction, size=float(size), matters=float(matters), confidence=0.7
        )
        predictions.record_prediction(store, "M03-W04", variant, expected)
    if "predicted" in special:
        keys["prediction"] = predictions.locked_prediction(store, variant, f"study {name}")
    study = lab_home.make_study(
        name, "rope" if variant == "tool" else variant, tuple(seeds[: sizes[0]]), **keys
    )
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    batches = [tuple(seeds[a:b]) for a, b in itertools.pairwise(ends)]
    settings = {"iters": "max_iters", "lr": "learning_rate", "every": "eval_interval"}
    config = {settings[key]: float(special[key]) for key in settings if key in special}
    whole = {key: int(value) if value >= 1 else value for key, value in config.items()}
    study = changed(
        study.with_design(batches=tuple(batches)),
        config={**lab_home.CONFIG, **whole},
        device=special.get("device", "cpu"),
        dtype=special.get("dtype", "bf16"),
    )
    if "program" in special:
        text = PROGRAMS[special["program"]]
        file = special.get("file", "train.py")
        loop = CommandSpec(
            f"python {file} {{seed}} {{args}}",
            {},
            "/p",
            "loss",
            inputs={file: f"{len(text):064}"},
            code={file: code_hash(text)},
        )
        study = changed(study, kind="command", config={}, preset="", dtype="", loop=loop)
    studies.save(study)
    return study, special


def run(store: Store, study: Study, special: dict[str, str]) -> None:
    """Put the study on record, and end its runs as the row says."""
    on_record.record_begin(store, study)
    how = next((EFFECTS[word] for word in special if word in EFFECTS), {})
    ended = study.seeds[: int(special.get("ended", len(study.seeds)))]
    if "looked" in special:
        early = study.seeds[: int(special["looked"])]
        lab_home.finish(study.with_design(batches=(early,)), **how)
        compare(store, study)
    lab_home.finish(study, **how)
    for arm in ARMS:
        for seed in study.seeds:
            if seed not in ended:
                shutil.rmtree(study.files.run(f"{arm}-seed{seed}").root)
    if "diverged" in special:
        lab_home.train(study, "modified", study.seeds[-1], state="diverged")
    ingest_events.ingest_study(store, study)
    if "deleted" in special:
        delete_restore.delete_study(store, study.id)
    if "removed" in special:
        shutil.rmtree(study.files.root)
    ingest_events.ingest_all(store)


@pytest.mark.parametrize(("name", "did", "level", "questions", "verdict", "facts"), ROWS)
def test_an_honest_history_is_charged_for_its_looks_alone(
    name: str, did: str, level: str, questions: str, verdict: str, facts: str
) -> None:
    with Store() as store:
        for at, text in enumerate(did.split(";")):
            study, special = planned(store, text, at)
            run(store, study, special)
        c = compare(store, study)
    told = (f"{100 * c.analysis.alpha:g}", str(c.asked.questions), c.analysis.verdict)
    keys = [fact.key for fact in facts_of(c) if fact.key in TOLD]
    if "predicted" in special:
        keys += [c.score.outcome if c.score else "unscored", f"δ={c.analysis.delta}"]
    assert told == (level, questions, verdict), f"{name}: told another level, count or verdict"
    assert sorted(keys) == sorted(facts.split()) or (facts == "–" and not keys), (
        f"{name}: told too much or too little of the looks"
    )
