"""q1lab's figures against those of own_figures.py, which are worked out from their definitions.

Thousands of drawn cases are judged twice: by q1lab, and from scratch. A case is drawn from its own
number, so that the one that a failure names can be looked at alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.judgment import own_figures as own
from tests.judgment.own_figures import Arm, Figures, Plan

HUNDREDS = [10, pytest.param(50, marks=(pytest.mark.long, pytest.mark.timeout(1200)))]
"""All tests together draw so many hundred cases, each a share of every hundred."""

ARMS = ("baseline", "modified")
Curves = Mapping[str, Mapping[int, Sequence[tuple[float, float]]]]


class Asked:
    """What q1lab says. Nothing else in this file knows a name of it."""

    @staticmethod
    def judge(base: Any, modified: Any, better: str) -> dict[str, Any]:
        import q1lab

        judged = q1lab.judge(base, modified, better=better)  # type: ignore[arg-type]
        record = judged.to_dict()
        assert (judged.verdict, judged.difference, judged.level) == (
            record["verdict"],
            record["difference"]["mean"],
            record["level"],
        )
        ends = record["difference"][record["difference"]["headline"]]
        assert judged.interval == (None if ends is None else (ends["low"], ends["high"]))
        return record

    @staticmethod
    def declared(base: Arm, modified: Arm, **how: Any) -> dict[str, Any]:
        """The record of a study with this headline, alpha, delta, complete."""
        from q1lab.judgment import layout
        from tests.kit.comparisons import make

        return layout.to_json(make(base, modified, **how))

    @staticmethod
    def scored(predictions: Sequence[tuple[float, bool]]) -> tuple[float, ...]:
        from q1lab.judgment.prediction_score import Score, calibrate

        scores = [
            Score("hit" if hit else "miss", None, None, None, None, sure)
            for sure, hit in predictions
        ]
        found = calibrate([*scores, Score("open", None, None, None, None, 0.9)])
        return found.hits, found.sure, found.brier, found.so_few, found.so_many

    @staticmethod
    def plan(first: int, most: int, total: float) -> Any:
        """A range as it is declared."""
        from q1lab.judgment import interim_analyses
        from q1lab.study.seed_range import SeedRange

        level = interim_analyses.level_per_look(first, most, total)
        limits = interim_analyses.t_limits(first, most, level)
        return SeedRange(first, most, level, limits)

    @staticmethod
    def range_over(plan: Any, pairs: Sequence[float | None], delta: float | None) -> Any:
        """The number of pairs after which it is over, and the interval there."""
        from q1lab.study import seed_range

        n = seed_range.over_after(plan, pairs, delta)
        values = [value for value in pairs[:n] if value is not None]
        return n, seed_range.interval_at_look(plan, values)

    @staticmethod
    def range_powers(plan: Any) -> tuple[float, float]:
        """What a range without a δ finds in four of five, in true and in measured sds."""
        from q1lab.judgment import interim_analyses

        how = plan.first, plan.most, plan.alpha
        return (
            interim_analyses.planned_detectable(*how),
            interim_analyses.measured_detectable(*how),
        )

    @staticmethod
    def study(
        plan: Any, seeds: int, flops: Mapping[str, int], prediction: Mapping[str, Any] | None
    ) -> Any:
        """A study on disk, of which nothing is trained: of a range, or of a fixed number."""
        from q1lab.study import studies
        from tests.kit.lab_home import make_study
        from tests.kit.plans import changed

        keys = {} if plan is None else {"range": plan}
        study = make_study(
            seeds=tuple(range(seeds)),
            prediction=None if prediction is None else {**prediction},
            **keys,
        )
        arms = {arm: replace(study.arms[arm], flops_per_token=flops[arm]) for arm in ARMS}
        study = changed(study, arms=arms)
        studies.save(study)
        return study

    @staticmethod
    def floor_study(seeds: int) -> Any:
        """A study of the baseline against itself, of which nothing is trained."""
        from q1lab.study import studies
        from q1lab.study.trainer import SEED_OFFSET
        from tests.kit.lab_home import make_study
        from tests.kit.plans import changed

        study = make_study("baseline-1", "baseline", tuple(range(seeds)))
        study = changed(study, seed_shift={"modified": SEED_OFFSET})
        studies.save(study)
        return study

    @staticmethod
    def command(*words: str) -> dict[str, Any]:
        from q1lab.commands.cli import cli

        done = CliRunner().invoke(cli, [*words, "--json"])
        assert done.exit_code == 0, done.output
        record: dict[str, Any] = json.loads(done.stdout)
        return record


class Case:
    """One drawn case, and how q1lab and this file differ about it."""

    def __init__(self, subject: int, at: int) -> None:
        self.at = at
        self.rng = np.random.default_rng([subject, at])
        self.differs: list[str] = []

    def same(self, what: str, theirs: Any, ours: Any) -> None:
        if theirs != ours:
            self.differs.append(f"case {self.at}, {what}: {theirs!r}, from scratch {ours!r}")

    def near(self, what: str, theirs: Any, ours: Any, within: float) -> None:
        """Compare two numbers, or two intervals."""
        if theirs is None or ours is None:
            self.same(what, theirs, ours)
            return
        each = [(theirs, ours)] if isinstance(ours, float) else [*zip(theirs, ours, strict=True)]
        if not all(abs(one - other) <= within for one, other in each):
            self.same(what, theirs, ours)

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, *things: Any) -> Any:
        return things[self.rng.integers(len(things))]


def agree(subject: int, cases: int, judge: Callable[[Case], None]) -> None:
    """Judge so many cases twice; fails with all in which the two differ."""
    differing = []
    for at in range(cases):
        case = Case(subject, at)
        judge(case)
        if case.differs:
            differing.append("\n".join(case.differs))
    assert not differing, f"{len(differing)} of {cases} differ:\n" + "\n".join(differing[:20])


# ── drawn numbers


def draw_arms(case: Case) -> tuple[Arm, Arm]:
    """Two arms by seed: of few runs or many, rounded, shared in part, equal, or gone astray."""
    rng = case.rng
    n = case.one_of(1, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 10, 12, 14, 30)
    level = float(case.one_of(0.02, 1.5, 2.0, 40.0, 3000.0, -5.0))
    spread = abs(level) * float(case.one_of(1e-5, 1e-3, 0.01, 0.1))
    shared = rng.normal(0, spread * case.one_of(0, 1, 3), n + 8)
    effect = spread * float(case.one_of(0, 0, 0.5, 1, 2, 5)) * case.one_of(-1, 1)
    wide = float(case.one_of(1, 1, 1, 3))
    base = level + shared + rng.normal(0, spread, n + 8)
    modified = level + effect + shared + rng.normal(0, spread * wide, n + 8)
    if case.chance(0.1):
        modified[int(rng.integers(n))] += 30 * spread * case.one_of(-1, 1)  # far from all others
    if case.chance(0.1):
        modified = base + case.one_of(0.0, effect)  # no spread between pairs
    elif case.chance(0.1):
        same = rng.random(n + 8) < 0.6
        modified[same] = base[same]
    if case.chance(0.3):
        digits = max(0, int(case.one_of(0, 1, 2)) - math.floor(math.log10(spread)))
        base, modified = base.round(digits), modified.round(digits)
    if case.chance(0.05):
        base = np.full(n + 8, base[0])
        modified = case.one_of(modified, np.full(n + 8, modified[0]))
    arms: list[dict[int, float | None]] = [
        dict(enumerate(values[:n].tolist())) for values in (base, modified)
    ]
    if case.chance(0.35):  # other seeds, or more of them
        start, more = int(case.one_of(0, 0, 1, n)), int(rng.integers(0, 8 - min(n, 7)))
        arms[1] = {seed: float(modified[seed % (n + 8)]) for seed in range(start, start + n + more)}
    if case.chance(0.08):
        arm = arms[case.one_of(0, 1)]
        arm[case.one_of(*arm)] = None
    return arms[0], arms[1]


def compare_record(
    case: Case, record: Mapping[str, Any], figures: Figures, base: Arm, modified: Arm
) -> None:
    """Compare all of a record of ``--json`` that numbers decide."""
    difference = record["difference"]
    finished = [v for arm in (base, modified) for v in arm.values() if v is not None]
    scale = max(map(abs, finished), default=1.0)
    exact = 1e-11 * scale
    ends = figures.ends
    within = exact if ends is None else exact + 1e-7 * (ends[1] - ends[0])
    case.same("headline", difference["headline"], figures.headline)
    case.same("n", record["n"], figures.n)
    case.near("mean", difference["mean"], figures.mean, exact)
    pairs = {int(seed): value for seed, value in difference["pairs"].items()}
    case.same("seeds of pairs", [*pairs], [*figures.pairs])
    case.near("pairs", [*pairs.values()], [*figures.pairs.values()], exact)
    case.near("welch", _ends(difference["welch"]), figures.welch, 10 * within)
    if figures.pairs or figures.headline == "paired":
        case.near("paired", _ends(difference["paired"]), figures.paired, 10 * within)
    case.near("floor", _ends(record["floor"]), figures.floor, exact)
    for name, arm in (("baseline", base), ("modified", modified)):
        values = [value for value in arm.values() if value is not None]
        whole = bool(values) and len(values) == len(arm)
        mean = math.fsum(values) / len(values) if whole else None
        sd = float(np.std(values, ddof=1)) if whole and len(values) > 1 else None
        case.near(f"mean of {name}", record["arms"][name]["mean"], mean, exact)
        case.near(f"std of {name}", record["arms"][name]["std"], sd, exact)
        lost = sorted(seed for seed, value in arm.items() if value is None)
        case.same(f"diverged of {name}", record["diverged"][name], lost)
    case.same("reason", record["reason"], figures.reason)
    limits = [0.0, *([record["delta"], -record["delta"]] if record["delta"] else [])]
    if ends and any(abs(end - limit) < 10 * within for end in ends for limit in limits):
        return  # rounding decides
    case.same("verdict", record["verdict"], figures.verdict)
    compare_facts(case, record, figures)
    compare_words(case, record, figures)
    if figures.sd is not None:
        first, most = record["plan"]["pairs"]
        if first == most:  # else it looks more than once
            compare_power(case, record, figures, len(base), len(modified))


def _ends(interval: Mapping[str, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval["low"], interval["high"])


def compare_facts(case: Case, record: Mapping[str, Any], figures: Figures) -> None:
    """Compare what is told beside the verdict."""
    case.same("facts", {fact["key"] for fact in record["facts"]} & own.FACTS, figures.facts)


def compare_words(case: Case, record: Mapping[str, Any], figures: Figures) -> None:
    """Compare the numbers that are printed: rounded, on their own side of 0, and the half width of
    an interval with two digits, up to six decimals."""
    answer = next((fact["text"] for fact in record["facts"] if fact["key"] == "answer"), "")
    if figures.ends is None or figures.reason is not None:
        return
    if figures.verdict == "cannot tell":
        printed = own.printed_numbers(answer.partition(" could be ")[2])[:2]
        if len(printed) != 2 or any(
            abs(value - end) > half * 1.001 + 1e-9 * abs(end)
            or value * end < 0
            or half > 1.001 * max((figures.ends[1] - figures.ends[0]) / 40, 5e-7)
            for (value, half), end in zip(printed, figures.ends, strict=True)
        ):
            case.same("interval in words", answer, figures.ends)
    if figures.verdict in ("helps", "hurts"):
        sizes = sorted(map(abs, figures.ends))
        shown = own.printed_numbers(answer.rpartition(" is ")[2])[:2]
        if any(
            abs(value - size) > half * 1.001 + 1e-9 * size
            for (value, half), size in zip(shown, sizes, strict=True)
        ):
            case.same("sizes in words", answer, sizes)
        assert figures.mean is not None
        case.same("side in words", " below " in answer, figures.mean < 0)
        case.same("side in words", " above " in answer, figures.mean > 0)


def compare_power(
    case: Case, record: Mapping[str, Any], figures: Figures, n0: int, n1: int
) -> None:
    """Compare what is found in four studies of five, and the seeds that δ needs: 80% of studies
    have to claim it."""
    sizes = (figures.n, figures.n) if figures.headline == "paired" else (n0, n1)
    if figures.n < own.FEWEST:
        case.same("detectable", record["detectable"], None)
        return
    if record["detectable"] is None:
        case.same("detectable", None, "a number")
        return
    found = own.power(figures, record["detectable"], sizes, figures.level)
    case.near("power at detectable", found, 0.8, 0.006)
    needed = record["seeds_needed"]
    if needed is None:
        return
    case.near("level of seeds needed", needed["alpha"], figures.level / 2, 1e-15)
    assert figures.sd is not None
    ends = own.sd_ends(figures.sd, figures.df)
    for key, sd in (("low", ends[0]), ("mid", None), ("high", ends[1])):
        n, known = needed[key], sd is not None
        spread = replace(figures, sd=sd) if known else figures
        powers = [
            own.power(spread, needed["effect"], (size, size), needed["alpha"], known)
            for size in (max(2, n - 1), n)
        ]
        if n > own.FEWEST and powers[0] > 0.8 + 0.006:
            case.same(f"seeds needed, {key}", n, f"fewer: {powers}")
        if n < 1000 and powers[1] < 0.8 - 0.006:
            case.same(f"seeds needed, {key}", n, f"more: {powers}")


# ── two arms


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_two_arms(hundreds: int) -> None:
    def judge(case: Case) -> None:
        base, modified = draw_arms(case)
        higher = case.chance(0.3)
        lists = case.chance(0.25)
        asked: Any = (dict(base), dict(modified))
        if lists:
            asked = [[*arm.values()] for arm in asked]
            base, modified = (dict(enumerate(arm)) for arm in asked)
        for arm in asked:
            for place, value in enumerate(arm) if lists else list(arm.items()):
                if value is None:
                    arm[place] = case.one_of(None, math.nan, math.inf, -math.inf)
        record = Asked.judge(*asked, "higher" if higher else "lower")
        figures = own.compare_arms(base, modified, has_seeds=not lists, higher_is_better=higher)
        compare_record(case, record, figures, base, modified)

    agree(1, 50 * hundreds, judge)


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_declared_studies(hundreds: int) -> None:
    """A δ, a level of a later look, a headline that was declared, runs that have not ended."""

    def judge(case: Case) -> None:
        base, modified = draw_arms(case)
        paired = set(base) == set(modified)
        values = [v for arm in (base, modified) for v in arm.values() if v is not None]
        spread = max(values) - min(values) if values else 1.0
        headline = case.one_of("paired", "paired", "welch") if paired else "welch"
        # Welch's seeds for a δ take q1lab a tenth of a second
        has_delta = case.chance(0.6 if headline == "paired" else 0.2)
        how: dict[str, Any] = {
            "headline": headline,
            "delta": (case.one_of(spread, spread / 2, 3 * spread) or None) if has_delta else None,
            "complete": not case.chance(0.05),
        }
        level = float(case.one_of(0.05, 0.05, 0.025, 0.0125))
        record = Asked.declared(base, modified, alpha=level, **how)
        figures = own.compare_arms(base, modified, level=level, **how)
        compare_record(case, record, figures, base, modified)

    agree(2, 15 * hundreds, judge)


# ── planned ranges

RANGES = [
    (first, most, total)
    for first, most in ((3, 5), (3, 8), (3, 12), (4, 9), (5, 20), (8, 24))
    for total in (0.05, 0.0125)
]


def own_plan(plan: Any) -> Plan:
    return Plan(plan.first, plan.most, plan.alpha)


@pytest.mark.parametrize(("first", "most", "total"), RANGES)
def test_all_looks_of_a_range_together_have_its_level(first: int, most: int, total: float) -> None:
    plan = Asked.plan(first, most, total)
    assert own.false_claims(own_plan(plan)) == pytest.approx(total, rel=0.004)
    assert plan.limits == pytest.approx([own_plan(plan).t(n) for n in range(first, most + 1)])


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_where_a_range_is_over(hundreds: int) -> None:
    def judge(case: Case) -> None:
        plan = Asked.plan(*case.one_of(*RANGES))
        sd = float(case.one_of(1e-3, 0.02, 5.0))
        effect = sd * float(case.one_of(0, 0, 0.5, 1, 2, 4)) * case.one_of(-1, 1)
        values = case.rng.normal(effect, sd, plan.most)
        if case.chance(0.1):
            values = values.round(2 - math.floor(math.log10(sd)))
        ended = plan.most if case.chance(0.8) else int(case.rng.integers(plan.most))
        pairs: list[float | None] = [*values[:ended].tolist()]
        if pairs and case.chance(0.05):
            pairs[case.rng.integers(len(pairs))] = None
        delta = case.one_of(None, 0.5, 1.0, 2.0, 5.0)
        delta = None if delta is None else delta * sd
        n, interval = Asked.range_over(plan, pairs, delta)
        stop = own.range_stop(own_plan(plan), pairs, delta)
        case.same(f"{own_plan(plan)}, {pairs}, δ {delta}, over after", n, stop and stop.n)
        counted = [value for value in pairs[:n] if value is not None]
        if plan.first <= len(counted):
            ends = own.t_interval(counted, plan.alpha)
            case.near("interval", interval, ends, 1e-9 * (abs(ends[0]) + abs(ends[1])))
        else:
            case.same("interval", interval, None)

    agree(3, 22 * hundreds, judge)


@pytest.mark.parametrize(("first", "most", "total"), [(3, 8, 0.05), (3, 12, 0.05), (4, 9, 0.0125)])
def test_what_a_range_finds(first: int, most: int, total: float) -> None:
    asked = Asked.plan(first, most, total)
    plan = own_plan(asked)
    found, measured = Asked.range_powers(asked)
    assert own.simulate(plan, found).claim == pytest.approx(0.8, abs=0.015)
    assert own.measured_power(plan, measured) == pytest.approx(0.8, abs=0.015)


# ── predictions


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_how_well_predictions_were_calibrated(hundreds: int) -> None:
    def judge(case: Case) -> None:
        many = int(case.rng.integers(1, 10))
        settled = [(float(case.rng.integers(101)) / 100, case.chance(0.5)) for _ in range(many)]
        case.near("calibration", Asked.scored(settled), own.calibration(settled), 1e-12)

    agree(4, 2 * hundreds, judge)


# ── whole studies, and files


def train(
    study: Any, arms: Mapping[str, Arm], curves: Curves | None = None, seconds: float = 0.0
) -> None:
    """Write the events of runs that ended with these losses, None for one that diverged."""
    for arm, losses in arms.items():
        for seed, loss in losses.items():
            points = [] if curves is None else curves[arm][seed]
            lines: list[dict[str, Any]] = [{"type": "start", "attempt": 1}]
            lines += [
                {"type": "eval", "iter": int(at), "val_loss": value, "t": at / 28}
                for at, value in sorted(points)
            ]
            last = max((int(at) for at, _ in points), default=2000)
            end = {"type": "exit", "iter": last, "state": "diverged", "t": seconds}
            lines.append(end if loss is None else {**end, "state": "finished", "val_loss": loss})
            file = study.files.run(f"{arm}-seed{seed}").events
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_studies_on_disk(
    hundreds: int, new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range or a fixed number, its curves, its prediction, and the baseline against itself."""

    def judge(case: Case) -> None:
        monkeypatch.setenv("Q1LAB_HOME", str(new_home()))
        rng = case.rng
        plan = case.one_of(None, Asked.plan(*case.one_of(*RANGES[:8])))
        seeds = int(rng.integers(2, 8)) if plan is None else plan.most
        sd = 0.02
        base = {seed: float(rng.normal(2, sd)) for seed in range(seeds)}
        effect = sd * float(case.one_of(0, 0, 1, 3))
        modified: dict[int, float | None] = {
            seed: loss + float(rng.normal(effect, sd)) for seed, loss in base.items()
        }
        delta = case.one_of(None, sd, 3 * sd)
        if case.chance(0.1):
            modified[case.one_of(*modified)] = None
        predicted = None if delta is None else {"direction": "lower", "matters": delta}
        flops = {arm: int(rng.integers(10**5, 10**6)) for arm in ARMS}
        study = Asked.study(plan, seeds, flops, predicted)
        curves = {
            arm: {
                seed: [(at, float(rng.normal(3, 0.1))) for at in (0, 500, 1500, 2000)]
                for seed in base
            }
            for arm in ARMS
        }
        ended = seeds if case.chance(0.8) else int(rng.integers(1, seeds + 1))
        arms: dict[str, Arm] = {
            arm: {seed: losses[seed] for seed in range(ended)}
            for arm, losses in zip(ARMS, (base, modified), strict=True)
        }
        train(study, arms, curves)
        floor = None
        if case.chance(0.3):
            pairs = {seed: float(rng.normal(2, sd)) for seed in range(4)}
            other = {seed: float(rng.normal(2, sd)) for seed in range(4)}
            train(Asked.floor_study(4), {"baseline": pairs, "modified": other})
            floor = own.t_interval([other[seed] - pairs[seed] for seed in pairs], 0.05)
        counted, complete, level = ended, ended == seeds, 0.05
        if plan is not None:
            differences = [
                None if (loss := modified[seed]) is None else loss - base[seed]
                for seed in range(ended)
            ]
            stop = own.range_stop(own_plan(plan), differences, delta)
            level, complete = plan.alpha, stop is not None
            counted = stop.n if stop else ended
        base_arm, modified_arm = (
            {seed: arms[arm][seed] for seed in range(counted)} for arm in ARMS
        )
        figures = own.compare_arms(
            base_arm, modified_arm, headline="paired", level=level, delta=delta, complete=complete
        )
        figures.floor = floor
        record = Asked.command("compare", "rope-1")
        case.same("complete", record["complete"], complete)
        case.near("level", record["level"], 1 - level, 1e-12)
        compare_record(case, record, figures, base_arm, modified_arm)

    agree(6, hundreds, judge)


@pytest.mark.parametrize("pairs", [3, 5])
def test_what_each_design_of_a_plan_would_say(pairs: int) -> None:
    """Chances of each verdict, averaged over what the true spread may be."""
    rng = np.random.default_rng(pairs)
    flops = dict.fromkeys(ARMS, 10**6)
    base, modified = ({seed: float(rng.normal(2, 0.02)) for seed in range(pairs)} for _ in range(2))
    study = Asked.study(None, pairs, flops, None)
    train(study, {"baseline": base, "modified": modified}, seconds=60.0)
    Asked.command("compare", "rope-1")
    effect = 0.03
    record = Asked.command("plan", "rope", "--detect", f"{effect}")
    sd = float(np.std([modified[seed] - base[seed] for seed in base], ddof=1))
    assert (record["spread"]["sd"], record["spread"]["pairs"]) == (pytest.approx(sd), pairs)
    total = record["needed"]["alpha"]
    for design in record["designs"]:
        first, most = design["first"], design["most"]
        level = total if first == most else Asked.plan(first, most, total).alpha
        plan = Plan(first, most, level)
        sds = own.estimated_sds(pairs - 1, rng)
        found = own.simulate(plan, design["sees"] / sd * sds, 1e-9)
        assert found.claim == pytest.approx(0.8, abs=0.015), design
        for key, true in (("nothing", 0.0), ("planned_for", effect)):
            ours = own.simulate(plan, true / sd * sds, effect / sd * sds)
            shown = design[key]
            assert shown["claim"] == pytest.approx(ours.claim, abs=0.015), design
            assert shown["too_small"] == pytest.approx(ours.too_small, abs=0.015), design
            assert shown["mean_pairs"] == pytest.approx(ours.mean_pairs, rel=0.02), design
            assert sum(shown[each] for each in ("claim", "too_small", "cannot_tell")) == (
                pytest.approx(1)
            )


@pytest.mark.parametrize("hundreds", HUNDREDS)
def test_the_arms_of_a_file_share_5_percent(hundreds: int, tmp_path: Path) -> None:
    def judge(case: Case) -> None:
        many, seeds = int(case.rng.integers(1, 5)), int(case.rng.integers(3, 7))
        names = ["baseline", *(f"arm-{at}" for at in range(many))]
        arms = {
            name: {seed: float(case.rng.normal(2, 0.02)) for seed in range(seeds)} for name in names
        }
        rows = [(name, seed, loss) for name, arm in arms.items() for seed, loss in arm.items()]
        file = tmp_path / "runs.csv"
        case.rng.shuffle(rows)
        lines = [f"{name},{seed},{loss!r}\n" for name, seed, loss in rows]
        file.write_text("arm,seed,val_loss\n" + "".join(lines))
        record = Asked.command("judge", str(file))
        members = [record] if many == 1 else [each["comparison"] for each in record["members"]]
        case.same("members", len(members), many)
        ranked = sorted(members, key=lambda member: float(member["difference"]["mean"]))
        case.same("ranks", [each["variant"] for each in members], [m["variant"] for m in ranked])
        for member in members:
            name = member["variant"]
            figures = own.compare_arms(arms["baseline"], arms[name], level=0.05 / many)
            case.near("level", member["alpha"], figures.level, 1e-15)
            compare_record(case, member, figures, arms["baseline"], arms[name])

    agree(7, hundreds, judge)
