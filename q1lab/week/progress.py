"""The learner's progress in the week: ticks, answers and minutes, in the database by ids.

The pure part (Progress, Count, first_open …) knows no database; ``recorded_progress`` and the
functions that write take a Store. Content may change under kept progress: ids that a week no longer
has are kept and counted nowhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.secret_text import refuse_secret
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week.content import week_for
from q1lab.week.syllabus import Part, Session, Step, Text, Week
from q1lab.week.text_numbers import ChosenData, OwnVerdict

MAX_ANSWER = 200_000
"""Characters that one answer may have."""


@dataclass(frozen=True)
class StepState:
    """The learner's tick and answer for one step."""

    done: bool = False
    answer: str | None = None
    done_at: str | None = None
    changed: str = field(default="", compare=False)
    """The time of the last tick, untick or answer."""


@dataclass(frozen=True)
class StepCount:
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

    records: Mapping[str, StepState] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time that was credited, by part id."""
    chosen: str | None = None
    """The variant that the learner chose for the week."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recall_grades(self) -> Mapping[str, str]:
        """The learner's grades of their recall answers by step id: ``right``, ``wrong``, or ``wrong
        bd`` where they missed questions (b) and (d) only."""
        grades = self.settings.get("recall")
        return grades if isinstance(grades, Mapping) else {}

    @property
    def data(self) -> ChosenData | None:
        """The corpus that the learner chose."""
        chosen_data = self.settings.get("data")
        if not isinstance(chosen_data, Mapping):
            return None
        words, vocab, corpus = (chosen_data[key] for key in ("words", "vocab", "corpus"))
        return ChosenData(str(words), int(vocab), str(corpus))

    @property
    def own_verdict(self) -> OwnVerdict | None:
        """What the comparison says that they have read of the modification that they chose."""
        kept = self.settings.get("verdict")
        if not isinstance(kept, Mapping) or kept["variant"] != self.chosen:
            return None
        return OwnVerdict(str(kept["verdict"]), str(kept["sentence"]))

    @property
    def done(self) -> frozenset[str]:
        return frozenset(step_id for step_id, record in self.records.items() if record.done)

    def spent(self, part_id: str) -> float:
        """Seconds that a part has taken."""
        return self.seconds.get(part_id, 0.0)

    def of(self, step_id: str) -> StepState:
        return self.records.get(step_id, StepState())

    def count(self, parts: Iterable[Part]) -> StepCount:
        """Counts over some parts (all of a session's, or one)."""
        parts = tuple(parts)
        required = [step for part in parts for step in part.steps if not step.optional]
        return StepCount(
            sum(self.of(step.id).done for step in required),
            len(required),
            sum(self.spent(part.id) for part in parts),
            sum(part.allowance for part in parts),
        )


def learner_week(week: Week, progress: Progress) -> Week:
    """The week as this learner meets it: the variant and the data that they chose, and at the start
    of each session the recall steps of the one before that they marked wrong.

    A step that comes back is a copy with an id of its own (``a2-rope-s1@b`` in session b), so that
    the first try stays done. Marked wrong again, it comes back in the session after.
    """
    grades = progress.recall_grades.items()
    wrong = {step: grade[5:].strip() for step, grade in grades if grade.startswith("wrong")}
    return _learner_week(week, progress, wrong)


AGAIN = "Answer again, from memory"


QUESTION = re.compile(r"\(([a-h])\)\s.*?(?=\s*(?:§\S+\s*)?\([a-h]\)\s|\Z)", re.DOTALL)
"""One of a card's questions: ``(a) Why …?``, up to the next one."""


def letters_of(step: Step) -> str:
    """The letters of a card's questions, such as a, b, c in one word; "" for a single question."""
    letters = "".join(match[1] for match in QUESTION.finditer(step.detail))
    return letters if letters == "abcdefgh"[: len(letters)] and len(letters) > 1 else ""


def _asked(step: Step, missed: str) -> str:
    """The question of a step that comes back, below its subject; only those that were missed."""
    questions = [match[0] for match in QUESTION.finditer(step.detail) if match[1] in missed]
    detail = "\n\n".join(questions) or step.detail
    return detail if step.repeat_of else f"*{step.title}*\n\n{detail}".rstrip()


def _learner_week(week: Week, progress: Progress, wrong: Mapping[str, str]) -> Week:
    week = week_for(week, progress.chosen, progress.data, progress.own_verdict)
    if not wrong:
        return week
    sessions: list[Session] = []
    for session in week.sessions:
        before = sessions[-1].parts if sessions else ()
        missed = [
            step
            for part in before
            for step in part.steps
            if step.behavior.answer_below and step.id in wrong
        ]
        if missed and session.parts:
            back = [
                replace(
                    step,
                    id=f"{step.repeat_of or step.id}@{session.id}",
                    repeat_of=step.repeat_of or step.id,
                    title=AGAIN,
                    detail=_asked(step, wrong[step.id]),
                    minutes=0,
                    needs=None,
                )
                for step in missed
            ]
            words = Text(
                f"### From last time\n\nYou marked {'these' if len(back) > 1 else 'this'} wrong. "
                "Try again before you go on."
            )
            first = replace(session.parts[0], blocks=(words, *back, *session.parts[0].blocks))
            session = replace(session, parts=(first, *session.parts[1:]))
        sessions.append(session)
    return replace(week, sessions=tuple(sessions))


def first_open(
    week: Week, progress: Progress, session: Session | None = None, training: bool = False
) -> tuple[Part, Step | None]:
    """The next thing to do: the first required step that isn't done, in ``session`` if given, else
    in the week. While a study trains, the step that its end ticks comes last.

    When all is done it is the last part, without a step. Problem when the week has no part.
    """
    parts = list(session.parts if session else week.parts())
    if not parts:
        where = f"session {session.id.upper()}" if session else f"the week in {week.root}"
        raise Problem(f"{where} has no part")
    waits = None
    for part in parts:
        for step in part.steps:
            if not step.optional and not progress.of(step.id).done:
                if not (training and step.done_when == "runs ended"):
                    return part, step
                waits = waits or (part, step)
    return waits or (parts[-1], None)


# ── the database


def recorded_progress(store: Store, week: str) -> Progress:
    """Everything the learner did in the week with this label."""
    records = {
        row["step_id"]: StepState(
            bool(row["done"]), row["answer"], row["done_at"], changed=row["updated"]
        )
        for row in learner_tables.step_rows(store, week)
    }
    seconds = learner_tables.part_seconds(store, week)
    row = learner_tables.modification_row(store, week)
    names = ("welcomed", "recall", "place", "verdict")
    settings = {name: store.setting(f"{name}:{week}") for name in names}
    settings["data"] = store.setting("data")
    return Progress(
        MappingProxyType(records),
        MappingProxyType(seconds),
        row["variant"] if row else None,
        MappingProxyType({name: value for name, value in settings.items() if value is not None}),
    )


def tick_step(store: Store, week: str, step_id: str, done: bool) -> None:
    """Tick a step, or take the tick away. An answer stays either way."""
    store.add("tick", week=week, step=step_id, done=done)


def tick_steps_of_command(store: Store, week: Week, command: str) -> None:
    """Tick the steps whose buttons are this command of q1lab: a choice was made."""
    for step in (*week.overview, *week.steps()):
        if isinstance(step, Step) and any(
            action.argv()[:2] == ("q1lab", command) for action in step.actions
        ):
            tick_step(store, week.label, step.id, True)


def save_answer(store: Store, week: str, step_id: str, text: str) -> None:
    """Keep an answer, byte for byte. A step with an answer is done; an empty one takes both
    away."""
    if len(text) > MAX_ANSWER:
        raise Problem(
            f"the answer has {len(text):,} characters, {MAX_ANSWER:,} at most",
            next="put it into a file",
        )
    refuse_secret(text, "the answer")
    text = text.encode(errors="replace").decode()  # lone surrogates can't be stored
    store.add("answer", week=week, step=step_id, text=text if text.strip() else None)


ANSWERS_ELSEWHERE = ("hook", "outline", "surprises", "plan", "insights", "slipped", "pace")
"""Regions for answers that belong to the week rather than its modification: those of the post and
the retrospective."""


def steps_of_modification(week: Week) -> frozenset[str]:
    """The steps, but those of the guides, whose ticks and answers belong to the modification that
    was chosen: from the choice to the last part in which MODIFICATION.md is written, without the
    answers that go elsewhere."""
    parts = list(week.parts())
    writes = ("q1lab", "modification")
    ends = [n for n, part in enumerate(parts) if any(a.argv()[:2] == writes for a in part.actions)]
    steps = [step for part in parts[: max(ends, default=-1) + 1] for step in part.steps]
    after = itertools.dropwhile(lambda step: not step.behavior.chooses, steps)
    return frozenset(
        step.id
        for step in itertools.islice(after, 1, None)
        if not step.of_guide and step.into not in ANSWERS_ELSEWHERE
    )


def choose_modification(store: Store, week: Week, variant: str) -> None:
    """Note the modification that the learner chose, and tick the step that asks for it. Their work
    on another one is put aside, and their work on this one comes back."""
    with store.act():
        learner_tables.choose_variant(store, week.label, variant, steps_of_modification(week))
        for step in week.steps():
            if step.behavior.chooses:
                save_answer(store, week.label, step.id, variant)


def progress_of_modification(store: Store, week: Week, variant: str) -> Progress:
    """The learner's progress in the week with the ticks and answers of any of its modifications;
    "": the chosen one."""
    done = recorded_progress(store, week.label)
    record_key = learner_tables.record_key(store, week.label, variant or done.chosen or "")
    if record_key == week.label:
        return done
    own_steps = steps_of_modification(week)
    records = {step: record for step, record in done.records.items() if step not in own_steps}
    return replace(
        done, records=MappingProxyType({**records, **recorded_progress(store, record_key).records})
    )


def grade_recall(store: Store, week: str, step_id: str, right: bool, missed: str = "") -> None:
    """Note the learner's grade of their answers to a recall step, with the letters of the questions
    that they missed ("": all). The step is done either way; what is wrong comes back at the start
    of the next session (``learner_week``)."""
    letters = {} if right or not missed else {"missed": missed}
    store.add("recall", week=week, step=step_id, right=right, **letters)


def choose_data(store: Store, corpus: str, words: str, vocab: int) -> None:
    """Note the data that the learner trains on: what to type after --data, the same in words, and
    how many different characters it has."""
    store.add("setting", key="data", value={"corpus": corpus, "words": words, "vocab": vocab})


def save_week_setting(store: Store, week: str, name: str, value: Any) -> None:
    """Keep one of ``Progress.settings`` for this week (JSON)."""
    store.add("setting", key=f"{name}:{week}", value=value)
