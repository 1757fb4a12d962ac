"""A forger's ways: no forgery passes, not even one with every hash and claim made anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.journal.acts import Body
from q1lab.journal.store import Store, connect
from q1lab.judgment import interim_analyses
from q1lab.study import bundle, studies
from tests.kit.bundles import (
    SHORT,
    archived,
    edit,
    opened,
    plan_of,
    sealed,
    verify,
)
from tests.kit.commands import q1lab


def reasons(report: Mapping[str, Any]) -> set[str]:
    return {refusal["reason"] for refusal in report["refused"]}


def remade(change: Callable[[Body], Body | None]) -> None:
    """Write the journal anew: each body as ``change`` has it, left out where it is None."""
    db = connect(paths.database_file(), lambda: None)
    bodies = [json.loads(text) for (text,) in db.execute("SELECT body FROM acts ORDER BY id")]
    db.execute("DELETE FROM acts")
    for body in bodies:
        if (changed := change(body)) is not None:
            db.execute("INSERT INTO acts (body) VALUES (?)", (json.dumps(changed),))
    db.execute("PRAGMA user_version = 0")
    db.close()


def redeclared(study: str, **changes: Any) -> None:
    """Change a plan, and what the journal says that it declared."""
    plan = json.loads((paths.study_dir(study) / "study.json").read_text()) | changes
    (paths.study_dir(study) / "study.json").write_text(json.dumps(plan))
    now = studies.load(study)

    def change(body: Body) -> Body:
        if body["act"] != "begin" or body["plan"]["id"] != study:
            return body
        return {**body, "plan": now.to_dict()}

    remade(change)


pytestmark = pytest.mark.sample

EVENTS = "runs/modified-seed1/events.jsonl"
Files = dict[str, bytes]
Event = dict[str, Any]

# ── the forger's tools


def events_file(run: str) -> Path:
    return studies.load("rope-1").files.run(run).events


def last_lines(run: str, keep: int, *more: Event) -> None:
    """Cut a run's events after ``keep`` lines, and end them with other events."""
    file = events_file(run)
    lines = file.read_text().splitlines()[:keep]
    file.write_text("".join(f"{line}\n" for line in [*lines, *map(json.dumps, more)]))


def all_modified(change: Callable[[Event], None]) -> None:
    for seed in (0, 1, 2):
        edit(f"modified-seed{seed}", change)


def lower(event: Event) -> None:
    if event["type"] in ("eval", "exit") and event.get("val_loss"):
        event["val_loss"] -= 0.01


def with_end(value: Any) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        if event["type"] == "exit" or event.get("final"):
            event["val_loss"] = value

    return change


def lower_at_seven_threads(event: Event) -> None:
    lower(event)
    if event["type"] == "start":
        event["threads"] = 7


def without_a_number(event: Event) -> None:
    if event["type"] == "eval" and not event.get("final"):
        event["val_loss"] = None


def lower_exit(event: Event) -> None:
    if event["type"] == "exit":
        event["val_loss"] -= 0.5


def claim(**changes: Any) -> Callable[[Files], None]:
    """Change the claim in the bundle's list."""

    def change(files: Files) -> None:
        record = json.loads(files[bundle.LIST_NAME])
        record["claim"] |= changes
        files[bundle.LIST_NAME] = json.dumps(record).encode()

    return change


def widen_range(alpha: float, limits: tuple[float, ...] | None = None) -> Callable[[], None]:
    def change() -> None:
        planned = plan_of("gqa-1")["range"]
        first, most = planned["first"], planned["most"]
        new = limits or interim_analyses.t_limits(first, most, alpha)
        redeclared("gqa-1", range={**planned, "alpha": alpha, "limits": list(new)})

    return change


def cut_range() -> None:
    """A range that found nothing after three pairs ends there."""
    os.environ["FAKE_TRAIN"] = json.dumps({"effect": 0})
    q1lab("run", "rmsnorm", "--seeds", "3..5", *SHORT)
    assert len(plan_of("rmsnorm-1")["looks"][0]) == 5
    plan = plan_of("rmsnorm-1") | {"looks": [[0, 1, 2]]}
    (paths.study_dir("rmsnorm-1") / "study.json").write_text(json.dumps(plan))


def remove_run() -> None:
    shutil.rmtree(events_file("modified-seed2").parent)
    paths.database_file().unlink()  # which knows the run still


def swap_arms() -> None:
    for seed in (0, 1, 2):
        one, other = (events_file(f"{arm}-seed{seed}") for arm in studies.ARMS)
        text = one.read_text()
        one.write_text(other.read_text())
        other.write_text(text)


def go_on_behind_the_end() -> None:
    """The verdict counts the first end; a check that took the last one would find what is true."""
    file = events_file("modified-seed1")
    *before, end = file.read_text().splitlines()
    forged = json.loads(end)
    forged["val_loss"] -= 0.5
    file.write_text("".join(f"{line}\n" for line in [*before, json.dumps(forged), end]))


def another_text(files: Files) -> None:
    name = next(name for name in files if name.startswith("data/"))
    text = files.pop(name) + b"more"
    files[f"data/{hashlib.sha256(text).hexdigest()}.txt"] = text


def another_source(files: Files) -> None:
    files["source/modified/rope.py"] += b"\n"


def a_run_more(files: Files) -> None:
    files["runs/modified-seed9/events.jsonl"] = files[EVENTS]


# ── forgeries


@dataclass(frozen=True)
class Forgery:
    """``tamper`` changes the forger's home before the export, ``reseal`` the bundle's files behind
    it. ``reason`` is the refusal; empty where the report names what is missing instead."""

    reason: str
    tamper: Callable[[], object] = lambda: None
    study: str = "rope-1"
    reseal: Callable[[Files], object] = lambda files: None
    trains: bool = False


FORGERIES: dict[str, Forgery] = {
    # the level
    "a level above 5%": Forgery("edited-verdict", reseal=claim(alpha=0.1)),
    "a level below zero": Forgery("edited-verdict", reseal=claim(alpha=-0.05)),
    "the level of a first look": Forgery(
        "edited-verdict", study="rope-2", reseal=claim(alpha=0.05)
    ),
    "a range that spends more": Forgery("edited-verdict", widen_range(0.04), "gqa-1"),
    "looks of a range at other limits": Forgery(
        "edited-verdict", widen_range(0.01879, (1.0, 1.0, 1.0)), "gqa-1"
    ),
    # the claim
    "another verdict": Forgery("edited-verdict", reseal=claim(verdict="too small")),
    "another mean": Forgery("edited-verdict", reseal=claim(mean=-0.5)),
    "other ends": Forgery("edited-verdict", reseal=claim(ends=[-0.2, -0.1])),
    "three ends": Forgery("edited-verdict", reseal=claim(ends=[-0.2, -0.1, 0.0])),
    "more pairs": Forgery("edited-verdict", reseal=claim(n=5)),
    # files that are not those of the plan
    "another source": Forgery("other-source", reseal=another_source),
    "another text": Forgery("other-data", reseal=another_text),
    # runs that are not there
    "a run that was removed": Forgery("", remove_run),
    "a failed run": Forgery(
        "", lambda: last_lines("modified-seed2", 6, {"type": "exit", "state": "failed"})
    ),
    "a run without an end": Forgery("", lambda: last_lines("modified-seed2", 6)),
    "pairs of a range cut off before it was over": Forgery("", cut_range, "rmsnorm-1"),
    "a run taken out behind the claim": Forgery("dropped-seed", reseal=lambda f: f.pop(EVENTS)),
    "a run that the plan does not have": Forgery("dropped-seed", reseal=a_run_more),
    # the runs' numbers
    "a null evaluation": Forgery("damaged", lambda: all_modified(without_a_number)),
    "another end than it was evaluated": Forgery("edited-loss", lambda: all_modified(lower_exit)),
    "an end without a number": Forgery("damaged", lambda: edit("modified-seed1", with_end(None))),
    "an end that is a text": Forgery("damaged", lambda: edit("modified-seed1", with_end("1.0"))),
    "a run that goes on behind its end": Forgery("damaged", go_on_behind_the_end),
    "threads that the plan does not have": Forgery(
        "other-budget", lambda: all_modified(lower_at_seven_threads)
    ),
    "one seed's run as another's": Forgery(
        "damaged",
        lambda: shutil.copy(events_file("modified-seed0"), events_file("modified-seed1")),
    ),
    "a run that is said to have diverged": Forgery(
        "edited-loss",
        lambda: last_lines("modified-seed2", -2, {"type": "exit", "state": "diverged", "iter": 20}),
        trains=True,
    ),
    "lower numbers": Forgery("edited-loss", lambda: all_modified(lower), trains=True),
    "the arms' runs swapped": Forgery("edited-loss", swap_arms, trains=True),
}


@pytest.mark.parametrize("way", FORGERIES)
def test_no_forgery_passes(way: str) -> None:
    forgery = FORGERIES[way]
    forgery.tamper()
    with Store() as store:
        store.db.execute("DELETE FROM studies")  # the forger's index follows the forged files
    file = archived(forgery.study)
    files = opened(file)
    forgery.reseal(files)
    sealed(file, files)
    cells = ("--all",) if forgery.trains else ("--cells", "0")
    report = verify(file, *cells, code=20 if forgery.reason else 21)
    if forgery.reason:
        assert reasons(report) == {forgery.reason}
    else:
        assert report["missing"]
        assert "planned, and not there" in report["unchecked"][0]


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        (EVENTS, b'"val_loss": 1.', b'"val_loss": 0.', "edited-loss"),
        ("source/modified/rope.py", b"class", b"class ", "other-source"),
        ("study.json", b'"max_iters": 20', b'"max_iters": 200', "damaged"),
        ("runs/modified-seed1/run.log", b"", b"more", "damaged"),
    ],
)
def test_a_file_that_is_not_what_its_hash_says_is_refused(
    name: str, old: bytes, new: bytes, reason: str
) -> None:
    file = archived()
    files = opened(file)
    assert old in files[name]
    files[name] = files[name].replace(old, new, 1)
    sealed(file, files, hashes=False)
    assert reasons(verify(file, "--cells", "0", code=20)) == {reason}
    del files[name]
    sealed(file, files, hashes=False)
    if name == "study.json":
        assert "study.json is missing" in q1lab("verify", str(file), code=1).stderr
    else:
        wanted = {"edited-loss": "dropped-seed"}.get(reason, reason)
        assert reasons(verify(file, "--cells", "0", code=20)) == {wanted}


HOSTILE = [
    *("[]", "7", '"x"', '{"verdict": "helps"}', '{"n": 1e400}'),
    '{"verdict": "helps", "headline": "paired", "n": 9007199254740999, "alpha": NaN}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_claim_that_makes_no_sense_is_refused(text: str) -> None:
    file = archived()
    files = opened(file)
    record = json.loads(files[bundle.LIST_NAME])
    files[bundle.LIST_NAME] = json.dumps({**record, "claim": "?"}).replace('"?"', text).encode()
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    done = q1lab("verify", str(file), "--cells", "0", "--json", code=None)
    if text.startswith("[["):
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    else:
        assert reasons(json.loads(done.stdout)) == {"edited-verdict"}
