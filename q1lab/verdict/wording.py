"""What a comparison says, in words and numbers: the one place that words it.

The terminal, the app, the card, the documents, the charts and ``--json`` lay out what is told here
and word nothing themselves, so that they can't contradict each other. Pure: a comparison in, plain
text out, with nothing marked up. What comes from outside (names, notes of a study) is cleaned of
control characters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from q1lab.ground.files import plain
from q1lab.ground.text_formats import (
    DASH,
    MINUS,
    cut_middle,
    duration,
    passes,
    plural,
    rough,
    signed,
    unsigned,
)
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import (
    ALPHA,
    ALPHA_LATER,
    MIN_FOR_VERDICT,
    Headline,
    Interval,
    Kind,
    Note,
    Reason,
)
from q1lab.statistics.prediction_score import Calibration, Score, predicted_difference
from q1lab.study import corpora
from q1lab.study.metric import Metric
from q1lab.study.series import SWEEP, Series
from q1lab.study.studies import ARMS
from q1lab.study.tuned_value import TunedValue
from q1lab.verdict import arm_columns as costs

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison

COVERS_AS_NAMED_FROM = 94.5
"""A "95%" interval that covers at least this much (in %) is said to cover about 95%."""
OUTCOME_WORDS = {"hit": "a hit", "miss": "a miss", "open": "neither a hit nor a miss"}


class Measured(Protocol):
    """What is told of a comparison and of its line in a list alike."""

    @property
    def headline(self) -> Headline: ...
    @property
    def alpha(self) -> float | None: ...
    @property
    def delta(self) -> float | None: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def ends(self) -> Interval | None: ...
    @property
    def pairs(self) -> Mapping[int, float]: ...


# ── numbers


class Numbers:
    """Writes the differences of one comparison, all with the same number of decimals.

    There are so many that the interval's half width keeps two digits, that no end of it that is not
    0 shows as 0, and that each end shows on its own side of ±δ: else the reader would see another
    verdict. Six decimals at most; an end that is closer to 0 is written as a power of ten.
    """

    def __init__(self, interval: Interval | None, delta: float | None = None, size: float = 0.0):
        self.decimals = _decimals(size / 2) if size else 4
        if interval is None:
            return
        self.decimals = _decimals((interval.high - interval.low) / 2)
        limits = (0.0,) if delta is None else (0.0, delta, -delta)
        while self.decimals < 6 and not all(
            _same_side(end, limit, self.decimals)
            for end in (interval.low, interval.high)
            for limit in limits
        ):
            self.decimals += 1

    def __call__(self, value: float | None) -> str:
        """A difference: ``−0.0123``."""
        return signed(value, self.decimals)

    def size(self, value: float) -> str:
        """A difference without its sign; what is not 0 never shows as 0."""
        text = unsigned(value, self.decimals)
        if not value or float(text):
            return text
        small = round(abs(value), 6)  # one digit of it, where six decimals have one
        return f"{small:.{_places(small)}f}" if small else f"{abs(value):.0e}"

    def end(self, value: float) -> str:
        """An interval's end, signed; what is not 0 never shows as 0."""
        text = self.size(value)
        return text if not value else (MINUS if value < 0 else "+") + text

    def ends(self, interval: Interval) -> tuple[str, str]:
        return self.end(interval.low), self.end(interval.high)

    def loss(self, value: float | None) -> str:
        """A loss: never with fewer than four decimals."""
        if value is None:
            return DASH
        return (MINUS if value < 0 else "") + unsigned(value, max(4, self.decimals))


def numbers(c: Measured) -> Numbers:
    """How the differences of this comparison are written, everywhere."""
    size = max(map(abs, c.pairs.values()), default=0.0) if c.mean is None else abs(c.mean)
    return Numbers(c.ends, c.delta, size)


def mean(c: Measured) -> str:
    """Modified − baseline: ``−0.0123``. Beside an interval that excludes 0 it never shows as 0."""
    number = numbers(c)
    return number(c.mean) if c.ends is None or c.mean is None else number.end(c.mean)


def _places(size: float) -> int:
    """Decimals that show one digit of a number below 1."""
    return math.ceil(-math.log10(size))


def _decimals(size: float) -> int:
    return min(max(1 - math.floor(math.log10(size)), 3), 6) if size > 0 else 4


def _same_side(value: float, limit: float, decimals: int) -> bool:
    """Whether two numbers compare as printed as they compare in truth."""
    shown, edge = round(value, decimals), round(limit, decimals)
    return (value > limit) - (value < limit) == (shown > edge) - (shown < edge)


# ── names and labels


def names(c: Comparison) -> tuple[str, str]:
    """The arms' names, baseline first: their variants, a path by its last part, told apart when
    they are the same."""
    base, modified = _name(c.study.baseline, "baseline"), _name(c.study.variant, "modified")
    return (base, modified) if base != modified else (f"{base} A", f"{modified} B")


def plain_name(given: str) -> str:
    """A variant's name for people, a path by its last part."""
    return _name(given, "baseline")


def _name(given: str, default: str) -> str:
    name = " ".join(plain(given).replace("\\", "/").split())
    return name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".py") or default


def percent_level(alpha: float) -> str:
    """What an interval at α covers: ``95%``, ``97.5%``, ``98.94%``."""
    return f"{round(100 * (1 - alpha), 2):g}%"


def level(c: Measured) -> str:
    """What the headline interval covers: ``95%``."""
    return percent_level(ALPHA if c.alpha is None else c.alpha)


def interval_label(c: Measured) -> str:
    """The headline interval by its name: ``95% interval (paired t)``."""
    return f"{level(c)} interval ({method(c.headline)})"


def method(headline: str) -> str:
    return "paired t" if headline == "paired" else "Welch t"


def interval_note(c: Comparison) -> str:
    """What the headline interval is for."""
    return f"covers {level(c.analysis)}{decides(c)}"


def decides(c: Comparison) -> str:
    """That the headline interval decides; empty where there is no verdict."""
    return "" if c.analysis.verdict == "no verdict" else "; it decides"


BOOTSTRAP_LABEL = "95% bootstrap CI"


def pair_label(seed: int) -> str:
    """A pair by itself, by its seed."""
    return f"pair of seed {seed}"


def bootstrap_note(c: Comparison, n: int | None = None) -> str:
    """What the bootstrap CI, which calls itself 95%, really covers; at ``n`` seeds, if given.

    Drawn from each arm by itself it covers the more, the better the pairs go together: at three
    seeds from 80% (not at all) to 98% (correlation .9).
    """
    analysis = c.analysis
    covers = 95.0 if analysis.bootstrap is None else analysis.bootstrap.true_coverage
    if covers >= COVERS_AS_NAMED_FROM:
        return "covers about 95%"
    at = "" if n is None else f" at {plural(n, 'seed')}"
    if analysis.headline == "welch" and analysis.pairs:
        return f"covers {covers:.0f} to 98%{at}"
    return f"covers about {covers:.0f}%{at}, not 95%"


def measured(c: Comparison) -> str:
    """What the arms of a pair share, and what is measured."""
    return c.study.description.measured


FLOOR_LABEL = "baseline against itself"


def floor_why(c: Comparison) -> str:
    """Why the row of the baseline against itself may be wider than all pairs."""
    return (
        "The baseline against itself compares runs of different seeds; the two runs of a pair "
        f"{c.study.description.pair_shares}."
    )


def floor_note(c: Comparison) -> str:
    """Where the row of the baseline against itself is from."""
    if c.floor is None or c.floor.study is None:
        return "estimate from these runs"
    return f"measured: {plain(c.floor.study)}"


DELTA_LABEL = "too small to matter"


def prediction_label(c: Comparison) -> str:
    """The row of the prediction."""
    late = (c.study.prediction or {}).get("after")
    return "your prediction, later" if late else "your prediction"


def seeds(c: Comparison) -> str:
    """What the verdict rests on: ``3 pairs``, or ``3 seeds per arm``."""
    if c.analysis.headline == "paired":
        return plural(c.analysis.n, "pair")
    return f"{plural(c.analysis.n, 'seed')} per arm"


def word(c: Comparison) -> str:
    """The verdict in capitals; a single pair is none."""
    return "ONE PAIR" if is_experiment(c) else c.analysis.verdict.upper()


def is_experiment(c: Comparison) -> bool:
    """Whether a study is of one pair: it draws curves, asks no question, and gets no verdict."""
    return len(c.study.seeds) == 1 and c.analysis.reason is Reason.TOO_FEW


def title(c: Comparison) -> str:
    """One line above a picture: verdict, difference, seeds, data."""
    base, modified = names(c)
    what = f"{modified} against {base}"
    if c.analysis.mean is not None:
        what = f"{modified} {MINUS} {base} = {mean(c.analysis)}{c.metric.suffix}"
    many = f"{plural(c.lost, 'run')} diverged" if c.lost else seeds(c)
    where = (
        many,
        plain(c.study.data.name),
        f"{c.study.trainer.recipe} preset" if c.study.trainer.recipe else "",
    )
    return f"{word(c)}: {what} ({', '.join(part for part in where if part)})"


def line(c: Comparison) -> str:
    """The comparison in one line: ``rope against baseline: cannot tell, −0.012 nats, 95% interval
    −0.030 to +0.006, seeds 0, 1, 2``."""
    analysis = c.analysis
    base, modified = names(c)
    parts = [f"{modified} against {base}: {analysis.verdict}"]
    if analysis.mean is not None:
        parts.append(f"{mean(analysis)}{c.metric.suffix}")
    if analysis.ends is not None:
        parts.append(f"{level(analysis)} interval {between(analysis)}")
    if c.study.seeds:
        parts.append(
            f"{len(c.study.seeds)} seeds" if len(c.study.seeds) > 6 else seed_list(c.study.seeds)
        )
    return ", ".join(parts)


def between(c: Measured, space: str = " ") -> str:
    """The headline interval's ends: ``−0.031 to +0.007``; empty without one."""
    if c.ends is None:
        return ""
    low, high = numbers(c).ends(c.ends)
    return f"{low}{space}to{space}{high}"


def seed_list(numbers: Sequence[int]) -> str:
    return ("seed " if len(numbers) == 1 else "seeds ") + ", ".join(map(str, numbers))


# ── sentences


def verdict(c: Comparison) -> str:
    """The verdict in one or two sentences that can be quoted on their own; why there is none, when
    there is none."""
    analysis = c.analysis
    base, modified = names(c)
    number = numbers(analysis)
    if analysis.reason is not None or analysis.ends is None:
        return reason(c)
    if c.study.is_floor:
        return f"{itself(base)} {_floor(c)}"
    if analysis.verdict in ("helps", "hurts"):
        small, large = sorted((abs(analysis.ends.low), abs(analysis.ends.high)))
        lower = "lower" if analysis.ends.high < 0 else "higher"
        where = within(c)
        return (
            f"{where[0].upper()}{where[1:]} {modified} ends with a {lower} {c.metric.name} than "
            f"{base}, by {number.size(small)} to {number.size(large)}{c.metric.suffix} "
            f"({level(analysis)} interval)."
        )
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        return (
            f"Whatever the difference is, it is small: the {level(analysis)} interval lies "
            f"within ±{analysis.delta:g}{c.metric.suffix}, the smallest difference said to matter "
            "before the runs."
        )
    return (
        f"These runs can't tell {modified} and {base} apart: the {level(analysis)} interval goes "
        f"from {between(analysis)}{c.metric.suffix} and contains 0, so a lower, an equal and a "
        f"higher {c.metric.name} all fit. That is not the same as no effect."
    )


def within(c: Comparison) -> str:
    """For what the verdict holds."""
    return c.study.description.within


def itself(name: str) -> str:
    """What a study of a file against itself is."""
    return (
        f"Both arms are {_name(name, 'baseline')}, and no two runs share a seed: nothing was "
        "changed, so nothing is claimed about a modification."
    )


def _floor(c: Comparison) -> str:
    """How a study of a file against itself came out."""
    analysis = c.analysis
    if analysis.ends is not None and analysis.ends.excludes_zero():
        return (
            f"All the same the {level(analysis)} interval, {between(analysis)}{c.metric.suffix}, "
            f"excludes 0: a false {analysis.verdict.upper()}, as it is expected in "
            f"{share(1 - analysis.level)} of such intervals."
        )
    return (
        f"As it should, the {level(analysis)} interval contains 0: "
        f"{between(analysis)}{c.metric.suffix}. So far apart are means of such runs by their "
        "seeds alone."
    )


def reason(c: Comparison) -> str:
    """Why there is no verdict."""
    analysis = c.analysis
    if analysis.reason is Reason.GATED:
        return (
            "A gate judges this proposal, by the share of its budget that a look may spend. What "
            "it decided is in its own answer, and no second verdict is told here."
        )
    if analysis.reason is Reason.DIVERGED:
        arms = dict(zip(ARMS, names(c), strict=True))
        which = "; ".join(
            f"{arms[arm]}, {seed_list(lost)}" for arm, lost in analysis.diverged.items() if lost
        )
        total = sum(len(arm.values) for arm in c.arms.values())
        return (
            f"{c.lost} of {plural(max(total, c.lost), 'run')} diverged ({which}). A mean over the "
            "others would be choosing the data, so there is none, and no verdict. Divergence is "
            "itself a result: report it."
        )
    if analysis.reason is Reason.CHOSEN:
        return (
            "These seeds were named when results of runs at them could be known, and others were "
            f"left out: {left_out(c)}. Picked seeds show a difference by chance, so there is no "
            "verdict. Compare all of them, the first ones, or new ones: --seeds fresh:"
            f"{max(len(c.study.seeds), MIN_FOR_VERDICT)} draws some."
        )
    if analysis.reason is Reason.INCOMPLETE and c.study.design.is_sequential:
        first, most = c.study.design.pairs
        return (
            f"After {plural(analysis.n, 'pair')} of {first} to {most} it is not known yet, so "
            "there is no verdict. The study goes on."
        )
    if analysis.reason is Reason.INCOMPLETE:
        return not_yet()
    if is_experiment(c):
        return (
            "One pair shows how two curves go, not what another seed would do: it is an "
            f"experiment and no question yet. A verdict needs at least {MIN_FOR_VERDICT} pairs."
        )
    if analysis.reason is Reason.EQUAL:
        base, modified = names(c)
        return (
            f"{modified} and {base} ended with the same {c.metric.name} at each of "
            f"{plural(len(analysis.pairs), 'seed')}, to the last bit: either what differs between "
            "them does nothing, or the metric is too coarse to show it. There is no verdict; check "
            "that the change reaches the run."
        )
    if analysis.reason is Reason.TOO_FEW:
        return too_few(analysis.n, "pair" if analysis.headline == "paired" else "seed")
    if analysis.headline == "paired":
        what = "Every pair differs by exactly the same"
    else:
        what = "Neither arm varies between its seeds"
    return (
        f"{what}. Without a spread there is no interval and no verdict: check that the seed "
        "reaches the run."
    )


def not_yet(planned: int | None = None) -> str:
    """Why there is no verdict while planned runs have not ended."""
    when = "all planned runs have ended" if planned is None else f"all {planned} planned pairs"
    return (
        f"No verdict before {when}: looking early, and stopping when it looks good, "
        "makes false verdicts more frequent."
    )


def too_few(n: int, thing: str = "pair") -> str:
    """Why so few pairs (or seeds per arm) give no verdict."""
    many = plural(n, thing) + ("" if thing == "pair" else " per arm")
    says = "says" if n == 1 else "say"
    return (
        f"{many} {says} too little about the spread between seeds; "
        f"a verdict needs at least {MIN_FOR_VERDICT}."
    )


def power(c: Comparison) -> str:
    """What these seeds could have seen, and what would settle it; empty when it is not known."""
    analysis = c.analysis
    if analysis.detectable is None:
        return ""
    number = numbers(analysis)
    sequential = c.study.design.is_sequential
    text = f"{plan(c)} " if sequential else ""
    who = "Such a plan sees" if sequential else f"{seeds(c)} see"
    smallest = f"{number.size(analysis.detectable)}{c.metric.suffix}"
    text += (
        f"{who} a true difference of roughly {smallest} or more "
        "(in 80% of studies, if their spread is as measured)."
    )
    needed = analysis.seeds_needed
    if analysis.verdict in ("helps", "hurts") and analysis.overstated is not None:
        one, half = analysis.overstated
        text += (
            f" A claim overstates: {one:.1f} times on average where the truth is one sd of a "
            f"pair's difference, {half:.1f} times where it is half of that."
        )
    settled = analysis.verdict not in ("cannot tell", "no verdict")
    if settled or not analysis.complete or sequential:
        return text
    thing = "pairs" if analysis.headline == "paired" else "seeds per arm"
    if needed is None:
        return (
            f"{text} How many would settle it depends on the smallest difference that matters: "
            "`q1lab plan` says it for one that you name."
        )
    aim = number.size(needed.effect)
    if needed.capped and needed.mid == needed.high:
        return f"{text} To settle {aim}{c.metric.suffix} would take {needed.mid:,} {thing} or more."
    most = f"{needed.high:,} or more" if needed.capped else f"{needed.high:,}"
    text += (
        f" To settle a difference of {aim}{c.metric.suffix} takes about {needed.mid:,} {thing} "
        f"({needed.low:,} to {most}: {analysis.n} {thing} know their own spread only roughly)"
    )
    extra = needed.mid - analysis.n
    seconds = [arm.costs.get("wall_s") for arm in c.arms.values()]
    if extra > 0:
        text += f", which is {extra:,} more"
        if all(seconds):
            text += f", about {duration(extra * sum(s for s in seconds if s))} of training"
    text += "."
    if analysis.verdict == "cannot tell":
        later = percent_level(ALPHA_LATER)
        text += (
            f" Seeds added now are judged by a {later} interval, since the result has been seen."
        )
    return text


def notes(c: Comparison) -> list[str]:
    """What the reader of the verdict must know besides, a sentence or two each."""
    found = [note(one, c) for one in c.analysis.notes]
    around = surroundings(c)
    return [*found, around] if around else found


def note(one: Note, c: Comparison) -> str:
    """One note in words."""
    analysis = c.analysis
    facts = one.facts
    headline, other = ("paired", "Welch") if analysis.headline == "paired" else ("Welch", "paired")
    match one.kind:
        case Kind.UNPAIRED:
            alone = seed_list(facts["seeds"])
            return f"{alone[0].upper()}{alone[1:]} ran in one arm only and can't be paired."
        case Kind.EQUAL:
            return (
                f"{facts['equal']} of {plural(facts['pairs'], 'finished pair')} ended equal, to "
                "the last bit: check that the change reaches every run."
            )
        case Kind.SERIES:
            return shared(c)
        case Kind.ASKED:
            return asked(c, facts)
        case Kind.LEFT_OUT:
            return f"Left out: {left_out(c)}, of runs that train the same."
        case Kind.CONDITIONS:
            return _conditions(facts["differ"])
        case Kind.TRAINER:
            return (
                "Some of these runs were trained after an upgrade of q1lab's trainer: "
                "that alone can "
                "change a loss."
            )
        case Kind.ALLOWED:
            what = plain(", ".join(facts["what"]))
            return f"The runs were taken in although they differ: {what}."
        case Kind.STRAYS:
            return _strays(facts["arms"], dict(zip(ARMS, names(c), strict=True)))
        case Kind.DISAGREE:
            does, does_not = ("bootstrap CI", f"{headline} interval")
            if not facts["bootstrap"]:
                does, does_not = does_not, does
            covers = (
                f"{analysis.bootstrap.true_coverage:.0f}%"
                if analysis.bootstrap
                else "less than 95%"
            )
            return (
                f"The {does} excludes 0, the {does_not} does not. The {headline} interval "
                f"decides: the bootstrap CI covers about {covers} at {seeds(c)}."
            )
        case Kind.TEMPTING:
            return (
                f"The {other} interval alone would say {facts['verdict'].upper()}. The {headline} "
                "interval was declared before the runs; picking the better-looking one afterwards "
                "makes false verdicts more frequent."
            )
        case Kind.BELOW_DELTA:
            return (
                f"The whole interval is smaller than {analysis.delta:g}{c.metric.suffix}, the "
                "smallest difference said to matter before the runs."
            )
        case Kind.SHORT:
            fallen, lately = facts["fallen"], facts["lately"]
            return (
                f"At {budget(c) or 'this budget'} little is trained: the {c.metric.name} lies "
                f"{fallen:.2f}{c.metric.suffix} below that of a uniform guess, and {lately:.2f} "
                "of them came in the last quarter of the iters, so it still falls fast. Whatever "
                "the verdict, it says nothing of a budget at which the curves have leveled off."
            )
        case Kind.RISING:
            return (
                f"The {c.metric.name} was lowest at iter {facts['at']:,} and rose by "
                f"{facts['rise']:.2f}{c.metric.suffix} to the end: this compares overfitted "
                "models, and the arm that learns faster may lose by that alone. The budget of the "
                f"minimum is a new question, declared as one: {facts['command']}"
            )
        case Kind.UNFINISHED:
            more = len(facts["runs"]) - NAMED
            left = plain(", ".join(facts["runs"][:NAMED])) + (
                f" and {more} more" if more > 0 else ""
            )
            planned = plural(facts["of"], "run")
            return f"{len(facts['runs'])} of {planned} have not finished: {left}."
        case Kind.DAMAGED:
            lines = plural(facts["lines"], "damaged line")
            return f"{lines} in the event files could not be read and were left out."
        case Kind.COMMAND:
            return _trainer_note(c, facts)
        case Kind.UNCHECKED:
            return "The model file was trained without its checks (--unchecked)."
        case Kind.OVERRULED:
            # both arms' files may overrule the same check, for the same reason or another one
            reasons = list(dict.fromkeys(facts["checks"]))
            checks = len({one.partition("”")[0] for one in reasons})
            more = len(reasons) - NAMED
            told = "; ".join(cut_middle(plain(one), 120) for one in reasons[:NAMED])
            return (
                f"{plural(checks, 'check')} of the model files failed and "
                f"{'was' if checks == 1 else 'were'} overruled: {told}"
                + (f"; and {more} more" if more > 0 else "")
                + "."
            )
        case Kind.SIZE:
            return (
                f"The arms differ by {change(c, 'n_params')} in parameters: part of the difference "
                "may come from size, not from the idea. A baseline of the same size would tell."
            )


def _trainer_note(c: Comparison, facts: Mapping[str, Any]) -> str:
    """What a reader should know of how the runs were made, and how well they go together."""
    parts = list(c.study.description.cautions)
    if (r := facts.get("correlation")) is not None:
        low, high = (f"{end:.2f}".replace("-", MINUS) for end in facts["between"])
        r = f"{r:.2f}".replace("-", MINUS)
        parts.insert(
            max(0, len(parts) - 1),
            f"Over the seeds the arms correlate by r = {r} ({low} to {high}).",
        )
    return " ".join(parts)


def asked(c: Comparison, facts: Mapping[str, Any]) -> str:
    """How often the question was asked, and what that does."""
    many, count = c.asking.studies, c.asking.all_looks
    times = "once" if many == 1 else f"{many} times"
    text = f"This question was asked {times}, with {plural(count, 'look')} in all. "
    if facts.get("could_be"):
        sets = plural(facts["could_be"], "other set") + " of seeds"
        text += (
            f"When its seeds were named, results at {sets} could be known: to choose among them "
            "is to ask with each. "
        )
    if facts.get("unreadable"):
        lines = plural(facts["unreadable"], "line")
        text += f"{lines} of the record can't be read and may have been more of it. "
    text += (
        f"If nothing had changed, up to {share(c.asking.total)} of such series would claim a "
        "difference."
    )
    return text + (
        f" So this look is judged by a {level(c.analysis)} interval." if facts["later"] else ""
    )


def surroundings(c: Comparison) -> str:
    """What else the studies on record asked, for the readers of a post, too; empty where nothing is
    known of it."""
    found = c.asking.family
    if found is None or len(c.study.seeds) < 2:
        return ""
    only = "It is the only question on record"
    text = f"{only} so far"
    if found.questions > 1:
        text = only if found.here == 1 else f"It is one of {found.here} questions on record"
        text += f" about this {c.study.description.about}"
        if found.texts > 1:
            text += f", and one of {found.questions} in all"
        if found.shared:
            text += f"; {found.shared} of the others used the same baseline runs"
    return (
        f"{text}. If nothing helped, up to {math.ceil(100 * found.total - 1e-9)} of 100 such "
        "records would claim at least one difference."
    )


def _strays(arms: Sequence[Sequence[Any]], names: Mapping[str, str]) -> str:
    said = []
    for arm, runs, diverged, stuck in arms:
        how = [f"{diverged} diverged"] * bool(diverged) + [f"{stuck} got stuck"] * bool(stuck)
        said.append(f"of {plural(runs, 'run')} of {names[arm]} on record {' and '.join(how)}")
    text = "; ".join(said)
    return (
        f"{text[0].upper()}{text[1:]}. With such an arm the interval claims a difference more "
        "often than its level says, however many seeds there are."
    )


def left_out(c: Comparison) -> str:
    """``seeds 0, 2, 4 (rmsnorm-1)``: finished or diverged pairs that are not in here."""
    return "; ".join(f"{seed_list(seeds)} ({plain(study)})" for study, seeds in c.asking.left_out)


def share(value: float) -> str:
    """A chance in percent, to half a point: ``5%``, ``6.1%``, ``26%``."""
    percent = 100 * value
    return f"{percent:.0f}%" if percent >= 9.95 else f"{round(percent, 1):g}%"


def _conditions(differ: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    said = []
    for key, values in differ.items():
        what = "; ".join(
            f"{plain(value)} in {len(runs)} of them ({plain(runs[0])}{', …' if runs[1:] else ''})"
            for value, runs in values.items()
        )
        said.append(f"{key.replace('_', ' ')} ({what})")
    return (
        f"The runs differ in {' and in '.join(said)}: that alone can change a loss, so the "
        "difference may not be the modification's."
    )


def plan(c: Comparison) -> str:
    """What was declared before the first run of a planned range; empty for a fixed number."""
    if not c.study.design.is_sequential:
        return ""
    return declared(*c.study.design.pairs, c.analysis.alpha)


def declared(first: int, most: int, alpha: float) -> str:
    """What a planned range means, before the first run and after the last."""
    spent = share(interim_analyses.any_claim([(n, alpha) for n in range(first, most + 1)]))
    return (
        f"Planned: {first} to {most} pairs, stopping when known. Each look is a "
        f"{percent_level(alpha)} interval; over all {most - first + 1} looks {spent} of null "
        "studies make a claim."
    )


def shared(c: Comparison) -> str:
    """What a study shares with those that were declared together with it; empty for one by
    itself."""
    return "" if c.study.origin.series is None else family(c.study.origin.series)


def family(one: Series) -> str:
    """How a series' studies share its 5%."""
    many = len(one.members)
    what = f"{many} modifications" if one.kind == SWEEP else f"{many} values of {one.axis}"
    return (
        f"One of {what} that were declared together ({plain(one.id)}). They share 5%: each may "
        f"claim a difference in {share(one.alpha)} of null studies, or in "
        f"{share(one.alpha * ALPHA_LATER / ALPHA)} where its question was asked before."
    )


def drawn(seeds: Sequence[int]) -> str:
    """How seeds came about that nobody chose."""
    return f"no run has used these seeds; a hash of the question drew them: {seed_list(seeds)}"


def another_look() -> str:
    """What is said before a question is looked at again without a plan."""
    return (
        "this question was asked before (a study that has begun counts as a look), so the next "
        f"look is judged by a {percent_level(ALPHA_LATER)} interval"
    )


def budget(c: Comparison) -> str:
    """How long each run trained: ``2,000 iters``; empty where that is not known."""
    iters = c.study.trainer.hyperparameters.get("max_iters")
    return f"{iters:,} iters" if iters else ""


MANY_PASSES = 3
"""From here on a small model begins to learn its text by heart."""


def many_passes(many: float | None) -> str:
    """What is said before runs that read their text often; empty for others."""
    if many is None or many <= MANY_PASSES:
        return ""
    return (
        f"a run reads its text in {passes(many)}; in more than {MANY_PASSES} a model can learn it "
        "by heart, so look at where the val loss is lowest"
    )


def scale(c: Comparison) -> str:
    """What a reader elsewhere asks first: size, data, budget, hardware."""
    device = {"cpu": "on a CPU", "cuda": "on a GPU"}.get(
        c.study.trainer.device.partition(":")[0], ""
    )
    parts = (_sizes(c), corpora.describe_corpus(c.study.data.name or ""), _trained(c), device)
    return ", ".join(plain(part) for part in parts if part)


def _sizes(c: Comparison) -> str:
    sizes = [arm.costs.get("n_params") for arm in c.arms.values()]
    if not all(sizes):
        return ""
    shown = list(dict.fromkeys(rough(size) for size in sizes if size))
    return f"{' and '.join(shown)} parameters"


def _trained(c: Comparison) -> str:
    batch, block = (
        c.study.trainer.hyperparameters.get("batch_size"),
        c.study.trainer.hyperparameters.get("block_size"),
    )
    windows = f" of {batch} × {block} tokens" if batch and block else ""
    read = f", {passes(c.study.passes)} over the text" if c.study.passes is not None else ""
    return f"{trained}{windows}{read}" if (trained := budget(c)) else ""


def scope(c: Comparison) -> str:
    """What the verdict is about: data, size, budget, hyperparameters."""
    trainer = c.study.trainer
    config, trained = trainer.hyperparameters, budget(c)
    parts = []
    if c.study.description.trains:
        parts.append(c.study.description.trains)
    elif c.study.data.name:
        sha = f" (sha256 {c.study.data.sha256[:8]})" if c.study.data.sha256 else ""
        parts.append(f"{plain(c.study.data.name)}{sha}")
    parts += [part for part in (_sizes(c), _trained(c)) if part]
    if trainer.shared_at_start is not None:
        parts.append(
            f"{share(trainer.shared_at_start)} of the baseline's weights shared at the start"
        )
    if trainer.tuned is not None:
        parts.append(tuned(trainer.tuned, dict(zip(ARMS, names(c), strict=True))))
    if config.get("learning_rate") and (
        trainer.tuned is None or trainer.tuned.key != "learning_rate"
    ):
        parts.append(f"learning rate {config['learning_rate']:g} (not tuned for either arm)")
    if config.get("dropout") is not None:
        parts.append(f"dropout {config['dropout']:g}")
    parts += [f"preset {trainer.recipe}"] if trainer.recipe else []
    parts += [trainer.number_format] if trainer.number_format else []
    what = ", ".join(parts) or "the data, size, budget and hyperparameters of these runs"
    text = f"Scope: {what}. Other data, sizes, budgets or hyperparameters may say otherwise."
    if not trained:
        return text
    only = (
        "the modified arm may only start more slowly"
        if c.analysis.verdict == "hurts"
        else "a lead may only be a faster start"
    )
    return f"{text} At a short budget {only}, so look at the curves."


def tuned(one: TunedValue, names: Mapping[str, str]) -> str:
    """What each arm chose for itself, and among what."""
    values = [f"{value:g}" for value in one.values]
    chosen = ", ".join(f"{one.chosen[arm]:g} for {names[arm]}" for arm in ARMS)
    text = (
        f"{one.key.replace('_', ' ')} tuned for each arm among {', '.join(values[:-1])} and "
        f"{values[-1]} on {one.seeds} other seeds: {chosen}"
    )
    edges = {min(one.values), max(one.values)}
    edge = [names[arm] for arm in ARMS if one.chosen[arm] in edges]
    return text + (f" (at an edge for {' and '.join(edge)}: beyond may be better)" if edge else "")


def said(c: Comparison) -> str:
    """The verdict in the first person, as a learner would put it in a post."""
    does = f"It {c.metric.verb(c.analysis.mean or 0.0)} the {c.metric.name} {within(c)}"
    return {
        "helps": f"{does}; I would not claim more.",
        "hurts": f"{does}, and I publish that as it is.",
        "too small to matter": "Whatever the difference is, it is too small to matter to me.",
        "cannot tell": "My runs can't tell the two apart, and the post says what it would take.",
        "no verdict": "There is no verdict, and the post says why.",
    }[c.analysis.verdict]


# ── the prediction


def prediction(c: Comparison) -> str:
    """The recorded prediction against the outcome, or that there was none."""
    if c.study.is_floor:
        return ""
    if not c.study.prediction:
        return "No prediction was recorded before these runs, so there is nothing to score."
    what = predicted(c.study.prediction, c.metric)
    if c.score is None:
        return (
            f"{what} It was locked when results could be seen "
            f"({plain(str(c.study.prediction['after']))}), so it decides nothing and is not scored."
        )
    later = ""
    if c.study.prediction.get("later"):
        later = " A later version, locked when results could be seen, is not scored."
    return f"{what} {scored(c.score, c)}{later}"


def direction_words(direction: object, metric: Metric) -> str:
    """Which way a prediction goes: ``the val loss falls``."""
    verb = {"lower": "falls", "higher": "rises"}.get(str(direction))
    if verb is not None:
        return f"the {metric.name} {verb}"
    return "no difference that matters" if direction == "same" else plain(str(direction))


def predicted(found: Mapping[str, Any], metric: Metric) -> str:
    """A prediction as it was made: ``Predicted: the val loss falls by 0.03 nats, 70% sure.``"""
    direction = found.get("direction") or "no direction"
    text = f"Predicted: {direction_words(direction, metric)}"
    size = predicted_difference(found)
    if size is not None and direction != "same":
        text += f" by {abs(size):g}{metric.suffix}"
    if found.get("matters"):
        text += f" (it matters from {abs(found['matters']):g} up)"
    if found.get("confidence") is not None:
        text += f", {found['confidence']:.0%} sure"
    return text + "."


def scored(one: Score, c: Comparison) -> str:
    """How a prediction came out: ``Outcome: HELPS, a hit. …``"""
    analysis = c.analysis
    number = numbers(analysis)
    text = f"Outcome: {analysis.verdict.upper()}, {OUTCOME_WORDS[one.outcome]}"
    if one.off is not None and one.predicted is not None:
        text += (
            f". Predicted {number.end(one.predicted)}{c.metric.suffix}, measured "
            f"{mean(analysis)}: off by {number.size(one.off)}"
        )
    if one.inside is not None:
        contains = "contains" if one.inside else "does not contain"
        text += f"; the {level(analysis)} interval {contains} the predicted difference"
    return text + "."


def calibrated(all_of_them: Calibration) -> str:
    """How sure one was over all predictions, and how often right."""
    tail = f" {all_of_them.still_open} still open." if all_of_them.still_open else ""
    many = all_of_them.settled
    if not many:
        return "No prediction has been settled by a comparison yet." + tail
    return (
        f"Over {plural(many, 'settled prediction')} you were {all_of_them.sure:.0%} sure on "
        f"average and right in {all_of_them.hits} ({all_of_them.hits / many:.0%}); Brier score "
        f"{all_of_them.brier:.2f} (0 is perfect, 0.25 is a coin).{tail}"
    )


def loss_of(c: Comparison, arm: str, seed: int) -> str:
    """One run's final val loss, or why there is none."""
    if seed in c.analysis.diverged.get(arm, []):
        return "diverged"
    if seed not in c.arms[arm].values:
        return "no run"
    value = c.arms[arm].values[seed]
    return "diverged" if value is None else numbers(c.analysis).loss(value)


def pair_of(c: Comparison, seed: int) -> str:
    """Modified − baseline of one seed; empty where not both arms finished."""
    return numbers(c.analysis)(c.analysis.pairs[seed]) if seed in c.analysis.pairs else ""


NAMED = 12
"""Runs that a note names one by one."""

MOST_SEEDS = 20
"""Seeds that a table shows one by one; of more, the ends of the row speak for it."""

ENDS = 5
"""Seeds shown from either end of a folded table, and of those without a pair."""


def seeds_shown(c: Comparison, seeds: Sequence[int]) -> list[int]:
    """The seeds that a table shows: all of them, or of many those with the lowest and the highest
    differences and those that are no pair, by seed."""
    if len(seeds) <= MOST_SEEDS:
        return list(seeds)
    odd = [seed for seed in seeds if seed not in c.analysis.pairs]
    return sorted({*pairs_shown(c.analysis.pairs), *odd[:ENDS]})


def pairs_shown(pairs: Mapping[int, float]) -> list[int]:
    """The pairs that a plot shows, by seed: all of them, or of many the ends."""
    by_difference = sorted(pairs, key=lambda seed: (pairs[seed], seed))
    if len(pairs) > MOST_SEEDS:
        by_difference = by_difference[:ENDS] + by_difference[-ENDS:]
    return sorted(by_difference)


def folded(shown: int, total: int) -> str:
    """What a folded table leaves out, and where it is."""
    return (
        f"{shown} of {total:,} seeds: {_ENDS}, and runs without a pair; `--json` and "
        "`q1lab export` have all."
    )


def folded_pairs(shown: int, total: int) -> str:
    """What a folded plot leaves out; empty when it has all."""
    return f"{shown} of {total:,} pairs are drawn: {_ENDS}." if shown < total else ""


_ENDS = f"the {ENDS} lowest and the {ENDS} highest differences"


# ── what each arm cost


def change(c: Comparison, key: str) -> str:
    """The modified arm's cost against the baseline's: ``−1.0%``; empty when one is not known, and
    no number where the interval over single runs contains 0, or runs are too few for one."""
    base, modified = (c.arms[arm].costs.get(key) for arm in ARMS)
    if not base or not modified:
        return ""
    if key in costs.measured() and (c.timed is not None or len(c.analysis.pairs) == 1):
        ends = (c.timed or {}).get(key)
        if ends is None or not ends.excludes_zero():
            return UNCLEAR
    return apart(base, modified)


def apart(base: float, modified: float) -> str:
    """How much more or less one number is than another: ``−1.0%``."""
    percent = 100 * (modified / base - 1)
    text = f"{abs(percent):.1f}%"
    return text if not float(text[:-1]) else (MINUS if percent < 0 else "+") + text


UNCLEAR = "not clear"
BUSY_FROM = 0.1
"""Share by which one arm's runs differ in speed from which the machine did something else, too."""


def pace(c: Comparison) -> str:
    """Whether the modified arm trained ``faster`` or ``slower``; empty where that is not clear."""
    text = change(c, "tokens_per_s")
    return "faster" if text.startswith("+") else "slower" if text.startswith(MINUS) else ""


def timing(c: Comparison) -> str:
    """How sure a change of speed or time is; empty where that is not known."""
    if c.timed is None and len(c.analysis.pairs) != 1:
        return ""
    labels = costs.measured()
    clear = [key for key in labels if change(c, key) not in ("", UNCLEAR)]
    said = []
    for key in clear:
        ends = (c.timed or {})[key]
        low, high = (apart(1.0, 1.0 + end) for end in (ends.low, ends.high))
        said.append(f"the change of {labels[key]} is {low} to {high} (95% interval)")
    if unclear := [label for key, label in labels.items() if change(c, key) == UNCLEAR]:
        few = min((len(arm.values) for arm in c.arms.values()), default=0) < MIN_FOR_VERDICT
        why = "fewer than three runs an arm" if few else "the 95% interval over runs contains 0"
        which = f"that of {' and '.join(unclear)} is " if clear else ""
        said.append(f"{which}{UNCLEAR}: {why}")
    spans = [arm.tokens_per_s_ends for arm in c.arms.values()]
    shares = [high / low - 1 for low, high in (pair for pair in spans if pair) if low > 0]
    if shares and max(shares) >= BUSY_FROM:
        said.append(
            f"within an arm tokens/s vary by up to {max(shares):.0%}, so the machine did something "
            "else, too"
        )
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""


CAVEATS = frozenset(
    {
        Kind.CONDITIONS,
        Kind.TRAINER,
        Kind.ALLOWED,
        Kind.UNCHECKED,
        Kind.OVERRULED,
        Kind.SIZE,
        Kind.STRAYS,
    }
)
"""Kinds of notes after which the difference may have another reason than the modification."""


# ── the border


def columns(c: Comparison) -> dict[str, Any]:
    """The comparison in a table of runs: one value per column, unrounded; None where there is
    none."""
    analysis = c.analysis
    return {
        "verdict": analysis.verdict,
        "level": level(analysis) if analysis.ends is not None else None,
        "pairs": len(analysis.pairs),
        "difference": analysis.mean,
        "low": analysis.ends.low if analysis.ends is not None else None,
        "high": analysis.ends.high if analysis.ends is not None else None,
    }


def to_json(c: Comparison) -> dict[str, Any]:
    """The record of ``compare --json``: every fact, and what is told about them."""
    from q1lab.verdict.comparison import facts

    return {
        **facts(c),
        "sentence": verdict(c),
        "interval": {"name": interval_label(c.analysis), "between": between(c.analysis)},
        "warnings": notes(c),
        "caveats": [note(one, c) for one in c.analysis.notes if one.kind in CAVEATS],
    }
