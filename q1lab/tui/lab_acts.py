"""What the lab does besides looking: plan, launch, stop, go on, compare, draw. No Textual; may take
seconds.

Comparing and drawing need scipy and matplotlib, which would cost this process half a second and 60
MB: they run in a child, through the same commands that a person would type.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab.errors import FAILED, Problem
from q1lab.index import ingest
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.study.studies import Study

if TYPE_CHECKING:  # the lab opens without them: planning costs 40 ms to import
    from q1lab.planning import Plan, Wish

CHILD_SECONDS = 120.0


@dataclass(frozen=True)
class Draft:
    """A plan that was looked at, and the studies there were then: while those are the same it still
    holds."""

    wish: Wish
    plan: Plan
    known: tuple[str, ...]
    alive: bool


def draft(wish: Wish, database: Path) -> Draft:
    """Check a wish and estimate it. Problem for whatever a person can mend; writes no study."""
    from q1lab import planning
    from q1lab.study import launch

    with Store(database) as store:
        plan = planning.make_plan(wish, store)
    alive = not plan.is_new and launch.is_alive(plan.study.files)
    return Draft(wish, plan, tuple(studies.ids()), alive)


def begin(drawn: Draft, database: Path) -> Study:
    """Make the drafted study real and start it; returns it. Problem when it is running already."""
    from q1lab import planning
    from q1lab.study import launch

    with Store(database) as store, planning.planning_lock():
        plan = drawn.plan
        if not plan.is_new or drawn.known != tuple(studies.ids()):
            plan = planning.make_plan(drawn.wish, store)  # something changed since: look again
        study = planning.save(plan, drawn.wish, store)
        ingest.take_in(store, study)
        if plan.missing:
            launch.start(study)
        return study


def go_on(study_id: str, database: Path) -> list[str]:
    """Train what a study lacks; returns the names of those runs. Problem when there is nothing to
    train."""
    from q1lab import planning
    from q1lab.study import launch

    study = studies.load(study_id)
    with Store(database) as store, planning.planning_lock():
        ingest.take_in(store, study)
        missing = store.missing(study)
        if not missing:
            raise Problem(f"{study_id} lacks no run; there is nothing to go on with")
        launch.start(study)
        return missing


def again(study_id: str, run: str) -> None:
    """Train one run that the study lacks, and no other. Problem when it lacks nothing, or trains
    already."""
    from q1lab import planning
    from q1lab.study import launch

    study = studies.load(study_id)
    with planning.planning_lock():
        launch.start(study, only=[run])


def stop(study_id: str) -> bool:
    """Stop a study so that it can go on; waits until nothing of it lives. False when it was not
    running."""
    from q1lab.study import launch

    return launch.stop(studies.load(study_id))


def compare(study_id: str) -> None:
    """Compute a study's comparison and keep it in the database, where the next snapshot finds
    it."""
    run_q1lab(["compare", study_id, "--json"])


def run_q1lab(arguments: list[str], *, seconds: float = CHILD_SECONDS) -> str:
    """Run a q1lab command in a child; returns its output. Problem with the child's own words when
    it fails."""
    from q1lab.study import children

    command = [*children.python_module("q1lab"), *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=seconds, env=children.environment(), start_new_session=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Problem(
            f"`q1lab {' '.join(arguments)}` took longer than {seconds:.0f} s", FAILED
        ) from None
    except OSError as error:
        raise Problem(f"cannot run `q1lab {' '.join(arguments)}`: {error}", FAILED) from error
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line]
        raise Problem(
            (said[-1] if said else f"exit status {done.returncode}").removeprefix("q1lab: "), FAILED
        )
    return done.stdout
