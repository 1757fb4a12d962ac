"""A forger's ways, each with every hash and claim made anew by q1lab itself: no forgery is
verified."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from q1lab.ground import paths
from q1lab.index import acts
from q1lab.index.store import Store
from q1lab.judgment import interim_analyses
from q1lab.record import begin
from q1lab.record.home_history import StudyHistory, study_history
from q1lab.study import bundle, studies
from q1lab.study.bundle import DECLARATIONS
from q1lab.verdict import comparison_cache
from tests.kit.bundles import (
    SHORT,
    archived,
    declared_lines,
    edit,
    opened,
    plan_of,
    put_lines,
    reasons,
    redeclared,
    remade,
    sealed,
    verify,
)
from tests.kit.commands import q1lab

pytestmark = pytest.mark.sample

# ── the forger's tools


def events_file(run: str, study: str = "rope-1") -> Path:
    return studies.load(study).files.run(run).events


def change_plan(study: str, change: Callable[[dict[str, Any]], object]) -> None:
    plan = plan_of(study)
    change(plan)
    (paths.study_dir(study) / "study.json").write_text(json.dumps(plan))


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one value, at the end of a path of keys."""

    def change(record: dict[str, Any]) -> None:
        for key in path[:-1]:
            record = record[key]
        record[path[-1]] = value

    return change


def last_lines(run: str, keep: int, *more: dict[str, Any], study: str = "rope-1") -> None:
    """Cut a run's events after ``keep`` lines, and end them with other events."""
    file = events_file(run, study)
    lines = file.read_text().splitlines()[:keep]
    file.write_text("".join(f"{line}\n" for line in [*lines, *map(json.dumps, more)]))


def all_modified(change: Callable[[dict[str, Any]], None]) -> None:
    for seed in (0, 1, 2):
        edit(f"modified-seed{seed}", change)


def lower(by: float, *kinds: str, end_only: bool = False) -> Callable[[dict[str, Any]], None]:
    def change(event: dict[str, Any]) -> None:
        is_end = event["type"] == "exit" or event.get("final")
        if event["type"] in ("eval", "exit") and event.get("val_loss") and (is_end or not end_only):
            event["val_loss"] -= by

    return change


def begun_with(
    change: Callable[[dict[str, Any]], None], **conditions: Any
) -> Callable[[dict[str, Any]], None]:
    """The change of a run that says to have begun under other conditions."""

    def with_conditions(event: dict[str, Any]) -> None:
        if event["type"] == "start":
            event.update(conditions)
        change(event)

    return with_conditions


def elsewhere(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """The change of a run that says to come from another processor."""
    return begun_with(change, processor="Another CPU")


def no_evaluation_but_one_at_0(event: dict[str, Any]) -> None:
    if event["type"] == "eval" and not event.get("final"):
        event.update(iter=0, val_loss=None)


# ── forgeries


@dataclass(frozen=True)
class Forgery:
    """``tamper`` changes the forger's home before the export, ``reseal`` the bundle's files behind
    it. ``reason`` is the refusal; empty where the report names what is missing instead."""

    reason: str
    tamper: Callable[[], object] = lambda: None
    study: str = "rope-1"
    reseal: Callable[[dict[str, bytes]], object] = lambda files: None
    trains: bool = False
    before_it_moves: Callable[[dict[str, bytes]], object] | None = None
    """Changes an archive that is then restored in another home, and exported from there."""
    says_not_picked: bool = False
    """True if the verdict is made as if its seeds were not picked."""


def claim(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    """Change the claim in the bundle's list."""

    def change(files: dict[str, bytes]) -> None:
        record = json.loads(files[bundle.LIST_NAME])
        record["claim"] |= changes
        files[bundle.LIST_NAME] = json.dumps(record).encode()

    return change


def at_the_first_level(files: dict[str, bytes]) -> None:
    """Claim the level of a first look, with the numbers that it gives."""
    record = json.loads(files[bundle.LIST_NAME])
    other = json.loads(archive_files("rope-1")[bundle.LIST_NAME])["claim"]
    record["claim"] |= {"alpha": 0.05, "mean": other["mean"], "ends": other["ends"]}
    files[bundle.LIST_NAME] = json.dumps(record).encode()


def own_line(study: str, key: str, changed: Callable[[Any], Any]) -> Callable[[], None]:
    """Change a value that a study's own line of the journal declares."""

    def change(body: acts.Body) -> acts.Body:
        if body["act"] == "begin" and body["plan"]["id"] == study:
            declares = body["declares"]
            return {**body, "declares": {**declares, key: changed(declares[key])}}
        return body

    return lambda: remade(change)


def not_picked(store: Store, study: studies.Study) -> StudyHistory:
    found = study_history(store, study)
    return replace(found, history=replace(found.history, picked=False))


def archive_files(study: str) -> dict[str, bytes]:
    return opened(archived(study))


def without(*names: str) -> Callable[[], None]:
    def remove() -> None:
        for name in names:
            shutil.rmtree(events_file(name).parent)
        paths.database_file().unlink()  # which knows the runs still

    return remove


def widen_range(alpha: float, limits: tuple[float, ...] | None = None) -> Callable[[], None]:
    def change() -> None:
        planned = plan_of("gqa-1")["range"]
        first, most = planned["first"], planned["most"]
        new = limits or interim_analyses.t_limits(first, most, alpha)
        redeclared("gqa-1", range={**planned, "alpha": alpha, "limits": list(new)})

    return change


def share_series(alpha: float, members: int) -> Callable[[], None]:
    def change() -> None:
        series = plan_of("swiglu-2")["series"]
        names = [str(10 * (number + 1)) for number in range(members)]
        redeclared("swiglu-2", series={**series, "alpha": alpha, "members": names, "at": 0})

    return change


def more_seeds_after(
    change: Callable[[dict[str, Any]], object], seeds: str = "4"
) -> Callable[[], None]:
    """Edit a plan between two looks, and go on with it as q1lab would, if it did not look."""

    def tamper() -> None:
        q1lab("run", "rmsnorm", *SHORT)
        change_plan("rmsnorm-1", change)
        headline = plan_of("rmsnorm-1")["headline"]
        with patch.object(begin, "refuse_changed_plan"):
            q1lab("run", "rmsnorm", "--seeds", seeds, "--headline", headline, *SHORT)

    return tamper


def cut_range() -> None:
    """A range that found nothing after three pairs ends there."""
    os.environ["FAKE_TRAIN"] = json.dumps({"effect": 0})
    q1lab("run", "rmsnorm", "--seeds", "3..5", *SHORT)
    assert len(plan_of("rmsnorm-1")["looks"][0]) == 5
    change_plan("rmsnorm-1", put("looks", value=[[0, 1, 2]]))


FORGERIES: dict[str, Forgery] = {
    # the level
    "the level of a first look in the claim": Forgery(
        "edited-verdict", study="rope-2", reseal=at_the_first_level
    ),
    "the level of a first look in its own line": Forgery(
        "edited-verdict", own_line("rope-2", "level", lambda level: 0.05), "rope-2"
    ),
    "another share of the series in the plan": Forgery(
        "edited-verdict",
        lambda: change_plan("swiglu-2", put("series", "alpha", value=0.05)),
        "swiglu-2",
    ),
    "the share of the series declared anew": Forgery(
        "edited-verdict", share_series(0.05, 2), "swiglu-2"
    ),
    "another number of members declared": Forgery(
        "edited-verdict", share_series(0.025, 3), "swiglu-2"
    ),
    "a range that spends more": Forgery("edited-verdict", widen_range(0.04), "gqa-1"),
    "looks of a range at other limits": Forgery(
        "edited-verdict", widen_range(0.01879, (1.0, 1.0, 1.0)), "gqa-1"
    ),
    # the claim
    "seeds that were not picked, it says": Forgery(
        "edited-verdict", study="rope-3", says_not_picked=True
    ),
    "another verdict": Forgery("edited-verdict", reseal=claim(verdict="too small")),
    "another mean": Forgery("edited-verdict", reseal=claim(mean=-0.5)),
    "other ends": Forgery("edited-verdict", reseal=claim(ends=[-0.2, -0.1])),
    "more pairs": Forgery("edited-verdict", reseal=claim(n=5)),
    "a level that nobody has, to hide a harm": Forgery(
        "edited-verdict", reseal=claim(verdict="cannot tell", alpha=1e-9)
    ),
    # the plan between two looks
    "a smallest difference put in": Forgery(
        "changed-plan",
        more_seeds_after(put("prediction", value={"direction": "lower", "matters": 0.2})),
        "rmsnorm-1",
    ),
    "another headline": Forgery(
        "changed-plan", more_seeds_after(put("headline", value="welch")), "rmsnorm-1"
    ),
    "seeds dropped": Forgery(
        "changed-plan", more_seeds_after(put("looks", value=[[0, 1]])), "rmsnorm-1"
    ),
    # what a page shows
    "a name": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("arms", "modified", "variant", value="x"))
    ),
    "a title": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("arms", "baseline", "title", value="x"))
    ),
    "the text's name": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("data", "name", value="x"))
    ),
    "parameters": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("arms", "modified", "n_params", value=9))
    ),
    "tokens": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("data", "train_tokens", value=9))
    ),
    "a prediction afterwards": Forgery(
        "changed-plan",
        lambda: change_plan("rope-1", put("prediction", value={"direction": "lower", "size": 0.1})),
    ),
    "the trainer's version": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("versions", "trainer", value="0" * 12))
    ),
    "the version of PyTorch": Forgery(
        "changed-plan", lambda: change_plan("rope-1", put("versions", "torch", value="1.0"))
    ),
    "drawn seeds, it says": Forgery(
        "changed-plan", lambda: change_plan("rope-3", put("fresh_seeds", value=3)), "rope-3"
    ),
    # runs that are not there
    "both runs of a seed": Forgery("", without("baseline-seed2", "modified-seed2")),
    "one run": Forgery("", without("modified-seed2")),
    "two seeds": Forgery("", without(*(f"{arm}-seed{n}" for n in (1, 2) for arm in studies.ARMS))),
    "a failed run": Forgery(
        "", lambda: last_lines("modified-seed2", 6, {"type": "exit", "state": "failed"})
    ),
    "a stopped run": Forgery(
        "", lambda: last_lines("modified-seed2", 6, {"type": "exit", "state": "stopped"})
    ),
    "a run without an end": Forgery("", lambda: last_lines("modified-seed2", 6)),
    "a run that only began": Forgery("", lambda: last_lines("modified-seed2", 1)),
    "an empty run": Forgery("", lambda: _emptied("modified-seed2")),
    "a run removed, and known to the index": Forgery(
        "dropped-seed", lambda: shutil.rmtree(events_file("modified-seed2").parent)
    ),
    "a run taken out behind the claim": Forgery(
        "dropped-seed", reseal=lambda files: files.pop("runs/modified-seed2/events.jsonl")
    ),
    "a run that the plan does not have": Forgery(
        "dropped-seed",
        reseal=lambda files: files.update(
            {"runs/modified-seed9/events.jsonl": files["runs/modified-seed2/events.jsonl"]}
        ),
    ),
    "pairs of a range cut off before it was over": Forgery("", cut_range, "rmsnorm-1"),
    # the runs' numbers
    "a null evaluation at iter 0": Forgery(
        "damaged", lambda: all_modified(elsewhere(no_evaluation_but_one_at_0))
    ),
    "a null evaluation": Forgery(
        "damaged",
        lambda: all_modified(
            lambda event: (
                event.update(val_loss=None)
                if event["type"] == "eval" and not event.get("final")
                else None
            )
        ),
    ),
    "a run that ends by another number than it was evaluated": Forgery(
        "edited-loss",
        lambda: all_modified(
            lambda event: (
                event.update(val_loss=event["val_loss"] - 0.5) if event["type"] == "exit" else None
            )
        ),
    ),
    "an end without a number": Forgery(
        "damaged",
        lambda: edit(
            "modified-seed1",
            lambda event: (
                event.update(val_loss=None)
                if event["type"] == "exit" or event.get("final")
                else None
            ),
        ),
    ),
    "a lower end, at threads that the plan does not have": Forgery(
        "other-budget", lambda: all_modified(begun_with(lower(0.01, end_only=True), threads=7))
    ),
    "a lower end, of a run that began again": Forgery(
        "edited-loss", lambda: [_begun_again(f"modified-seed{n}") for n in (0, 1, 2)], trains=True
    ),
    "an end that is no number": Forgery(
        "damaged", lambda: edit("modified-seed1", lambda event: _end_with(event, math.nan))
    ),
    "an end that is a text": Forgery(
        "damaged", lambda: edit("modified-seed1", lambda event: _end_with(event, "1.0"))
    ),
    "a run that is said to have diverged": Forgery(
        "edited-loss", lambda: _diverged("modified-seed2"), trains=True
    ),
    "lower numbers": Forgery("edited-loss", lambda: all_modified(lower(0.01)), trains=True),
    "lower numbers, from elsewhere": Forgery(
        "edited-loss", lambda: all_modified(elsewhere(lower(0.5))), trains=True
    ),
    "lower ends, from elsewhere": Forgery(
        "edited-loss", lambda: all_modified(elsewhere(lower(0.5, end_only=True))), trains=True
    ),
    "lower ends, from elsewhere, of seeds that lie far apart by it": Forgery(
        "edited-loss", lambda: _lower_all_but_one_seed(), trains=True
    ),
    "evaluations left out, from elsewhere": Forgery(
        "edited-loss",
        lambda: [_without_evaluations(f"modified-seed{seed}") for seed in (0, 1, 2)],
        trains=True,
    ),
    "one seed's run as another's": Forgery(
        "damaged",
        lambda: shutil.copy(events_file("modified-seed0"), events_file("modified-seed1")),
    ),
    "one seed's run as another's, with its seed": Forgery(
        "other-source",
        lambda: [
            shutil.copy(events_file("modified-seed0"), events_file("modified-seed1")),
            edit("modified-seed1", begun_with(lambda event: None, seed=1)),
        ],
        trains=True,
    ),
    "the arms' runs swapped": Forgery("other-data", lambda: _swap_arms(), trains=True),
    # the journal
    "a name of the study that nothing declares": Forgery(
        "trimmed-ledger",
        reseal=lambda files: files.update(
            {"study.json": files["study.json"].replace(b'"created": "2', b'"created": "1', 1)}
        ),
    ),
    "declarations that end before the study": Forgery(
        "trimmed-ledger",
        study="rope-2",
        reseal=lambda files: files.update(
            {DECLARATIONS: b"".join(files[DECLARATIONS].splitlines(keepends=True)[:-1])}
        ),
    ),
    "another question in its own line": Forgery(
        "changed-plan", own_line("rope-2", "question", lambda question: "another"), "rope-2"
    ),
    "seeds declared as drawn": Forgery(
        "edited-verdict",
        lambda: redeclared("rope-3", fresh_seeds=3),
        "rope-3",
        says_not_picked=True,
    ),
    # from home to home
    "seeds that were picked elsewhere": Forgery(
        "edited-verdict", study="rope-4", before_it_moves=lambda files: None, says_not_picked=True
    ),
}


def _emptied(run: str) -> None:
    last_lines(run, 0)
    paths.database_file().unlink()


def _lower_all_but_one_seed() -> None:
    all_modified(elsewhere(lambda event: None))
    for seed in (1, 2):
        edit(f"modified-seed{seed}", lower(0.5, end_only=True))


def _without_evaluations(run: str) -> None:
    file = events_file(run)
    kept = [
        line for line in file.read_text().splitlines() if '"eval"' not in line or '"final"' in line
    ]
    file.write_text("".join(f"{line}\n" for line in kept))
    edit(run, elsewhere(lower(0.5)))


def _begun_again(run: str) -> None:
    file = events_file(run)
    first, *others = file.read_text().splitlines()
    again = json.dumps({**json.loads(first), "attempt": 2, "resumed_from": 8})
    file.write_text("".join(f"{line}\n" for line in (first, *others[:9], again, *others[9:])))
    edit(run, lower(0.01, end_only=True))


def _end_with(event: dict[str, Any], value: Any) -> None:
    if event["type"] == "exit" or event.get("final"):
        event["val_loss"] = value


def _diverged(run: str) -> None:
    last_lines(run, -2, {"type": "exit", "state": "diverged", "iter": 20})


def _swap_arms() -> None:
    for seed in (0, 1, 2):
        one, other = (events_file(f"{arm}-seed{seed}") for arm in studies.ARMS)
        text = one.read_text()
        one.write_text(other.read_text())
        other.write_text(text)


@pytest.mark.parametrize("way", FORGERIES)
def test_no_forgery_is_verified(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgery = FORGERIES[way]
    forgery.tamper()
    if forgery.before_it_moves is not None:
        file = archived(forgery.study)
        files = opened(file)
        forgery.before_it_moves(files)
        sealed(file, files)
        monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "elsewhere"))
        q1lab("restore", str(file))
    if forgery.says_not_picked:
        monkeypatch.setattr(comparison_cache, "study_history", not_picked)
    file = archived(forgery.study)
    files = opened(file)
    forgery.reseal(files)
    sealed(file, files)
    cells = ("--all",) if forgery.trains else ("--cells", "0")
    report = verify(file, *cells, code=20 if forgery.reason else 21)
    if forgery.reason:
        assert reasons(report) == {forgery.reason}
    else:
        assert report["unchecked"]


def test_a_forged_end_from_elsewhere_is_not_verified() -> None:
    """The processor is the giver's word: a run that is said to come from another one is not compared
    to its end, and no check counts as one that would have found it."""
    all_modified(elsewhere(lower(0.01, end_only=True)))
    report = verify(archived(), "--all", code=21)
    assert len(report["not_to_the_end"]) == 3
    assert report["chance"] == 0.5
    said = [words for words in report["unchecked"] if "how it ends" in words]
    assert len(said) == 3
    assert all("by its record" in words for words in said)


@pytest.mark.parametrize("ends", [[], [-0.1], [-0.2, -0.1, 0.0]], ids=len)
def test_a_claim_has_two_ends(ends: list[float]) -> None:
    file = archived()
    files = opened(file)
    claim(ends=ends)(files)
    sealed(file, files)
    report = verify(file, "--cells", "0", code=20)
    assert "its claim can't be read" in str(report["refused"])


@pytest.mark.parametrize(
    "series", [[], {}, ["x"], ["x", -1], ["x", 0.05, 2, 2], ["x", 0.05, None]], ids=str
)
def test_a_declared_series_has_an_id_a_share_and_a_count(series: Any) -> None:
    file = archived()
    files = opened(file)
    lines = declared_lines(files)
    lines[-1]["series"] = series
    put_lines(files, lines)
    sealed(file, files)
    report = verify(file, "--cells", "0", code=20)
    assert reasons(report) == {"trimmed-ledger"}
