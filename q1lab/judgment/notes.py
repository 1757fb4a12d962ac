"""Notes: what the reader of a verdict must know as well, each in one place.

A note is one class: its fields, its kind and its weight, and its sentences. The terminal, the app,
the page, JSON and the documents choose notes and lay them out; none of them words anything. Here is
what a note is, and the notes that follow from the numbers; run_notes.py has those about the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from q1lab.ground.text_formats import plural
from q1lab.judgment import intervals
from q1lab.judgment.difference_text import number_writer, seed_list
from q1lab.judgment.intervals import Analysis, Reason, Verdict
from q1lab.judgment.label_text import arm_names, brief_names
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.judge import Values
    from q1lab.judgment.records import Judgment


@dataclass(frozen=True)
class Note:
    """A fact that the reader of a verdict must know as well."""

    kind: ClassVar[str] = ""
    """Its name in JSON."""
    weight: ClassVar[int] = 0
    """The short form has room for one note: the heaviest. 0: it stands in the full form alone."""
    may_explain: ClassVar[bool] = False
    """True if the difference may have another reason than the modification."""

    kinds: ClassVar[dict[str, type[Note]]] = {}
    """Every kind of note that was defined, by its name."""

    def __init_subclass__(cls) -> None:
        cls.kinds[cls.kind] = cls

    def long(self, j: Judgment) -> str:
        """The note in a sentence or two, for every reader."""
        raise NotImplementedError

    def advice(self, j: Judgment) -> str:
        """Advice to the learner; empty for none."""
        return ""

    def short(self, j: Judgment) -> str:
        """The note in one line."""
        return self.long(j)

    def sentence(self, j: Judgment, *, published: bool = False) -> str:
        """The long form; unless ``published``, with the advice."""
        return " ".join(filter(None, (self.long(j), "" if published else self.advice(j))))

    def to_dict(self) -> dict[str, Any]:
        """The kind and the fields, in JSON's types."""
        from q1lab.ground import json_records

        facts = {each.name: json_records.to_json(getattr(self, each.name)) for each in fields(self)}
        return {"kind": self.kind, **{key: fact for key, fact in facts.items() if fact is not None}}


def from_dict(record: Mapping[str, Any]) -> Note:
    """The note that ``to_dict`` wrote. ValueError if it is damaged, or of a kind that is not
    here."""
    from q1lab.ground import json_records

    kind = Note.kinds.get(record["kind"])
    if kind is None:
        raise ValueError(f"no note is called {record['kind']!r}")
    return json_records.from_json(kind, record)


def heaviest(notes: tuple[Note, ...]) -> Note | None:
    """The note that the short form tells."""
    return max((note for note in notes if note.weight), key=lambda note: note.weight, default=None)


# ── the notes that numbers give


@dataclass(frozen=True)
class Unpaired(Note):
    """Seeds that ran in one arm only."""

    kind = "unpaired"
    weight = 20
    seeds: tuple[int, ...]

    def long(self, j: Judgment) -> str:
        return f"{self._which()} ran in one arm only and can't be paired."

    def short(self, j: Judgment) -> str:
        is_paired = j.analysis.headline == "paired"
        end = "and do not count" if is_paired else "so nothing is paired"
        return f"{self._which()} ran in one arm only, {end}."

    def _which(self) -> str:
        alone = seed_list(self.seeds)
        return f"{alone[0].upper()}{alone[1:]}"


@dataclass(frozen=True)
class EqualPairs(Note):
    """Most pairs ended equal, to the last bit, and not all."""

    kind = "equal pairs"
    weight = 120
    equal: int
    pairs: int

    def long(self, j: Judgment) -> str:
        return f"{self._share('finished pair')} ended equal, to the last bit."

    def advice(self, j: Judgment) -> str:
        return "Check that the change reaches every run."

    def short(self, j: Judgment) -> str:
        return f"{self._share('pair')} ended equal to the last bit: check the change."

    def _share(self, thing: str) -> str:
        return f"{self.equal} of {plural(self.pairs, thing)}"


@dataclass(frozen=True)
class Outlier(Note):
    """A pair's difference, or a run's value, that lies far from all others."""

    kind = "outlier"
    weight = 110
    arm: str
    """Empty for a pair."""
    seed: int
    value: float
    without: str
    """The verdict that the others alone would have."""

    def long(self, j: Judgment) -> str:
        if not self._decides(j):
            return self.short(j)
        others = f"The other {'runs' if self.arm else 'pairs'} would say {self.without.upper()}"
        return f"{self.short(j)} {others}, but leaving one out would be choosing the data."

    def advice(self, j: Judgment) -> str:
        return "Look at its curves: if something broke there, the change is not the cause."

    def short(self, j: Judgment) -> str:
        which = f"The pair of seed {self.seed} ({number_writer(j.analysis)(self.value)})"
        if self.arm:
            from q1lab.judgment.table_text import run_value

            name = dict(zip(ARMS, brief_names(arm_names(j)), strict=True))[self.arm]
            label = j.subject.plan.run_label(self.seed).capitalize()
            which = f"{label} of {name} ({run_value(j, self.value)})"
        if self._decides(j):
            return f"{which} is an outlier, and it alone decides."
        return f"{which} is an outlier and widens the interval."

    def _decides(self, j: Judgment) -> bool:
        return self.without not in (j.analysis.verdict, "no verdict")


@dataclass(frozen=True)
class OtherInterval(Note):
    """The interval that was not declared would claim a difference."""

    kind = "other interval"
    weight = 30
    verdict: str

    def long(self, j: Judgment) -> str:
        methods = "paired", "Welch"
        headline, other = methods if j.analysis.headline == "paired" else reversed(methods)
        return (
            f"The {other} interval alone would say {self.verdict.upper()}. The {headline} interval "
            "was declared before the runs; picking the better-looking one afterwards makes false "
            "verdicts more frequent."
        )

    def short(self, j: Judgment) -> str:
        return f"The other interval would say {self.verdict.upper()}; it was not declared."


@dataclass(frozen=True)
class BelowDelta(Note):
    """A claim of a difference that is smaller than what matters."""

    kind = "below delta"
    weight = 10

    def long(self, j: Judgment) -> str:
        return (
            f"Even the far end of the interval is smaller than {j.analysis.delta:g}"
            f"{j.metric.suffix} (δ), declared before the runs as the smallest difference that "
            "matters."
        )

    def short(self, j: Judgment) -> str:
        return "The difference is smaller than what you said, before the runs, would matter."


@dataclass(frozen=True)
class OtherRuns(Note):
    """Runs from elsewhere: nobody here knows which others there were."""

    kind = "other runs"

    def long(self, j: Judgment) -> str:
        return OTHER_RUNS


OTHER_RUNS = "Which other runs there were is not known here."


def notes_on_numbers(
    analysis: Analysis, baseline: Values, modified: Values, sign: float, alone: Sequence[int]
) -> Iterator[Note]:
    """The notes on an analysis of two arms. ``sign`` is −1 where higher is better; ``alone`` are
    the seeds that ran in one arm only."""
    if alone:
        yield Unpaired(tuple(alone))
    if analysis.verdict != "no verdict":
        yield from _notes_on_intervals(analysis, sign)
        yield from _outliers(analysis, baseline, modified, sign)
    equal, pairs = list(analysis.pairs.values()).count(0.0), len(analysis.pairs)
    if 2 * equal > pairs and analysis.reason is not Reason.EQUAL:
        yield EqualPairs(equal, pairs)


def _notes_on_intervals(analysis: Analysis, sign: float) -> Iterator[Note]:
    ends, delta, verdict = analysis.ends, analysis.delta, analysis.verdict
    assert ends is not None
    other = analysis.welch if analysis.headline == "paired" else analysis.paired
    if verdict in intervals.UNDECIDED and other is not None:
        claim = intervals.decide(other.times(sign), delta)
        if claim in ("helps", "hurts"):
            yield OtherInterval(claim)
    if verdict in ("helps", "hurts") and delta is not None and ends.inside(delta):
        yield BelowDelta()


def _outliers(
    analysis: Analysis, baseline: Values, modified: Values, sign: float
) -> Iterator[Outlier]:
    base, mod = intervals.finite_values(baseline), intervals.finite_values(modified)
    scale = max(map(abs, [*base.values(), *mod.values()]))
    samples: dict[str, Mapping[int, float]] = {"baseline": base, "modified": mod}
    if analysis.headline == "paired":
        samples = {"": analysis.pairs}
    for arm, values in samples.items():
        if (seed := intervals.find_outlier(values, scale)) is not None:
            others = [
                {at: value for at, value in losses.items() if at != seed or arm == untouched}
                for losses, untouched in ((base, "modified"), (mod, "baseline"))
            ]
            ends = intervals.headline_interval(
                others[0], others[1], analysis.headline, analysis.alpha
            )
            without: Verdict = "no verdict"
            if ends is not None:
                without = intervals.decide(ends.times(sign), analysis.delta)
            yield Outlier(arm, seed, values[seed], without)


def correlation_of(baseline: Values, modified: Values) -> tuple[float, float, float] | None:
    """The correlation of the arms' values of one seed with its 95% interval; None where it can't be
    computed."""
    pairs = [
        (base, mod)
        for seed, base in baseline.items()
        if base is not None and (mod := modified.get(seed)) is not None
    ]
    return intervals.pair_correlation(pairs) if baseline != modified else None
