"""The parts of a week of study: Week, Session, Part, Step and Action, frozen. `content.py` makes
them of a folder's files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from q1lab.ground.errors import Problem
from q1lab.week.step_commands import ACTION_FIELDS, command_named, commands_for
from q1lab.week.step_kinds import STEP_KINDS, StepKind
from q1lab.week.text_numbers import ModelShape

if TYPE_CHECKING:  # what a run asks for is worked out when one is started
    from q1lab.study.command_line import Request

IMPORTANCE = ("high", "normal", "optional")
"""What a step may be worth: the week stands on it, it makes the result better, or it is extra."""
WORDS_READ, LINES_READ, WORDS_WRITTEN = 150, 10, 10
"""What somebody reads in a minute, of prose and of code or formulas; and the words of their own
that they write in one: typed at 20 words a minute, with as much time to think."""
_FENCED = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n(.*?)^ *\1 *$", re.DOTALL | re.MULTILINE)
_NO_WORDS = re.compile(r"<!--.*?-->|\]\([^)]*\)", re.DOTALL)
ARXIV = re.compile(r"\barXiv[: ]\s?(\d{4}\.\d{4,5})\b")
"""A paper at arXiv, as a text names it; the group is its number."""


class ContentProblem(Problem):
    """The content can't be used."""


@dataclass(frozen=True, slots=True)
class Text:
    """Markdown to show as it stands."""

    markdown: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Markdown that stays folded under its title until the learner opens it: answers, mostly.

    With `needs` a viewer opens it once that step is done. With `frames` it is a figure: pictures in
    plain text, shown one at a time; the first line of each says what it shows.
    """

    title: str
    markdown: str
    needs: str | None = None
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the learner can press. `options` holds the fields of the fence."""

    kind: str
    title: str
    options: Mapping[str, Any]

    def argv(self) -> tuple[str, ...]:
        """The same act as a command, program name first; () for `open`, which has none."""
        options = self.options
        if self.kind == "run":
            from q1lab.study import command_line

            return command_line.argv(self.request())
        if self.kind == "command":
            return tuple(shlex.split(str(options["command"])))
        if self.kind == "open":
            return ()
        first, *others = ACTION_FIELDS[self.kind]
        more = [(f"--{key}", str(options[key])) for key in others if key in options]
        return ("q1lab", self.kind, str(options[first]), *chain.from_iterable(more))

    @property
    def command(self) -> str:
        """The command that pressing it carries out, if it may tick a step; else empty. A typed
        command with a kind of action of its own ticks none: `q1lab run`, typed, is an experiment of
        its own."""
        if self.kind != "command":
            return self.kind
        name = command_named(self.argv()[1:])
        return "" if name in ACTION_FIELDS else name

    def request(self) -> Request:
        """The request for a study that a run action makes."""
        from q1lab.study.command_line import request_from_options

        options = dict(self.options)
        if "seeds" in options:
            options["seeds"] = str(options["seeds"])
        return request_from_options(**options)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. Progress is keyed by `id`, so prose and order may change.

    `kind` is one of STEP_KINDS. `done_when` is the condition that it is done by
    (step_commands.CONDITIONS);
    "": its tick, or its answer. `importance` is one of IMPORTANCE; `minutes` are those of its work,
    without its text's. `into` names the document region that wants the answer, if any,
    and `heading` what it stands below there, if not the title. `needs` is the id of a step that
    comes before. `answer` belongs to a step of kind recall. `repeat_of` is the id of the recall
    step that this one brings back. `of_guide`: it is
    one variant's.
    """

    id: str
    kind: str
    title: str
    detail: str
    actions: tuple[Action, ...] = ()
    into: str | None = None
    heading: str | None = None
    importance: str = "normal"
    minutes: int = 0
    needs: str | None = None
    answer: Fold | None = None
    repeat_of: str | None = None
    done_when: str = ""
    of_guide: bool = False

    @property
    def optional(self) -> bool:
        """True if it is left out of what is next, of counts and of minutes."""
        return self.importance == "optional"

    @property
    def behavior(self) -> StepKind:
        return STEP_KINDS[self.kind]

    @property
    def ticking_action(self) -> Action | None:
        """Its first action that brings `done_when` about."""
        names = commands_for(self.done_when)
        return next((action for action in self.actions if action.command in names), None)


Block = Text | Fold | Step | Action


@dataclass(frozen=True)
class Part:
    """A stretch of a session: `minutes` is planned for it. `blocks` keeps text, steps and actions
    in order."""

    id: str
    title: str
    minutes: int
    blocks: tuple[Block, ...]
    session: str

    @property
    def name(self) -> str:
        """Its name for readers: A1 or B2a; an id that is a word stays as it is."""
        return self.id.capitalize() if len(self.id) <= 3 else self.id

    @property
    def steps(self) -> tuple[Step, ...]:
        """The checklist, in order."""
        return tuple(block for block in self.blocks if isinstance(block, Step))

    @cached_property
    def allowance(self) -> int:
        """The minutes to allow: what its text and its required steps take, or the plan if that is
        more; 0 without a plan."""
        return max(self.minutes, self.minutes_of(IMPORTANCE[:2])) if self.minutes else 0

    def minutes_of(self, levels: Sequence[str]) -> int:
        """The minutes of the steps of these levels, with all text, folds included, but what stands
        below other steps."""
        texts, work, counts = [], 0, True
        for block in self.blocks:
            if isinstance(block, Step):
                counts = block.importance in levels
                work += block.minutes if counts else 0
                texts += [block.title, block.detail] if counts else []
                texts += [block.answer.markdown] if counts and block.answer else []
            elif isinstance(block, Text | Fold):
                counts = counts or isinstance(block, Text)
                texts += [block.markdown] if counts else []
        return work + round(sum(map(_reading_minutes, texts)))

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions in order, those of the steps included."""
        actions: list[Action] = []
        for block in self.blocks:
            if isinstance(block, Step):
                actions.extend(block.actions)
            elif isinstance(block, Action):
                actions.append(block)
        return tuple(actions)


def _reading_minutes(markdown: str) -> float:
    lines = sum(match[2].count("\n") for match in _FENCED.finditer(markdown))
    prose = _NO_WORDS.sub(" ", _FENCED.sub("", markdown))
    words = sum(bool(re.search(r"\w", word)) for word in re.split(r"[\s|]+", prose))
    return words / WORDS_READ + lines / LINES_READ


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting. `minutes` is what week.toml plans; `when` says in words when it is."""

    id: str
    title: str
    minutes: int
    intro: str
    parts: tuple[Part, ...]
    goal: str = ""
    when: str = ""
    output: tuple[str, ...] = ()

    @property
    def hours(self) -> int:
        """The hours to allow, whole ones."""
        return round(sum(part.allowance for part in self.parts) / 60)

    @property
    def when_and_hours(self) -> str:
        """``Saturday morning, about 5 h``; empty where the week says neither."""
        hours = f"about {self.hours} h" if self.hours else ""
        return ", ".join(filter(None, (self.when, hours)))


class Citation(NamedTuple):
    """A paper as a text cites it; ``address`` is empty where none is known."""

    title: str
    address: str


@dataclass(frozen=True, slots=True)
class WeekVariant:
    """A choice that the week offers; `name` is the model file's name in labs/models."""

    name: str
    title: str
    used_in: str = ""
    difficulty: str = ""
    paper: str = ""
    """The paper, and after it what to read of it."""
    shape: ModelShape | None = None
    """The size of its model, for the numbers in the text; None: the text has no numbers of it."""
    changes: str = ""
    """Its change to the model, in a few words of Markdown."""
    question: str = ""
    """The question to ask of it before any run, in Markdown."""
    lines: str = ""
    """The lines of code that it changes, as `q1lab diff` counts them: +8 −8."""

    @property
    def short(self) -> str:
        """The title up to its colon."""
        return self.title.partition(":")[0]

    def is_paper(self, title: str, link: str | None) -> bool:
        """True if a paper is the variant's, by its number at arXiv or by its name in the week, up
        to a colon. True for any paper if the week gives neither."""
        name, *after = ARXIV.split(self.paper)
        known_by = name.partition(":")[0].strip(" ,"), *after[:1]
        title_and_link = f"{title} {link or ''}".lower()
        return not any(known_by) or any(
            identifier.lower() in title_and_link for identifier in known_by if identifier
        )

    @property
    def source(self) -> Citation:
        """The paper as one cites it, up to its arXiv number, and its address there; without a
        number the whole, and no address."""
        title, *number = ARXIV.split(self.paper)
        if not number:
            return Citation(title, "")
        return Citation(f"{title}arXiv {number[0]}", f"https://arxiv.org/abs/{number[0]}")


@dataclass(frozen=True, slots=True)
class Kpi:
    """A number that the retrospective compares with its target. `counter` names what q1lab counts
    for it (`q1lab.week.lists.kpis.COUNTERS`); "": it is set by hand."""

    id: str
    title: str
    target: int
    counter: str = ""


GLOSSARY = "glossary.md"


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the glossary, and what it means, in Markdown."""

    name: str
    markdown: str

    @property
    def address(self) -> str:
        """The target of a link to it: Markdown's anchor of its heading."""
        return f"{GLOSSARY}#{self.name.lower().replace(' ', '-')}"

    def first_in(self, text: str) -> int | None:
        """The position of its first use in a text, singular or plural; None if it has none."""
        word = re.escape(self.name)
        match = re.search(rf"(?<!\w){word}(?:e?s)?(?!\w)", text, re.IGNORECASE)
        return match.start() if match else None


@dataclass(frozen=True)
class Week:
    """A week of study, as a learner meets it who chose `variant`."""

    label: str
    title: str
    goal: str
    next: str
    overview: tuple[Block, ...]
    """The page before the sessions. Its steps belong to no part, and are counted nowhere."""
    sessions: tuple[Session, ...]
    variants: tuple[WeekVariant, ...]
    kpis: tuple[Kpi, ...]
    default: str | None
    root: Path
    files: tuple[str, ...] = ()
    """The files that `q1lab take` can copy into the learner's repo."""
    terms: tuple[Term, ...] = ()
    """The words of `glossary.md`, in its order."""
    variant: str | None = None
    course: bool = True
    """True for learners who follow the course that the week belongs to, False for those who came by
    themselves."""

    @property
    def chosen(self) -> WeekVariant | None:
        """The variant that it is for, where the week offers that one."""
        return next((variant for variant in self.variants if variant.name == self.variant), None)

    @cached_property
    def _where(self) -> Mapping[str, Part]:
        return {
            each: part
            for part in self.parts()
            for each in (part.id, *(step.id for step in part.steps))
        }

    def terms_in(self, text: str) -> list[Term]:
        """The words of the glossary that a text uses, in the order of their first use."""
        places = ((term.first_in(text), term) for term in self.terms)
        used = [(at, term) for at, term in places if at is not None]
        return [term for _, term in sorted(used, key=lambda use: use[0])]

    @property
    def hours(self) -> int:
        """The hours to allow: the one number that every page gives."""
        return sum(session.hours for session in self.sessions)

    @property
    def name(self) -> str:
        """Its name where others read it: the label means something in its course only."""
        return self.label if self.course else "One week"

    def session(self, session_id: str) -> Session:
        """The session with this id, in upper or lower case. Raises Problem naming the ids there
        are."""
        for session in self.sessions:
            if session.id == session_id.lower():
                return session
        ids = ", ".join(s.id.upper() for s in self.sessions)
        raise Problem(f"there is no session {session_id!r} in {self.label}", next=f"it has {ids}")

    def parts(self) -> Iterator[Part]:
        for session in self.sessions:
            yield from session.parts

    def steps(self) -> Iterator[Step]:
        for part in self.parts():
            yield from part.steps

    def find_part(self, part_or_step_id: str) -> Part | None:
        """The part of this id or of a step's, or None: stored progress may name what an edited
        week no longer has."""
        return self._where.get(part_or_step_id)
