"""An engine on other machines: hands a study's cells over, appends their events, and writes their
status.

The process that does this is the same detached runner as for local training. It may be killed, and
the machine may sleep: the engine's work continues, and the next runner takes up the same job.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.ground.files import open_regular, utc_now
from q1lab.ground.text_formats import plural
from q1lab.runner import early_stopping, engine, first_number
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
"""Seconds between two polls: while there is news, and after long silence or out of reach."""

STOPPED = "stopped; the same command goes on"

WRITTEN_BY_Q1LAB = b'"by": "q1lab"'
"""Marks an exit event that q1lab wrote instead of the trainer."""

MOST_TRIES = 3
"""The number of times that a cell is handed over in one launch if it dies without an exit event."""


class Remote(Engine):
    """An engine on other machines. Its methods raise OutOfReach and Refused."""

    @abstractmethod
    def submit(self, study: Study, job: Job) -> Job:
        """Hand the job over, once however often this is called; returns it with its id."""

    @abstractmethod
    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        """The job's status, and its event lines after ``cursor``."""

    @abstractmethod
    def stop(self, job: Job) -> None:
        """Ask the job to stop; each run keeps a checkpoint where it can."""

    def crew(self, study: Study, launch: int, lock: int, tick: Callable[[], None]) -> RemoteCrew:
        assert study.trainer.engine is not None
        return RemoteCrew(study, launch, self, study.trainer.engine.text, tick=tick)


@dataclass(frozen=True)
class EventsRead:
    bytes: int = 0
    lines: int = 0
    starts: int = 0
    last: str = ""
    """The last line that a trainer wrote."""


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
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.study, self.engine, self.sleep = study, engine, sleep
        self.tick = tick
        """Called after every poll: the runner restarts the W&B relay, and sends alerts."""
        self.files = study.files
        self.early_stopping = early_stopping.EarlyStopping(study)
        self._events: dict[str, EventsRead] = {}
        self.cursor = 0
        """Number of the job's last line that this process has read."""
        self.lines_to_skip: dict[str, int] = {}
        """Number of lines of each run to skip, since an earlier process has appended them: each
        process reads the job from its first line."""
        self.last_answer = ""
        """The time of the engine's last answer to this process (UTC)."""
        self.pause = PAUSE
        status = engine_state.read_status(self.files.root)
        if status is not None and not status.over:
            self.status = status
            self.stopping = status.told and self.early_stopping.over_before_plan() is None
            self.lines_to_skip = {
                cell: self._read_events(cell).lines - before
                for cell, before in status.before.items()
            }
            log(f"taking up {status.job.name} again")
        else:
            cells = self._next_batch(launch)
            job = self._job(launch, 1, cells)
            self.status = EngineStatus(
                engine=name,
                launch=launch,
                job=job,
                jobs=(job.name,),
                cells={cell: CellStatus(WAITING) for cell in cells},
                before=self._lines_before(job),
            )
            engine_state.write_status(self.files.root, self.status)

    def run(self) -> None:
        """Poll until nothing of the study is left at the engine.

        Once a job is handed over, only the engine's report that it is over ends this; any other
        error is taken for a hiccup, and the engine is polled again.
        """
        if not self.status.submitted:
            self._end_when_known()
        if not self.status.job.cells:
            self._update_status(over=True)
            return
        while not self.status.over:
            try:
                self._poll_once()
            except (OutOfReach, Refused) as error:
                if isinstance(error, Refused) and not self.status.submitted:
                    log(f"refused: {error}")
                    self._end_all("failed", str(error))
                    self._update_status(over=True, why=str(error))
                else:
                    log(f"out of touch: {error}")
                    seen = self.last_answer or self.status.seen
                    self._update_status(reached=False, why=str(error), seen=seen)
                    self.pause = min(LONGEST_PAUSE, 2 * self.pause)
            if not self.status.over:
                self.tick()
                self.sleep(self.pause)

    def _poll_once(self) -> None:
        status = self.status
        if not status.submitted:
            if self.stopping:
                self._end_all("stopped", "stopped before it was handed over")
                self._update_status(over=True)
                return
            job = self.engine.submit(self.study, status.job)
            self._update_status(job=job, submitted=True, seen=utc_now(), reached=True, why="")
            log(f"handed over {plural(len(job.cells), 'run')} as {job.id or job.name}")
        news = self.engine.poll(self.study, self.status.job, self.cursor)
        self.last_answer = utc_now()
        new = self._append_new(news.lines)
        changed = news.cells != {c: self.status.cells.get(c) for c in news.cells}
        self.pause = PAUSE if new or changed else min(5.0, 1.3 * self.pause)
        if news.over:
            self._finish_job(news)
            return
        if changed or not self.status.reached or new:
            cells = {**self.status.cells, **news.cells}
            self._update_status(
                job=self._with_restarts(cells), cells=cells, seen=utc_now(), reached=True, why=""
            )
        if not self.status.told and (end := self.early_stopping.over_before_plan()) is not None:
            log(f"known after {end} of {len(self.study.seeds)} pairs")
            self._tell_to_stop()
        elif self.stopping or self.status.told:
            self._tell_to_stop()

    def _append_new(self, lines: Sequence[tuple[int, str, str]]) -> bool:
        """Append the lines that are new to the runs' events. True if there was one."""
        before = self.cursor
        new_lines: dict[Path, list[str]] = {}
        for n, cell, line in lines:
            if n <= self.cursor:
                continue
            self.cursor = n
            if line and self.lines_to_skip.get(cell, 0) > 0:
                self.lines_to_skip[cell] -= 1
            elif line:  # else a message about the cell, which has a number too
                new_lines.setdefault(self.files.run(cell).events, []).append(line)
        append_lines(new_lines)
        return self.cursor > before

    def _with_restarts(self, cells: Mapping[str, CellStatus]) -> Job:
        """The job, with the starts so far of cells that the engine has put back into its queue."""
        job = self.status.job
        starts = {
            cell: self._read_events(cell).starts
            for cell, cell_status in cells.items()
            if cell_status.state == WAITING
        }
        return replace(job, attempts={**job.attempts, **starts})

    def _tell_to_stop(self) -> None:
        """Ask the engine to stop the job. Called after every poll until the job is over: a signal
        to a task that its node has not started yet is lost."""
        self.engine.stop(self.status.job)
        if not self.status.told:
            self._update_status(told=True)

    def _finish_job(self, news: JobNews) -> None:
        """The job is over: hand lost cells over again, or the next ones of a planned range, or
        close the launch."""
        cells = {**self.status.cells, **news.cells}
        if self.status.told:  # q1lab cancelled these cells itself
            cancelled = [
                cell for cell, cell_status in cells.items() if cell_status.state == CANCELLED
            ]
            cells.update(dict.fromkeys(cancelled, CellStatus(CANCELLED, STOPPED)))
        self._end_when_known()
        planned = {run.name for run in self.study.runs}
        planned_cells = [cell for cell in self.status.job.cells if cell in planned]
        cells_without_end = [cell for cell in planned_cells if not self._has_exit(cell)]
        cells_to_repeat = [
            cell
            for cell in cells_without_end
            if cells[cell].state != CANCELLED and not cells[cell].next_time_limit
        ]
        if cells_to_repeat and self.status.tries < MOST_TRIES and not self.stopping:
            log(f"{plural(len(cells_to_repeat), 'run')} ended without a result; handing over again")
            self._hand_over_next(tuple(cells_to_repeat), cells, self.status.tries + 1)
            return
        for cell in cells_without_end:
            cell_status = cells[cell]
            was_stopped = cell_status.state == CANCELLED or cell_status.next_time_limit
            if was_stopped or (self.stopping and cell_status.state != LOST):
                self._write_exit(cell, "stopped", cell_status.words or STOPPED)
            else:
                self._write_exit(
                    cell, "crashed", cell_status.words or news.why or "it ended without a result"
                )
        more = self._next_batch(self.status.launch)
        if more and not self.stopping and all(self._has_ended(cell) for cell in planned_cells):
            log(f"not known after {len(self.early_stopping.pairs)} pairs")
            self._hand_over_next(more, cells, 1)
            return
        self._update_status(cells=cells, seen=utc_now(), reached=True, over=True, why=news.why)

    def _hand_over_next(
        self, next_cells: tuple[str, ...], cells: dict[str, CellStatus], tries: int
    ) -> None:
        """Hand these cells over next, for the ``tries``-th time."""
        job = self._job(self.status.launch, len(self.status.jobs) + 1, next_cells)
        waiting = {
            cell: CellStatus(
                WAITING, f"attempt {job.attempts[cell] + 1}" if job.attempts[cell] else ""
            )
            for cell in next_cells
        }
        self.cursor, self.lines_to_skip = 0, {}
        self._update_status(
            job=job,
            before=self._lines_before(job),
            jobs=(*self.status.jobs, job.name),
            tries=tries,
            cells={**cells, **waiting},
            submitted=False,
            seen=utc_now(),
            reached=True,
        )

    def _end_when_known(self) -> None:
        """Cut the plan of a range that is decided to the pairs that decided it. Called when nothing
        of the study is at the engine."""
        end = None if self.stopping else self.early_stopping.over_before_plan()
        if end is not None:
            self.study = early_stopping.cut_study(self.study, end)
            self.early_stopping = early_stopping.EarlyStopping(self.study)

    def _next_batch(self, launch: int) -> tuple[str, ...]:
        """The cells to hand over now: all that the launch has to train, or those before a planned
        range's next look; one alone until the study has shown its first number."""
        seeds = set(self.early_stopping.trainable_seeds())
        batch = tuple(
            run.name
            for run in self.study.runs
            if run.seed in seeds and self._is_wanted(run.name, launch)
        )
        return batch[:1] if first_number.FirstNumber(self.study).is_awaited else batch

    def _update_status(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        engine_state.write_status(self.files.root, self.status)

    def _job(self, launch: int, number: int, cells: tuple[str, ...]) -> Job:
        # a name of its own: another q1lab on the same cluster may have a study of the same name
        name = f"q1lab-{self.study.id}-{launch}-{number}-{secrets.token_hex(4)}"
        events_by_cell = {cell: self._read_events(cell) for cell in cells}
        last = {cell: events.last for cell, events in events_by_cell.items() if events.last}
        return Job(
            name, cells, {cell: events.starts for cell, events in events_by_cell.items()}, last
        )

    def _lines_before(self, job: Job) -> dict[str, int]:
        return {cell: self._read_events(cell).lines for cell in job.cells}

    def _read_events(self, cell: str) -> EventsRead:
        """The events of a run so far; each line is read once."""
        events = self._events.get(cell, EventsRead())
        place, lines, starts, last = events.bytes, events.lines, events.starts, events.last
        with contextlib.suppress(OSError), open_regular(self.files.run(cell).events) as file:
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                place += len(line)
                lines += 1
                starts += b'"type": "start"' in line or b'"type":"start"' in line
                last = last if WRITTEN_BY_Q1LAB in line else line[:-1].decode(errors="replace")
        events_read = self._events[cell] = EventsRead(place, lines, starts, last)
        return events_read

    def _has_exit(self, cell: str) -> bool:
        return closing_exit(self.files.run(cell).events) is not None

    def _is_wanted(self, cell: str, launch: int) -> bool:
        """True if this launch trains the run: it has not ended, and was not taken out."""
        taken_out = (self.files.claims / f"{launch}-{cell}").exists()
        return not taken_out and not self._has_ended(cell)

    def _has_ended(self, cell: str) -> bool:
        return has_ended(self.files.run(cell).events)

    def _write_exit(self, cell: str, state: str, message: str) -> None:
        """Write an exit event for a run that started and wrote none of its own."""
        if not self._read_events(cell).starts:
            return
        event = {"type": "exit", "state": state, "message": message, "time": utc_now()}
        append_lines({self.files.run(cell).events: [json.dumps({**event, "by": "q1lab"})]})

    def _end_all(self, state: str, message: str) -> None:
        for cell, cell_status in self.status.cells.items():
            if cell_status.state in (WAITING, RUNNING) and not self._has_exit(cell):
                self._write_exit(cell, state, message)
