"""An asking of a question: the looks that one study came to, and the α that they spend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from q1lab.record import declarations
from q1lab.record.declarations import Declaration, FirstChain
from q1lab.record.recorded_studies import RecordedStudy, pair_differences
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.study.design import Design
from q1lab.study.studies import Study


@dataclass(frozen=True)
class Asking:
    """One study of a question: (pairs, α) of each look it came to, and the chance that it claims
    something when nothing has changed."""

    study: str
    looks: tuple[tuple[int, float], ...]
    design: Design | None = None
    alternatives: tuple[float, ...] = ()
    """The chance of a claim in each set of seeds that could have been asked instead
    (picked_seeds.py)."""

    @property
    def total(self) -> float:
        """All looks of a planned range count, however early it stopped: with other luck it would
        have gone on."""
        looks = possible_looks(self.design) or self.looks
        chance = interim_analyses.chance_of_any_claim(looks)
        return interim_analyses.chance_over_studies([chance, *self.alternatives])


def brought_askings(chain: FirstChain) -> Iterator[tuple[Declaration, Asking]]:
    """The askings in the journal that came with a study from another home, with their
    declarations."""
    earlier: list[Declaration] = []
    for line in chain.earlier:
        pairs = chain.looks_of(line)
        share = float(line["series"][1]) / ALPHA if line["series"] else 1.0
        is_first = all(declarations.are_together(line, other) for other in earlier)
        alphas = [ALPHA if is_first and not number else ALPHA_LATER for number in range(len(pairs))]
        looks = tuple((many, share * alpha) for many, alpha in zip(pairs, alphas, strict=True))
        if looks:
            earlier.append(line)
        yield line, Asking(str(line["study"]), looks)


def looks_taken(recorded: RecordedStudy, *, later: bool) -> tuple[tuple[int, float], ...]:
    """(pairs, α) of each look that a study has come to.

    A batch that has begun counts as a look, even if the study doesn't go on to its end. It has
    begun once a result of the modified arm could be seen.
    """
    study = recorded.study
    begun = [
        any(("modified", seed) in recorded.seen_since for seed in batch)
        for batch in study.design.batches
    ]
    if study.design.level is not None:
        if not any(begun):
            return ()
        differences = pair_differences(study, recorded.ends)
        delta = study.smallest_that_matters
        over = study.design.over_after(differences, delta) or len(differences)
        if study.design.stopped_for_futility(differences, delta):
            over = study.design.pairs[1]  # it may still be overruled: all its looks are spent
        return study.design.looks_until(over)
    sizes = []
    pairs = 0
    for batch, has_begun in zip(study.design.batches, begun, strict=True):
        if not has_begun:
            break
        pairs += len(batch)
        sizes.append(pairs)
    # Fewer than three pairs give no verdict. Two pairs count as a look at three, to which they can
    # be extended; a single pair counts as no look.
    sizes = [size for size in sizes if size >= MIN_FOR_VERDICT] or [
        MIN_FOR_VERDICT for size in sizes[-1:] if size > 1
    ]
    return tuple(
        (size, look_alpha(study, later=later or number > 0)) for number, size in enumerate(sizes)
    )


def possible_looks(design: Design | None) -> tuple[tuple[int, float], ...]:
    """Every look that a design with a level of its own may come to; empty for other designs."""
    return () if design is None else design.looks_until(design.pairs[1])


def declared_together(first: Study, second: Study) -> bool:
    """True if two studies are of one series: then neither is a later look of the other."""
    return series_id(first) == series_id(second) != ""


def series_id(study: Study) -> str:
    """The id of a study's series; empty without one."""
    series = study.origin.series
    return "" if series is None else series.id


def look_alpha(study: Study, *, later: bool = False) -> float:
    """The α that a look outside a planned range spends, in a series its share. All looks of a range
    spend it together."""
    series = study.origin.series
    share = 1.0 if series is None else series.alpha / ALPHA
    return share * (ALPHA_LATER if later else ALPHA)
