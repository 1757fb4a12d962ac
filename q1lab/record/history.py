"""The history of a study's question, read from the public lines of the journal alone.

A *question* is both arms, the text and the settings that train. A *look* is a declared study of two
or more pairs of which a number could be seen; a planned range is one look, whatever it stops at,
and the members of a series are one look together. Looks at one question halve its level, 5, 2.5,
1.25 … %, so together they stay below 10% for ever.

The owner, who plans or compares, and a stranger, who verifies, call the same function with the same
lines. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from q1lab.judgment.intervals import ALPHA, MIN_FOR_VERDICT
from q1lab.judgment.records import NOTHING_ON_RECORD, LevelSum
from q1lab.study.studies import ARMS, run_name

Line = Mapping[str, Any]
"""A public line of the journal: what it shows of a study that was put on record
(``declarations.declaration_of``), and the news since the line before: ``seen`` and ``diverged``
(declared name → names of runs), and ``claims`` and ``running`` (declared names of studies that
claim a difference, or train)."""

Seeds = frozenset[int]


@dataclass(frozen=True)
class Look:
    """A look at a question: one study at one number of pairs."""

    study: str
    """The study's declared name."""
    pairs: int
    level: float
    """The chance of a false claim that it may have; all planned looks of a range share it."""
    replicates: bool = False
    """True if it looks at fresh pairs after a claim: it can't make a first false claim."""


@dataclass(frozen=True)
class History:
    """The history of a study's question, seen from that study."""

    level: float = ALPHA
    """The chance of a false claim that the study's newest declared look may have."""
    looks: tuple[Look, ...] = ()
    """All looks at the question, oldest first."""
    is_replication: bool = False
    picked: bool = False
    """True if its seeds were named when results at some of them could be seen, and others are left
    out."""
    left_out: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(declared name, seeds) of the results that picked seeds leave out."""
    used: Seeds = frozenset()
    """The seeds at which a run of another study of the question could be seen, or diverged."""
    of_arm: LevelSum = NOTHING_ON_RECORD
    """The questions about this modified arm."""
    of_home: LevelSum = NOTHING_ON_RECORD

    @property
    def total(self) -> float:
        """The sum of the levels of all looks at the question that could make a first claim."""
        return sum(look.level for look in self.looks if not look.replicates)


def read_history(lines: Sequence[Line], study: str, news: Line | None = None) -> History:
    """Read the history of the study with this declared name. ``news`` is what could be seen since
    the last line. KeyError if no line declares the study."""
    record = Record(lines)
    if news is not None:
        record.take_in(news)
    return record.history_of(study)


@dataclass
class _Study:
    """A study on record, as far as its lines tell."""

    line: Line
    """Its newest line."""
    levels: dict[int, float] = field(default_factory=dict)
    """The number of looks before a look → its level."""
    is_replication: bool = False
    left_out: dict[str, Seeds] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.line["study"])

    @property
    def seeds(self) -> Seeds:
        return frozenset(itertools.chain.from_iterable(self.line["seeds"]))


class Record:
    """The lines that were read so far."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.studies: dict[str, _Study] = {}
        self.by_question: dict[str, list[_Study]] = {}
        self.seen: dict[str, set[str]] = {}
        self.diverged: dict[str, set[str]] = {}
        self.running: set[str] = set()
        self.claims: set[str] = set()
        self.known: dict[str, dict[str, set[int]]] = {}
        """Fingerprint of an arm → declared name → seeds at which its result could be seen."""
        self.whole_sets: set[Seeds] = set()
        """Sets of seeds that were declared, and were not themselves picked."""
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        self.take_in(line)
        name = str(line["study"])
        study = self.studies.get(name)
        is_new, earlier = study is None, frozenset() if study is None else study.seeds
        if study is None:
            study = self.studies[name] = _Study(line)
            self.by_question.setdefault(str(line["question"]), []).append(study)
        else:
            study.line = line
        self._note_runs(study)
        sizes = [] if is_new else self._sizes(study)
        looks_before = sum(size >= MIN_FOR_VERDICT for size in sizes)
        if looks_before == 0:
            study.is_replication = self._replicates(study)
        if (level := line.get("level")) is None:
            level = self._next_level(study, looks_before)
        study.levels[looks_before] = float(level)
        if study.seeds - earlier:
            study.left_out |= self._picks(study, earlier)
            if not study.left_out:
                self.whole_sets |= {study.seeds, study.seeds - earlier}

    def take_in(self, news: Line) -> None:
        """Take in the news that a line has of the studies before it."""
        for name, runs in news.get("seen", {}).items():
            self.seen.setdefault(name, set()).update(runs)
            if (study := self.studies.get(name)) is not None:
                self._note_runs(study)
        for name, runs in news.get("diverged", {}).items():
            self.diverged.setdefault(name, set()).update(runs)
        self.running = set(news.get("running", ()))
        self.claims.update(news.get("claims", ()))

    def level_of(self, name: str) -> float:
        """The level of a study's newest declared look."""
        levels = self.studies[name].levels
        return levels[max(levels)]

    def is_picked(self, name: str) -> bool:
        return bool(self.studies[name].left_out)

    def history_of(self, name: str) -> History:
        study = self.studies[name]
        same_question = self.by_question[str(study.line["question"])]
        looks = tuple(itertools.chain.from_iterable(map(self._looks, same_question)))
        modified = study.line["arms"]["modified"]
        return History(
            self.level_of(name),
            looks if study.line["asks"] else (),
            study.is_replication,
            self.is_picked(name),
            tuple((other, tuple(sorted(seeds))) for other, seeds in study.left_out.items()),
            self._used_by_others(study),
            self._sum(other for other in self._all() if other.line["arms"]["modified"] == modified),
            self._sum(self._all()),
        )

    # ── looks and levels

    def _all(self) -> Iterator[_Study]:
        return iter(self.studies.values())

    def _sizes(self, study: _Study) -> list[int]:
        """The numbers of pairs at which a study could be looked at: after each batch of which a run
        of the modified arm could be seen. None for one with a run that diverged, since it can't
        claim anything, and for a single pair."""
        line = study.line
        if not line["asks"] or study.name in self.diverged:
            return []
        runs = self.seen.get(study.name, set())
        begun = list(
            itertools.takewhile(
                lambda batch: any(run_name("modified", seed) in runs for seed in batch),
                line["seeds"],
            )
        )
        if line["judged"]["range"]:
            return [len(study.seeds)] if begun else []
        sizes = [size for size in itertools.accumulate(map(len, begun)) if size > 1]
        # two pairs give no verdict: they are one look together with the pairs that are added
        return [size for size in sizes if size >= MIN_FOR_VERDICT] or sizes[-1:]

    def _looks(self, study: _Study) -> Iterator[Look]:
        for number, size in enumerate(self._sizes(study)):
            level = self._level(study, number)
            yield Look(study.name, size, level, study.is_replication and number == 0)

    def _level(self, study: _Study, number: int) -> float:
        """The level of a study's look, the newest one before it if it has no line of its own."""
        return study.levels[max(at for at in study.levels if at <= number)]

    def _next_level(self, study: _Study, own_looks: int) -> float:
        """The level of the look that a study's newest line declares: half of that before it."""
        looks = own_looks
        if not study.is_replication:
            looks += sum(
                max(len(self._sizes(other)), other.name in self.running)
                for other in self.by_question[str(study.line["question"])]
                if other is not study
                and other.line["asks"]
                and not other.is_replication
                and not _are_together(other.line, study.line)
            )
        series = study.line["series"]
        return (float(series[1]) if series else ALPHA) / 2.0**looks

    def _replicates(self, study: _Study) -> bool:
        """True if a study looks at its question with fresh pairs, after a claim."""
        return bool(study.line["asks"]) and any(
            other.name in self.claims and other is not study and not self._used(other) & study.seeds
            for other in self.by_question[str(study.line["question"])]
        )

    def _sum(self, studies: Iterable[_Study]) -> LevelSum:
        total, questions = 0.0, set()
        for study in studies:
            levels = [look.level for look in self._looks(study) if not look.replicates]
            if levels:
                questions.add(study.line["question"])
            total += sum(levels)
        return LevelSum(len(questions), total)

    # ── seeds that were picked

    def _note_runs(self, study: _Study) -> None:
        """Note at which seeds a result of each arm could be seen. Both arms of a baseline against
        itself are one; its other arm draws other seeds."""
        arms, runs = study.line["arms"], self.seen.get(study.name, set())
        for arm in ARMS if arms["baseline"] != arms["modified"] else ARMS[:1]:
            seeds = {seed for seed in study.seeds if run_name(arm, seed) in runs}
            if seeds:
                self.known.setdefault(arms[arm], {}).setdefault(study.name, set()).update(seeds)

    def _picks(self, study: _Study, earlier: Seeds) -> dict[str, Seeds]:
        """The seeds with results that a study's newest seeds leave out, by study, if these seeds
        were picked; else empty. The first ones in order, drawn ones, and a whole set that was
        declared before are not picked."""
        line, seeds = study.line, study.seeds
        new = seeds if len(earlier) == 1 else seeds - earlier
        if not line["named"] or _are_first(seeds) or self._are_first_unused(study, earlier):
            return {}
        if {new, seeds} & self.whole_sets and len(new) >= MIN_FOR_VERDICT:
            return {}
        known_by_study: dict[str, set[int]] = {}
        for arm in ARMS:
            for name, its_seeds in self.known.get(line["arms"][arm], {}).items():
                known_by_study.setdefault(name, set()).update(its_seeds)
        known_seeds = set().union(*known_by_study.values())
        if not (new & known_seeds and known_seeds - seeds):
            return {}
        left_out: dict[str, Seeds] = {}
        for name, its_seeds in known_by_study.items():
            missing = its_seeds - seeds - set().union(*left_out.values())
            if missing:
                left_out[name] = frozenset(missing)
        return left_out

    def _are_first_unused(self, study: _Study, earlier: Seeds) -> bool:
        """True if a study's new seeds are the first ones that no study of its question has."""
        used = earlier | self._used_by_others(study)
        unused = (seed for seed in itertools.count() if seed not in used)
        new = study.seeds - earlier
        return new == set(itertools.islice(unused, len(new)))

    def _used_by_others(self, study: _Study) -> Seeds:
        others = self.by_question[str(study.line["question"])]
        return frozenset().union(*(self._used(other) for other in others if other is not study))

    def _used(self, study: _Study) -> Seeds:
        """The seeds at which a run of a study could be seen, or diverged: a range may have ended
        before its last ones."""
        runs = self.seen.get(study.name, set()) | self.diverged.get(study.name, set())
        return frozenset(
            seed for seed in study.seeds if any(run_name(arm, seed) in runs for arm in ARMS)
        )


def _are_first(seeds: Seeds) -> bool:
    return seeds == frozenset(range(len(seeds)))


def _are_together(line: Line, other: Line) -> bool:
    """True if two studies were declared as members of one series, and share its level."""
    return (
        bool(line["series"]) and bool(other["series"]) and line["series"][0] == other["series"][0]
    )
