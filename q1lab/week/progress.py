"""Where the learner is in the week: ticks, answers and minutes, kept in the database and keyed by
ids.

The pure part (Progress, Count, first_open …) knows no database; ``read`` and the functions that
write take a Store. Content may change under kept progress: ids that a week no longer has are kept
and counted nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from q1lab.errors import Problem
from q1lab.index import learned
from q1lab.index.store import Store
from q1lab.week.model import Part, Session, Step, Week

MAX_ANSWER = 200_000
"""Characters that one answer may have."""


@dataclass(frozen=True)
class Record:
    """What the learner did with one step."""

    done: bool = False
    answer: str | None = None
    done_at: str | None = None


@dataclass(frozen=True)
class Count:
    """Progress of some parts: required steps done of all, seconds spent of minutes planned."""

    done: int
    total: int
    seconds: float
    minutes: int

    @property
    def finished(self) -> bool:
        """All required steps are done (never so without any step)."""
        return 0 < self.total == self.done


@dataclass(frozen=True)
class Progress:
    """All of it, at one moment."""

    records: Mapping[str, Record] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time that counted, by part id."""
    chosen: str | None = None
    """The variant that the learner chose for the week."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> frozenset[str]:
        return frozenset(step_id for step_id, record in self.records.items() if record.done)

    def of(self, step_id: str) -> Record:
        return self.records.get(step_id, Record())

    def count(self, parts: Iterable[Part]) -> Count:
        """Counts over some parts (all of a session's, or one)."""
        parts = tuple(parts)
        required = [step for part in parts for step in part.steps if not step.optional]
        return Count(
            sum(self.of(step.id).done for step in required), len(required),
            sum(self.seconds.get(part.id, 0.0) for part in parts), sum(part.minutes for part in parts),
        )  # fmt: skip


def first_open(
    week: Week, progress: Progress, session: Session | None = None
) -> tuple[Part, Step | None]:
    """Where to go on: the first required step that isn't done, in ``session`` if given, else in the
    week.

    When all is done it is the last part, without a step. Problem when the week has no part.
    """
    parts = list(session.parts if session else week.parts())
    if not parts:
        where = f"session {session.id.upper()}" if session else f"the week in {week.root}"
        raise Problem(
            f"{where} has no part; `q1lab content check {week.root}` says what is missing"
        )
    for part in parts:
        for step in part.steps:
            if not step.optional and not progress.of(step.id).done:
                return part, step
    return parts[-1], None


# ── the database
# ─────────────────────────────────────────────────────────────────────────────────────────


def read(store: Store, week: str) -> Progress:
    """Everything the learner did in the week with this label."""
    records = {
        row["step_id"]: Record(bool(row["done"]), row["answer"], row["done_at"])
        for row in learned.steps(store, week)
    }
    seconds = learned.part_seconds(store, week)
    row = learned.modification(store, week)
    names = ("welcomed", "clock")
    settings = {name: store.setting(f"{name}:{week}") for name in names}
    return Progress(
        MappingProxyType(records), MappingProxyType(seconds), row["variant"] if row else None,
        MappingProxyType({name: value for name, value in settings.items() if value is not None}),
    )  # fmt: skip


def tick(store: Store, week: str, step_id: str, done: bool) -> None:
    """Tick a step, or take the tick away. An answer stays either way."""
    learned.tick(store, week, step_id, done)


def answer(store: Store, week: str, step_id: str, text: str) -> None:
    """Keep an answer, byte for byte. A step with an answer is done; an empty one takes both
    away."""
    if len(text) > MAX_ANSWER:
        raise Problem(
            f"the answer has {len(text):,} characters, {MAX_ANSWER:,} at most; put it into a file"
        )
    text = text.encode(errors="replace").decode()  # lone surrogates can't be stored
    learned.answer(store, week, step_id, text if text.strip() else None)


def choose(store: Store, week: str, variant: str, step_id: str | None = None) -> None:
    """Note the variant that the learner chose; ``step_id`` is ticked with it."""
    learned.choose(store, week, variant)
    if step_id:
        answer(store, week, step_id, variant)


def save_clock(
    store: Store, week: str, credited: Mapping[str, float], state: Mapping[str, Any]
) -> None:
    """Credit what the timer counted (seconds by part) and keep its state, in one transaction."""
    learned.save_clock(store, week, credited, state)


def keep(store: Store, week: str, name: str, value: Any) -> None:
    """Keep one of ``Progress.settings`` for this week (JSON)."""
    store.set_setting(f"{name}:{week}", value)
