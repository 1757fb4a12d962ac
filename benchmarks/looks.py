"""What a person may do when nothing has changed, and how often q1lab then claims that something
has: invented weeks through the program's own record, history and comparison.

    python benchmarks/looks.py [--weeks 1000] [--rows NAME ...] [--write]

Each week is a home of its own with studies as the program writes them (``study.json``, events),
put on record before they train, planned with ``planning``'s own levels and judged by ``compare``.
Only the numbers and the clock are invented: both arms' losses are normal, with one spread.
``--write`` keeps what came out, week by week, in ``docs/results/looks.jsonl``; ``python
tools/docs/make.py looks`` makes the page from it.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    import numpy as np

    from q1lab.index.store import Store
    from q1lab.study.design import TypedSeeds
    from q1lab.study.studies import Arm, Study
    from q1lab.verdict.comparison import Comparison

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "docs" / "results" / "looks.jsonl"

SD = 0.008
"""Of one run's loss, in nats; the arms' errors are independent, so a pair's spread is √2 times as
large. Nothing that is counted here depends on it."""

OTHERS = ("rope", "rmsnorm", "swiglu", "gqa")
CONFIG = {"max_iters": 2000, "learning_rate": 1e-3, "log_interval": 10}
LOWER_RATE = {"config": {**CONFIG, "learning_rate": 3e-4}}
DULL = 4.3
"""A study of three pairs looks dull while its |t| is below this, the limit at 95%."""


@dataclass
class Week:
    """One person's week, in a home of its own."""

    store: Store
    rng: np.random.Generator
    effect: float = 0.0
    """True difference, in sds of a pair's difference; negative means that the change helps."""
    losses: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """(text, model, seed) → final val loss, as training would find it every time."""
    count: int = 0
    minutes: int = 0

    def study(self, seeds: Sequence[int], variant: str = "rope", **changes: Any) -> Study:
        """A study of these seeds, planned and on record, of which nothing has trained."""
        return self.begun(self.draft(seeds, variant, **changes))

    def begun(self, study: Study) -> Study:
        """Put a study on record, then write it, as the program does."""
        from q1lab.record import begin
        from q1lab.study import studies

        begin.record_begin(self.store, study)
        (study.files.root / "source").mkdir(parents=True, exist_ok=True)
        studies.save(study)
        return study

    def draft(
        self, seeds: Sequence[int], variant: str = "rope", text: str = "text", **changes: Any
    ) -> Study:
        """The same before it is on disk."""
        from q1lab.ground import json_records
        from q1lab.study import studies
        from q1lab.study.studies import Data

        self.count += 1
        keys = {
            "id": f"{variant}-{self.count}",
            "created": self.clock(),
            "arms": {"baseline": arm("baseline", "baseline"), "modified": arm("modified", variant)},
            "looks": (tuple(seeds),),
            "preset": "cpu",
            "config": CONFIG,
            "data": Data(text, _sha(text), f"data/{_sha(text)}.txt", 1, 65, 1, 1, _sha(text)),
            "device": "cpu",
            "dtype": "fp32",
            "jobs": 2,
            "threads": 1,
            "headline": "paired",
            "versions": {},
        }
        return studies.from_dict(json_records.to_json({**keys, **changes}))

    def planned(self, first: int, most: int, **changes: Any) -> Study:
        """A study with a planned range, at the level that planning gives it."""
        from q1lab.planning import study_plan

        draft = self.draft(range(most), **changes)
        return self.begun(study_plan.declare_design(draft, typed_range(first, most), self.store))

    def clock(self) -> str:
        """A minute later than anything before."""
        self.minutes += 1
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.minutes)).isoformat()

    def loss(self, model: str, seed: int, text: str = "text") -> float:
        """The final val loss of a run."""
        if (text, model, seed) not in self.losses:
            shift = 0.0 if model == "baseline" else self.effect * math.sqrt(2)
            error = float(self.rng.standard_normal())
            self.losses[text, model, seed] = 1.9 + SD * (shift + error)
        return self.losses[text, model, seed]

    def train(
        self, study: Study, seeds: Iterable[int], end: str = "finished", over: float = 1.0
    ) -> None:
        """Train pairs up to a share of their iters, as the trainer writes it down."""
        for seed in seeds:
            self._train(study, seed, end, over)

    def _train(self, study: Study, seed: int, end: str, over: float) -> None:
        for role, model in (("baseline", study.baseline), ("modified", study.variant)):
            files = study.files.run(f"{role}-seed{seed}")
            files.root.mkdir(parents=True, exist_ok=True)
            before = files.events.read_text() if files.events.exists() else ""
            if '"finished"' in before:
                continue
            loss = self.loss(model, seed, study.data.name)
            last = int(study.max_iters * over)
            state = "finished" if end == "diverged" and role == "baseline" else end
            events: list[dict[str, Any]] = [
                {"type": "start", "attempt": 1 + before.count('"start"'), "time": self.clock()},
                {"type": "iter", "iter": last, "train_loss": loss},
                *([{"type": "eval", "iter": last, "val_loss": loss}] if over >= 0.1 else []),
                {"type": "exit", "iter": last, "time": self.clock(), "state": state}
                | ({"val_loss": loss} if state == "finished" else {}),
            ]
            lines = "".join(json.dumps(event) + "\n" for event in events)
            files.events.write_text(before + lines)

    def told(self, study: Study) -> Comparison:
        """What q1lab says about a study now."""
        from q1lab.index import ingest_events
        from q1lab.verdict.comparison_cache import compare

        ingest_events.ingest_all(self.store)
        return compare(self.store, study)

    def asked(self, seeds: Sequence[int], variant: str = "rope", **changes: Any) -> Comparison:
        """Plan, train and compare a study of these seeds."""
        study = self.study(seeds, variant, **changes)
        self.train(study, seeds)
        return self.told(study)

    def differences(
        self, seeds: Sequence[int], model: str = "rope", text: str = "text"
    ) -> list[float]:
        return [self.loss(model, seed, text) - self.loss("baseline", seed, text) for seed in seeds]

    def best(self, many: int, n: int = 3, text: str = "text") -> tuple[int, ...]:
        """The ``n`` of the first ``many`` seeds that look most like a difference."""
        sets = itertools.combinations(range(many), n)
        return max(sets, key=lambda seeds: t_of(self.differences(seeds, text=text)))

    def promising(self, many: int, text: str = "text") -> range:
        """As many of the first ``many`` seeds as look most like a difference."""
        sets = [range(n) for n in range(3, many + 1)]
        return min(sets, key=lambda seeds: p_of(self.differences(seeds, text=text)))


def arm(role: str, model: str, code: str = "") -> Arm:
    """An arm as planning drafts it for a learner's file. ``code``: what else its file has, which
    changes its syntax tree and nothing that it trains."""
    from q1lab.study.studies import Arm

    text, place = f"{model} {code}", f"/repo/{model}.py"
    source = f"source/{role}.py"
    return Arm(model, model, source, _sha(text), place, 800_000, 1_600_000, _sha(text))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def t_of(values: Sequence[float]) -> float:
    """|t| of a paired comparison."""
    return abs(statistics.fmean(values)) / statistics.stdev(values) * math.sqrt(len(values))


def p_of(values: Sequence[float]) -> float:
    from scipy import special

    return float(2 * special.stdtr(len(values) - 1, -t_of(values)))


# ── the ways of asking; each gives what q1lab said on the way that the row is about, the last last

Ask = Callable[[Week], "list[Comparison]"]


def typed_range(first: int, most: int) -> TypedSeeds:
    """``--seeds FIRST..MOST``."""
    from q1lab.designs.range import Range
    from q1lab.study.design import TypedSeeds

    return TypedSeeds(Range, tuple(range(most)), first)


def fixed(n: int, **changes: Any) -> Ask:
    return lambda week: [week.asked(range(n), **changes)]


def stop_when_known(week: Week, study: Study) -> Comparison:
    """Train a planned range pair by pair until it is over, as the runner does."""
    pairs: list[float | None] = []
    for seed in study.seeds:
        week.train(study, [seed])
        pairs += week.differences([seed], study.variant)
        if study.design.over_after(pairs, None):
            break
    return week.told(study)


def planned(*ranges: tuple[int, int], after: int = 0) -> Ask:
    """Planned ranges one after the other, each on the first seeds without results, after a study of
    ``after`` pairs."""

    def ask(week: Week) -> list[Comparison]:
        said = [week.asked(range(after))] if after else []
        return said + [stop_when_known(week, week.planned(*each)) for each in ranges]

    return ask


def more(week: Week, study: Study, seeds: Sequence[int]) -> Study:
    """The study with another batch of seeds, trained."""
    study = week.begun(study.with_design(batches=(*study.design.batches, tuple(seeds))))
    week.train(study, seeds)
    return study


def adding(*sizes: int) -> Ask:
    """Seeds are added after each look, without a plan."""

    def ask(week: Week) -> list[Comparison]:
        study = week.study(range(sizes[0]))
        week.train(study, range(sizes[0]))
        said = [week.told(study)]
        for before, n in itertools.pairwise(sizes):
            study = more(week, study, range(before, n))
            said.append(week.told(study))
        return said

    return ask


def fresh(times: int, n: int = 3, *, gone: str = "", **changes: Any) -> Ask:
    """The same again with other seeds, and what looks best is told. ``gone``: how a study is got
    rid of, deleted or removed by hand."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.record import delete_restore

        said: list[Comparison] = []
        for k in range(times):
            study = week.study(range(k * n, (k + 1) * n), **changes)
            week.train(study, study.seeds)
            said.append(week.told(study))
            if gone == "deleted":
                delete_restore.delete_study(week.store, study.id)
            elif gone == "removed":
                shutil.rmtree(study.files.root)
        return said

    return ask


def stopped(tries: int) -> Ask:
    """Watched, and stopped at 99% if dull; then other seeds."""

    def ask(week: Week) -> list[Comparison]:
        for k in range(tries):
            study = week.study(range(3 * k, 3 * k + 3))
            week.train(study, study.seeds, "stopped", 0.99)
            if k == tries - 1 or t_of(week.differences(study.seeds)) > DULL:
                week.train(study, study.seeds)
                if week.told(study).analysis.verdict in ("helps", "hurts"):
                    break
        return [week.told(study)]

    return ask


def third_if_promising(tries: int) -> Ask:
    """Two pairs, and a third only where both agree; else two others."""

    def ask(week: Week) -> list[Comparison]:
        said = []
        for k in range(tries):
            study = week.study(range(3 * k, 3 * k + 2))
            week.train(study, study.seeds)
            if k == tries - 1 or t_of(week.differences(study.seeds)) > 3:
                study = more(week, study, [3 * k + 2])
                said.append(week.told(study))
        return said

    return ask


def other_headline(week: Week) -> list[Comparison]:
    return [week.asked(range(3)), week.asked(range(3), headline="welch")]


# ── several questions


def several(*models: str) -> Ask:
    """A study for each modification, over one baseline arm."""
    return lambda week: [week.asked(range(3), model) for model in models]


def texts(many: int) -> Ask:
    return lambda week: [week.asked(range(3), text=f"text {k}") for k in range(many)]


def settings(many: int) -> Ask:
    """Other settings and other seeds each time."""
    return lambda week: [
        week.asked(range(3 * k, 3 * k + 3), config={**CONFIG, "learning_rate": 1e-3 / (k + 1)})
        for k in range(many)
    ]


def rewritten(many: int) -> Ask:
    """A line that does nothing is written into the file, and other seeds are taken each time."""

    def ask(week: Week) -> list[Comparison]:
        return [
            week.asked(range(3 * k, 3 * k + 3), arms=_arms(modified=f"line {k}"))
            for k in range(many)
        ]

    return ask


def _arms(baseline: str = "", modified: str = "") -> dict[str, Arm]:
    """Both arms, with a line more in a file."""
    return {
        "baseline": arm("baseline", "baseline", baseline),
        "modified": arm("modified", "rope", modified),
    }


def sweep(times: int, models: Sequence[str], first: int, most: int | None = None) -> Ask:
    """Modifications declared together, over one baseline arm; what looks best is told. Without
    ``most`` each has ``first`` pairs, other ones each time."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.judgment.intervals import ALPHA
        from q1lab.planning import study_plan
        from q1lab.study.series import SWEEP, Series

        said = []
        for k in range(times):
            record = Series(f"sweep-{k}", SWEEP, tuple(models), 0, ALPHA / len(models))
            seeds = tuple(range(k * (most or first), (k + 1) * (most or first)))
            made = []
            for at, model in enumerate(models):
                draft = week.draft(seeds, model, series=record.with_place(at))
                if most:
                    draft = study_plan.declare_design(
                        draft, typed_range(first, most), week.store, seeds
                    )
                made.append(week.begun(draft))
            for study in made:
                if most:
                    said.append(stop_when_known(week, study))
                    continue
                week.train(study, seeds)
                said.append(week.told(study))
        return said

    return ask


def over_budgets(week: Week) -> list[Comparison]:
    """`--over max_iters=500,1000,2000`: one question at each of three budgets."""
    from q1lab.judgment.intervals import ALPHA
    from q1lab.study.series import OVER, Series

    iters = ("500", "1000", "2000")
    record = Series("over-1", OVER, iters, 0, ALPHA / 3, axis="max_iters")
    studies = [
        week.study(
            range(3),
            text=f"text, {many} iters",
            config={**CONFIG, "max_iters": int(many)},
            series=record.with_place(at),
        )
        for at, many in enumerate(iters)
    ]
    for study in studies:
        week.train(study, study.seeds)
    return [week.told(study) for study in studies]


# ── what costs nothing


def failed_first(week: Week) -> list[Comparison]:
    """Three studies that end before they show a number."""
    for _ in range(3):
        study = week.study(range(3))
        week.train(study, [0], "failed", 0)
    return [week.asked(range(3))]


def diverged_first(week: Week) -> list[Comparison]:
    study = week.study(range(3))
    week.train(study, range(2))
    week.train(study, [2], "diverged")
    return [week.told(study), week.asked(range(3, 6))]


def single_pairs(week: Week) -> list[Comparison]:
    for seed in range(10):
        week.asked([seed])
    return [week.asked(range(3))]


def screened(ideas: int) -> Ask:
    """Ideas screened by one pair each; the best goes on, with that pair in it."""

    def ask(week: Week) -> list[Comparison]:
        tried = [week.study([0], f"idea{k}") for k in range(ideas)]
        for study in tried:
            week.train(study, [0])
        best = min(tried, key=lambda study: week.loss(study.variant, 0))
        return [week.told(more(week, best, [1, 2]))]

    return ask


def best_pair_goes_on(week: Week) -> list[Comparison]:
    """Six single pairs; the best goes on with two new ones."""
    tried = [week.study([seed]) for seed in range(6)]
    for seed, study in enumerate(tried):
        week.train(study, [seed])
    best = max(range(6), key=lambda seed: abs(week.differences([seed])[0]))
    return [week.told(more(week, tried[best], [6, 7]))]


def replication(week: Week) -> list[Comparison]:
    """Three fresh pairs after a claim. The first three pairs are made to claim something."""
    true_effect, week.effect = week.effect, -100.0
    week.asked(range(3))
    week.effect = true_effect
    return [week.asked(range(3, 6))]


# ── seeds that were picked


def picking(many: int, **changes: Any) -> Ask:
    """The best three of the seeds that are there are named in a new study."""

    def ask(week: Week) -> list[Comparison]:
        week.asked(range(many))
        best = week.best(many)
        if "text" in changes:
            week.losses |= {
                (changes["text"], model, seed): week.loss(model, seed)
                for model in ("baseline", "rope")
                for seed in range(many)
            }
        return [week.asked(best, **changes)]

    return ask


def baseline_worst(week: Week) -> list[Comparison]:
    """Eight of the 20 seeds of another modification, those at which its baseline did worst."""
    week.asked(range(20), "swiglu")
    worst = sorted(range(20), key=lambda seed: -week.loss("baseline", seed))[:8]
    return [week.asked(worst)]


def plan_edited(week: Week) -> list[Comparison]:
    """Five of eight seeds are taken out of study.json after the runs."""
    from q1lab.study import studies

    study = week.study(range(8))
    week.train(study, study.seeds)
    studies.save(study.with_design(batches=(week.best(8),)))
    return [week.told(studies.load(study.id))]


# ── what files alone can't show


def elsewhere(tries: int) -> Ask:
    """A home that is put back to an earlier copy after each dull try, or a home for each: only the
    last try is on record."""

    def ask(week: Week) -> list[Comparison]:
        for k in range(tries):
            seeds = range(3 * k, 3 * k + 3)
            if k == tries - 1 or t_of(week.differences(seeds)) > DULL:
                return [week.asked(seeds)]
        raise AssertionError

    return ask


def imported(many: int) -> Ask:
    """The best 3 of many runs from elsewhere are imported."""
    record = {"source": "runs.csv", "time": "2026-01-01T00:00:00+00:00"}
    return lambda week: [week.asked(week.best(many), imported=record)]


def wrapped(times: int) -> Ask:
    """A command trains the modified arm several times, and reports the best."""

    def ask(week: Week) -> list[Comparison]:
        for seed in range(3):
            tried = [week.loss(f"rope {k}", seed) for k in range(times)]
            week.losses["text", "rope", seed] = min(tried)
        return [week.asked(range(3))]

    return ask


def mapped(many: int) -> Ask:
    """A command maps seeds 0, 1, 2 to the best three of many."""

    def ask(week: Week) -> list[Comparison]:
        best = week.best(many)
        chosen = {
            ("text", model, at): week.loss(model, seed)
            for model in ("baseline", "rope")
            for at, seed in enumerate(best)
        }
        week.losses |= chosen
        return [week.asked(range(3))]

    return ask


def begun_again(tries: int) -> Ask:
    """A command whose seed does not repeat: a dull modified run is stopped at 99% and begun
    again."""

    def ask(week: Week) -> list[Comparison]:
        study = week.study(range(3))
        for seed in study.seeds:
            for k in range(tries):
                week.train(study, [seed], "stopped", 0.99)
                if k == tries - 1 or week.differences([seed])[0] < -SD:
                    break
                del week.losses["text", "rope", seed]
        week.train(study, study.seeds)
        return [week.told(study)]

    return ask


def counted_before_a_rewrite(week: Week) -> list[Comparison]:
    """As many of the first seeds as looked best, after a line that does nothing was added."""
    week.asked(range(8))
    return [week.asked(week.promising(8), arms=_arms(modified="a line"))]


def counted_at_another_budget(correlation: float) -> Ask:
    """As many of the first seeds as looked best at another budget, where pairs correlate so."""

    def ask(week: Week) -> list[Comparison]:
        week.asked(range(8), text="shorter", **LOWER_RATE)
        for model, seed in itertools.product(("baseline", "rope"), range(8)):
            known = (week.loss(model, seed, "shorter") - 1.9) / SD
            noise = math.sqrt(1 - correlation**2) * float(week.rng.standard_normal())
            week.losses["text", model, seed] = 1.9 + SD * (correlation * known + noise)
        return [week.asked(week.promising(8, "shorter"))]

    return ask


def counted_by_floor(week: Week) -> list[Comparison]:
    """The baseline is compared with itself first; then as many of the first seeds are taken as the
    baseline's known losses make promising."""
    week.asked(range(8), "baseline")

    def off(n: int) -> float:
        return abs(sum(week.loss("baseline", seed) - 1.9 for seed in range(n))) / math.sqrt(n)

    return [week.asked(range(max(range(3, 9), key=off)))]


def declared_sets(week: Week) -> list[Comparison]:
    """Three sets of seeds, each declared for another modification; the fourth takes the set at
    which the baseline ended farthest from its mean."""
    sets = [range(3 * k, 3 * k + 3) for k in range(3)]
    for model, seeds in zip(OTHERS[1:], sets, strict=True):
        week.asked(seeds, model)

    def off(seeds: Sequence[int]) -> float:
        return abs(sum(week.loss("baseline", seed) - 1.9 for seed in seeds))

    return [week.asked(max(sets, key=off))]


def begun_and_watched(week: Week) -> list[Comparison]:
    """All 20 sets of three of six seeds are begun and stopped at iter 1; the seeds are watched as
    single pairs; the best set goes on."""
    begun = {seeds: week.study(seeds) for seeds in itertools.combinations(range(6), 3)}
    for study in begun.values():
        week.train(study, study.seeds, "stopped", 1 / 2000)
    for seed in range(6):
        week.train(week.study([seed]), [seed])
    best = week.begun(begun[week.best(6)])
    week.train(best, best.seeds)
    return [week.told(best)]


@dataclass(frozen=True)
class Row:
    """``group``: ``planned``, ``again`` (looks at one question), ``home`` (several questions),
    ``free`` (what costs nothing), ``replication``, ``chosen`` (seeds that were picked) or
    ``unknown`` (what files alone can't show)."""

    name: str
    group: str
    what: str
    ask: Ask
    effect: float = 0.0


ROWS = [
    Row("fixed-3", "planned", "one look at 3 pairs", fixed(3)),
    Row("fixed-8", "planned", "one look at 8 pairs", fixed(8)),
    Row("welch-3", "planned", "one look at 3 seeds, Welch", fixed(3, headline="welch")),
    Row("range-3-8", "planned", "a planned range, `3..8`", planned((3, 8))),
    Row("range-3-12", "planned", "a planned range, `3..12`", planned((3, 12))),
    Row("sweep-3-8", "planned", "a sweep of four modifications, `3..8`", sweep(1, OTHERS, 3, 8)),
    Row("over", "planned", "one modification `--over` three budgets, 3 pairs", over_budgets),
    Row("adding-3-5", "again", "looks at 3, then 5 pairs", adding(3, 5)),
    Row("adding-3-5-10", "again", "looks at 3, then 5, then 10 pairs", adding(3, 5, 10)),
    Row("adding-each", "again", "looks after each pair from 3 to 12", adding(*range(3, 13))),
    Row("fresh-2", "again", "`--fresh` with other seeds, best of 2", fresh(2)),
    Row("fresh-5", "again", "the same, best of 5", fresh(5)),
    Row("fresh-20", "again", "the same, best of 20", fresh(20)),
    Row("deleted-3", "again", "deletes it and asks again, best of 3", fresh(3, gone="deleted")),
    Row("removed-3", "again", "`rm -rf` of its folder, best of 3", fresh(3, gone="removed")),
    Row("stopped-8", "again", "stopped at 99% if dull, up to 8 tries", stopped(8)),
    Row("third-8", "again", "a third seed only if two agree, 8 tries", third_if_promising(8)),
    Row("headline", "again", "another `--headline` over the same 3 pairs", other_headline),
    Row("then-range", "again", "3 pairs, then a planned range `3..12`", planned((3, 12), after=3)),
    Row("two-ranges", "again", "a range `3..8`, then another", planned((3, 8), (3, 8))),
    Row("split-4", "home", "four modifications, four studies", several(*OTHERS)),
    Row("texts-5", "home", "one modification on five texts", texts(5)),
    Row("settings-3", "home", "three learning rates, other seeds each time", settings(3)),
    Row("rewritten-5", "home", "a line that does nothing, added five times", rewritten(5)),
    Row("sweep-3", "home", "a sweep of four, three times", sweep(3, OTHERS, 3)),
    Row("failed", "free", "three studies that never showed a number first", failed_first),
    Row("diverged", "free", "a study that diverged first", diverged_first),
    Row("singles-10", "free", "ten single pairs first", single_pairs),
    Row("screened-20", "free", "20 ideas by one pair each, and the best goes on", screened(20)),
    Row(
        "pair-of-6",
        "free",
        "six single pairs, and the best goes on with two more",
        best_pair_goes_on,
    ),
    *(
        Row(f"replication-{effect:g}", "replication", f"{effect:g}", replication, -effect)
        for effect in (0.0, 1.0, 2.0, 3.0)
    ),
    Row("picking-5", "chosen", "names the best 3 of 5 seeds", picking(5)),
    Row("picking-8", "chosen", "names the best 3 of 8 seeds", picking(8)),
    Row("rate-8", "chosen", "the same at another learning rate", picking(8, **LOWER_RATE)),
    Row("text-8", "chosen", "the same on another text", picking(8, text="another")),
    Row(
        "rewritten-8",
        "chosen",
        "the same, with a line that does nothing in one of both files",
        picking(8, arms=_arms(modified="a line")),
    ),
    Row("worst-8", "chosen", "8 of 20 seeds, where a known baseline did worst", baseline_worst),
    Row("edited", "chosen", "5 of 8 seeds taken out of study.json after the runs", plan_edited),
    Row(
        "elsewhere-8",
        "unknown",
        "a second home or machine, or a home put back to an earlier copy, up to 8 tries",
        elsewhere(8),
    ),
    Row("imported-12", "unknown", "the best 3 of 12 runs from elsewhere, imported", imported(12)),
    Row(
        "wrapped-5",
        "unknown",
        "a command that trains the modified arm 5 times and reports the best",
        wrapped(5),
    ),
    Row("mapped-8", "unknown", "a command that maps seeds 0, 1, 2 to the best 3 of 8", mapped(8)),
    Row(
        "again-5",
        "unknown",
        "a command whose seed fixes nothing: dull runs begun again at 99%, up to 5 tries each",
        begun_again(5),
    ),
    Row(
        "both-rewritten-8",
        "unknown",
        "the best 3 of 8 seeds, with a line that does nothing in both files",
        picking(8, arms=_arms("a line", "a line")),
    ),
    Row(
        "counted-rewritten",
        "unknown",
        "as many of the first 8 seeds as looked best, with such a line in one file",
        counted_before_a_rewrite,
    ),
    *(
        Row(
            f"counted-budget-{correlation:g}",
            "unknown",
            f"as many as looked best at another budget, where pairs correlate by {correlation:g}",
            counted_at_another_budget(correlation),
        )
        for correlation in (0.26, 0.79)
    ),
    Row(
        "counted-floor",
        "unknown",
        "as many as the baseline against itself makes promising",
        counted_by_floor,
    ),
    Row(
        "declared-3",
        "unknown",
        "the one of 3 declared sets at which the baseline did oddest",
        declared_sets,
    ),
    Row(
        "begun-6",
        "unknown",
        "all sets of 3 of 6 begun and stopped at iter 1; the best goes on after single pairs",
        begun_and_watched,
    ),
]


# ── run them


@contextmanager
def homes() -> Iterator[Callable[[], AbstractContextManager[Store]]]:
    """Makes empty homes, in memory where there is room for it, each with its store."""
    from q1lab.index.store import Store

    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="looks-", dir=memory if memory.is_dir() else None) as at,
        patch.dict(os.environ, Q1LAB_HOME=f"{at}/empty"),
    ):
        Store().close()

        @contextmanager
        def home() -> Iterator[Store]:
            folder = Path(at) / "home"
            shutil.copytree(f"{at}/empty", folder)
            os.environ["Q1LAB_HOME"] = str(folder)
            try:
                with Store() as store:
                    yield store
            finally:
                shutil.rmtree(folder)

        yield home


def weeks(row: Row, many: int, seed: int = 1) -> Iterator[list[Comparison]]:
    """What q1lab said in each of ``many`` weeks. The same seed gives the same weeks."""
    import numpy as np

    from q1lab.record import on_record

    rng = np.random.default_rng([seed, zlib.crc32(row.name.encode())])
    with homes() as home:
        for _ in range(many):
            with home() as store:
                week = Week(store, rng, row.effect)
                with patch.object(on_record, "utc_now", week.clock):
                    yield row.ask(week)


LETTERS = {"helps": "h", "hurts": "u", "too small to matter": "s", "cannot tell": "c"}


def simulate(row: Row, many: int, seed: int = 1) -> dict[str, Any]:
    """A row's raw results, one character per week.

    ``answers``: the first claim that q1lab made (h helps, u hurts), else its last answer (c cannot
    tell, n no verdict); ``last``: its last answer alone; ``pairs``: how many that one rests on, in
    base 36. ``question`` and ``home`` are the largest sums of levels that it printed, for the
    question and for the home.
    """
    answers, last, pairs, question, home = "", "", "", 0.0, 0.0
    for said in weeks(row, many, seed):
        letters = [LETTERS.get(one.analysis.verdict, "n") for one in said]
        answers += next((letter for letter in letters if letter in "hu"), letters[-1])
        last += letters[-1]
        pairs += "0123456789abcdefghijklmnopqrstuvwxyz"[said[-1].analysis.n]
        question = max(question, *(one.asking.total for one in said))
        home = max(home, *(one.asking.of_home.total for one in said))
    facts = {"row": row.name, "group": row.group, "what": row.what, "effect": row.effect}
    facts |= {"weeks": many, "question": round(question, 5), "home": round(home, 5)}
    kept = {"answers": answers, "last": last, "pairs": pairs}
    if row.group != "planned":
        del kept["pairs"]
    if last == answers:
        del kept["last"]
    return {**facts, **kept}


def keep(result: dict[str, Any], file: Path = RESULTS) -> None:
    """Put a row's raw results in the place of older ones, in the order of ``ROWS``."""
    there = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    by_name = {one["row"]: one for one in there} | {result["row"]: result}
    order = [row.name for row in ROWS]
    lines = [json.dumps(by_name[name]) + "\n" for name in order if name in by_name]
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--rows", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    print(
        "| row | claims, % | no verdict, % | question, % | home, % | s |\n|---|---|---|---|---|---|"
    )
    for row in ROWS:
        if args.rows and not row.name.startswith(tuple(args.rows)):
            continue
        began = time.process_time()
        found = simulate(row, args.weeks)
        claims = sum(letter in "hu" for letter in found["answers"]) / args.weeks
        none = found.get("last", found["answers"]).count("n") / args.weeks
        shares = [f"{100 * one:.1f}" for one in (claims, none, found["question"], found["home"])]
        seconds = f"{time.process_time() - began:.1f}"
        print(f"| {' | '.join([row.name, *shares, seconds])} |", flush=True)
        if args.write:
            keep(found)


if __name__ == "__main__":
    main()
