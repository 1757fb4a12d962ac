"""The first number of a study whose program may show none: until it is there, one run trains alone,
and if that run ends without one, the launch is over.

Trainers leave a claim where an arm's first run failed without a number (labs/loop.py), so that
nobody begins another run of the launch.
"""

from __future__ import annotations

from dataclasses import dataclass

from q1lab.ground.files import printable
from q1lab.ground.text_formats import first_names
from q1lab.judgment.run_states import RunState
from q1lab.study import events
from q1lab.study.studies import ARMS, Run, Study
from q1lab.study.trainer import COMMAND

NO_NUMBER, MOST_WAYS = "no-number", 8


class FirstNumber:
    """Waits for the first number of a study."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._is_awaited = study.trainer.kind == COMMAND
        self._read_up_to: dict[str, int] = {}

    @property
    def is_awaited(self) -> bool:
        """True while no run of the study has shown a number, and nothing else shows that one
        will."""
        if self._is_awaited:
            self._is_awaited = not any(map(self.shows_number, self.study.runs))
        return self._is_awaited

    def shows_number(self, run: Run) -> bool:
        """True if what is new in a run's events holds a number."""
        file, before = self.study.files.run(run.name).events, -1
        place = self._read_up_to.get(run.name, 0)
        while place != before:
            before = place
            news, place, _ = events.read_new_events(file, place)
            if any(event["type"] == "eval" for event in news):
                return True
        self._read_up_to[run.name] = place
        return False


@dataclass(frozen=True)
class SilentRun:
    """A run of a command that failed before any run of its arm showed a number; ``ways`` are the
    numbers of its output: a line, and the option that reads one (empty where none does)."""

    run: Run
    message: str
    ways: tuple[tuple[str, str], ...] = ()


def silent_run(study: Study) -> SilentRun | None:
    """The run with which a command's study ended, since it showed no number."""
    if study.trainer.kind != COMMAND:
        return None
    numbers = FirstNumber(study)
    for arm in ARMS:
        runs = [run for run in study.runs if run.arm == arm]
        ends = {run: events.closing_exit(study.files.run(run.name).events) for run in runs}
        failed = {run: end for run, end in ends.items() if end and end["state"] == RunState.FAILED}
        if failed and not any(map(numbers.shows_number, runs)):
            run, end = next(iter(failed.items()))
            return SilentRun(run, str(end.get("message", "")), _ways(end))
    return None


def goes_on_with(study: Study, command: str = "the whole command as you correct it") -> str:
    """A sentence for a study that such a run ended: how it goes on."""
    if missing := study.trainer.loop.missing_files():
        return f"Put {first_names(missing)} back; then it goes on with q1lab run {study.id}."
    return f"It goes on with {command}."


def _ways(end: events.Event) -> tuple[tuple[str, str], ...]:
    """The ways in a run's last event, which is data."""
    listed = end.get("ways")
    return tuple(
        (printable(str(way[0])), printable(str(way[1])))
        for way in (listed if isinstance(listed, list) else ())[:MOST_WAYS]
        if isinstance(way, list) and len(way) == 2
    )


def shows_number(study: Study) -> bool:
    """True if a run of the study has shown a number."""
    numbers = FirstNumber(study)
    return any(map(numbers.shows_number, study.runs))


def is_over(study: Study, launch: int) -> bool:
    """True if an arm's first run showed no number in this launch: nothing more of it trains."""
    return (study.files.claims / f"{launch}-{NO_NUMBER}").exists()
