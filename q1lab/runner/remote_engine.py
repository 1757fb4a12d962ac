"""An engine on other machines: hand a study's cells over, take their events in, say how it stands.

The process that does this is the same detached runner as for local training. It may be killed, and
the machine may sleep: what the engine works on goes on, and the next runner takes up the same job.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.ground.files import open_regular, utc_now
from q1lab.runner import early_stopping, engine
from q1lab.runner.engine import Engine, JobNews, OutOfReach, Refused, log
from q1lab.runner.engine_events import append_lines
from q1lab.study import engine_state
from q1lab.study.engine_state import (
    CANCELLED,
    LOST,
    RUNNING,
    WAITING,
    CellStatus,
    EngineStatus,
    Job,
)
from q1lab.study.events import closing_exit, has_ended
from q1lab.study.studies import Study

PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two looks: while there is news, and after long silence or out of reach."""

STOPPED = "stopped; the same command goes on"

WRITTEN_BY_Q1LAB = b'"by": "q1lab"'
"""What marks a last word that no trainer wrote."""

MOST_TRIES = 3
"""How often a cell is handed over in one launch when it died without a last word."""


class Remote(Engine):
    """An engine on other machines. Its methods raise OutOfReach and Refused."""

    @abstractmethod
    def submit(self, study: Study, job: Job) -> Job:
        """Hand the job over, once however often this is called; returns it with its id."""

    @abstractmethod
    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        """How the job stands, and the lines after ``cursor``."""

    @abstractmethod
    def stop(self, job: Job) -> None:
        """Ask the job to stop; each run keeps a checkpoint where it can."""

    def crew(self, study: Study, launch: int, lock: int, beside: Callable[[], None]) -> RemoteCrew:
        assert study.trainer.engine is not None
        return RemoteCrew(study, launch, self, study.trainer.engine.text, beside=beside)


@dataclass(frozen=True)
class EventsRead:
    bytes: int = 0
    lines: int = 0
    starts: int = 0
    last: str = ""
    """The last line that is a trainer's own."""


class RemoteCrew(engine.Crew):
    """One launch of one study on one engine."""

    def __init__(
        self,
        study: Study,
        launch: int,
        engine: Remote,
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self.study, self.engine, self.sleep = study, engine, sleep
        self.beside = beside
        """Called after every look: the runner keeps the W&B relay going, and tells people."""
        self.files = study.files
        self.looks = early_stopping.EarlyStopping(study)
        self._events: dict[str, EventsRead] = {}
        self.cursor = 0
        """Number of the job's last line that this process had."""
        self.there: dict[str, int] = {}
        """Lines of each run to come that an earlier process has appended: a process begins with the
        job's first line."""
        self.answered = ""
        """When the engine last answered this process (UTC)."""
        self.pause = PAUSE
        known = engine_state.read_status(self.files.root)
        if known is not None and not known.over:
            self.word = known
            self.stopping = known.told and self.looks.over_before_plan() is None
            self.there = {
                cell: self._read(cell).lines - before for cell, before in known.before.items()
            }
            log(f"taking up {known.job.name} again")
        else:
            cells = self._batch(launch)
            job = self._job(launch, 1, cells)
            self.word = EngineStatus(
                engine=name,
                launch=launch,
                job=job,
                jobs=(job.name,),
                cells={cell: CellStatus(WAITING) for cell in cells},
                before=self._before(job),
            )
            engine_state.write_status(self.files.root, self.word)

    def run(self) -> None:
        """Until nothing of the study is left at the engine.

        Of a job that was handed over only the engine's own word that it is over ends this: whatever
        else goes wrong with asking is a hiccup, and it is asked again.
        """
        if not self.word.submitted:
            self._end_when_known()
        if not self.word.job.cells:
            self._put(over=True)
            return
        while not self.word.over:
            try:
                self._turn()
            except (OutOfReach, Refused) as error:
                if isinstance(error, Refused) and not self.word.submitted:
                    log(f"refused: {error}")
                    self._end_all("failed", str(error))
                    self._put(over=True, why=str(error))
                else:
                    log(f"out of touch: {error}")
                    seen = self.answered or self.word.seen
                    self._put(reached=False, why=str(error), seen=seen)
                    self.pause = min(LONGEST_PAUSE, 2 * self.pause)
            if not self.word.over:
                self.beside()
                self.sleep(self.pause)

    def _turn(self) -> None:
        word = self.word
        if not word.submitted:
            if self.stopping:
                self._end_all("stopped", "stopped before it was handed over")
                self._put(over=True)
                return
            job = self.engine.submit(self.study, word.job)
            self._put(job=job, submitted=True, seen=utc_now(), reached=True, why="")
            log(f"handed over {len(job.cells)} runs as {job.id or job.name}")
        if self.stopping and not self.word.told:
            self._tell_to_stop()
        news = self.engine.poll(self.study, self.word.job, self.cursor)
        self.answered = utc_now()
        new = self._take_in(news.lines)
        changed = news.cells != {c: self.word.cells.get(c) for c in news.cells}
        self.pause = PAUSE if new or changed else min(5.0, 1.3 * self.pause)
        if not self.word.told and (end := self.looks.over_before_plan()) is not None:
            log(f"known after {end} of {len(self.study.seeds)} pairs")
            self._tell_to_stop()
        if news.over:
            self._ended(news)
        elif changed or not self.word.reached or new:
            self._put(cells={**self.word.cells, **news.cells}, seen=utc_now(), reached=True, why="")

    def _take_in(self, lines: Sequence[tuple[int, str, str]]) -> bool:
        """Append the lines that are new to the runs' events; whether there was one."""
        before = self.cursor
        fresh: dict[Path, list[str]] = {}
        for n, cell, line in lines:
            if n <= self.cursor:
                continue
            self.cursor = n
            if line and self.there.get(cell, 0) > 0:
                self.there[cell] -= 1
            elif line:  # else a word about the cell, which has a number too
                fresh.setdefault(self.files.run(cell).events, []).append(line)
        append_lines(fresh)
        return self.cursor > before

    def _tell_to_stop(self) -> None:
        self.engine.stop(self.word.job)
        self._put(told=True)

    def _ended(self, news: JobNews) -> None:
        """The job is over: hand lost cells over again, or the next ones of a planned range, or
        close the launch."""
        cells = {**self.word.cells, **news.cells}
        if self.word.told:  # what was cancelled then was not cancelled by somebody else
            mine = [cell for cell, seen in cells.items() if seen.state == CANCELLED]
            cells.update(dict.fromkeys(mine, CellStatus(CANCELLED, STOPPED)))
        self._end_when_known()
        planned = {run.name for run in self.study.runs}
        mine = [cell for cell in self.word.job.cells if cell in planned]
        open_ = [cell for cell in mine if not self._last_word(cell)]
        again = [cell for cell in open_ if cells[cell].state != CANCELLED]
        if again and self.word.tries < MOST_TRIES and not self.stopping:
            log(f"{len(again)} runs ended without a result; handing them over again")
            self._go_on(tuple(again), cells, self.word.tries + 1)
            return
        for cell in open_:
            seen = cells[cell]
            if seen.state == CANCELLED or (self.stopping and seen.state != LOST):
                self._say(cell, "stopped", seen.words or STOPPED)
            else:
                self._say(cell, "crashed", seen.words or news.why or "it ended without a result")
        more = self._batch(self.word.launch)
        if more and not self.stopping and all(self._has_ended(cell) for cell in mine):
            log(f"not known after {len(self.looks.pairs)} pairs")
            self._go_on(more, cells, 1)
            return
        self._put(cells=cells, seen=utc_now(), reached=True, over=True, why=news.why)

    def _go_on(self, more: tuple[str, ...], cells: dict[str, CellStatus], tries: int) -> None:
        """Hand these cells over next, for the ``tries``-th time."""
        job = self._job(self.word.launch, len(self.word.jobs) + 1, more)
        waiting = {
            cell: CellStatus(
                WAITING, f"attempt {job.attempts[cell] + 1}" if job.attempts[cell] else ""
            )
            for cell in more
        }
        self.cursor, self.there = 0, {}
        self._put(
            job=job,
            before=self._before(job),
            jobs=(*self.word.jobs, job.name),
            tries=tries,
            cells={**cells, **waiting},
            submitted=False,
            seen=utc_now(),
            reached=True,
        )

    def _end_when_known(self) -> None:
        """A planned range that is known has no more runs than those that made it known; called
        when nothing of the study is at the engine."""
        end = None if self.stopping else self.looks.over_before_plan()
        if end is not None:
            self.study = early_stopping.cut_study(self.study, end)
            self.looks = early_stopping.EarlyStopping(self.study)

    def _batch(self, launch: int) -> tuple[str, ...]:
        """The cells to hand over now: all that the launch has to train, of a planned range those
        before the next look."""
        seeds = set(self.looks.batch())
        return tuple(
            run.name
            for run in self.study.runs
            if run.seed in seeds and self._is_wanted(run.name, launch)
        )

    def _put(self, **changes: object) -> None:
        self.word = replace(self.word, **changes)  # type: ignore[arg-type]
        engine_state.write_status(self.files.root, self.word)

    def _job(self, launch: int, number: int, cells: tuple[str, ...]) -> Job:
        # a name of its own: another q1lab on the same cluster may have a study of the same name
        name = f"q1lab-{self.study.id}-{launch}-{number}-{secrets.token_hex(4)}"
        read = {cell: self._read(cell) for cell in cells}
        last = {cell: found.last for cell, found in read.items() if found.last}
        return Job(name, cells, {cell: found.starts for cell, found in read.items()}, last)

    def _before(self, job: Job) -> dict[str, int]:
        return {cell: self._read(cell).lines for cell in job.cells}

    def _read(self, cell: str) -> EventsRead:
        """What the run's events hold by now; each line is read once."""
        known = self._events.get(cell, EventsRead())
        place, lines, starts, last = known.bytes, known.lines, known.starts, known.last
        with contextlib.suppress(OSError), open_regular(self.files.run(cell).events) as file:
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                place += len(line)
                lines += 1
                starts += b'"type": "start"' in line or b'"type":"start"' in line
                last = last if WRITTEN_BY_Q1LAB in line else line[:-1].decode(errors="replace")
        found = self._events[cell] = EventsRead(place, lines, starts, last)
        return found

    def _last_word(self, cell: str) -> bool:
        return closing_exit(self.files.run(cell).events) is not None

    def _is_wanted(self, cell: str, launch: int) -> bool:
        """Whether this launch trains the run: it has not ended, and was not taken out."""
        taken_out = (self.files.claims / f"{launch}-{cell}").exists()
        return not taken_out and not self._has_ended(cell)

    def _has_ended(self, cell: str) -> bool:
        return has_ended(self.files.run(cell).events)

    def _say(self, cell: str, state: str, message: str) -> None:
        """Write a last word for a run that started and had none of its own."""
        if not self._read(cell).starts:
            return
        event = {"type": "exit", "state": state, "message": message, "time": utc_now()}
        append_lines({self.files.run(cell).events: [json.dumps({**event, "by": "q1lab"})]})

    def _end_all(self, state: str, message: str) -> None:
        for cell, seen in self.word.cells.items():
            if seen.state in (WAITING, RUNNING) and not self._last_word(cell):
                self._say(cell, state, message)
