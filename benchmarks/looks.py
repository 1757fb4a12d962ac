"""What a person may do with a question when nothing has changed, and how often q1lab then claims
that something has: thousands of invented weeks through the program's own ledger and comparison.

    python benchmarks/looks.py [--studies 4000] [--rows NAME ...] [--write]

Each week is a home of its own with studies as the program writes them (``study.json``, events),
planned with ``planning``'s own levels and judged by ``compare``. Only the numbers are invented:
both arms' losses are normal, with one spread. ``--write`` keeps what came out, week by week, in
``docs/results/looks.jsonl``; ``python tools/docs/make.py looks`` makes the page from it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from q1lab.compare.record import Comparison
    from q1lab.index.store import Store
    from q1lab.study.studies import Study

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "docs" / "results" / "looks.jsonl"

SD = 0.008
"""Of one run's loss, in nats; the arms' errors are independent, so a pair's spread is √2 times as
large. Nothing that is counted here depends on it."""

WEEKS_PER_HOME = 100
OTHERS = ("rope", "rmsnorm", "swiglu", "gqa")


@dataclass
class Week:
    """One person's question, in a home where nobody asked it before."""

    store: Store
    rng: np.random.Generator
    number: int
    effect: float = 0.0
    """True difference, in sds of a pair's difference; negative means that the change helps."""
    losses: dict[tuple[str, int], float] = field(default_factory=dict)
    """(model, seed) → final val loss, as training would find it every time."""
    count: int = 0

    def study(self, seeds: Sequence[int], variant: str = "rope", **changes: Any) -> Study:
        """A study of these seeds, planned now, of which nothing has trained."""
        return _saved(self.draft(seeds, variant, **changes))

    def draft(self, seeds: Sequence[int], variant: str = "rope", **changes: Any) -> Study:
        """The same before it is on disk."""
        from q1lab.study.studies import ARMS, Arm, Data, Study

        self.count += 1
        name = f"{variant}-{self.number}{'abcdefghijkl'[self.count - 1]}"
        # (an Arm as planning drafts it for a model that ships)
        arms = {
            arm: Arm(model, model, f"source/{arm}.py", f"{zlib.crc32(model.encode()):064d}", model,
                     800_000, 1_600_000)
            for arm, model in zip(ARMS, ("baseline", variant), strict=True)
        }  # fmt: skip
        corpus = f"{self.number:064d}"
        made = Study(
            id=name,
            created=self.clock(),
            arms=arms,
            looks=(tuple(seeds),),
            preset="cpu",
            config={"max_iters": 2000, "learning_rate": 1e-3},
            data=Data("invented", corpus, f"data/{corpus}.txt", 1, 65, 1, 1),
            device="cpu",
            dtype="fp32",
            jobs=2,
            threads=1,
            headline="paired",
            versions={},
        )
        return replace(made, **changes)

    def planned(self, first: int, most: int, **changes: Any) -> Study:
        """A study with a planned range, at the level that planning gives it."""
        from q1lab import planning

        draft = self.draft(range(most), **changes)
        return _saved(planning.planned(draft, first, most, self.store))

    def clock(self) -> str:
        """Later than anything before."""
        since = timedelta(hours=self.number, minutes=self.count)
        return (datetime(2026, 1, 1, tzinfo=UTC) + since).isoformat()

    def loss(self, model: str, seed: int) -> float:
        if (model, seed) not in self.losses:
            shift = 0.0 if model == "baseline" else self.effect * SD * math.sqrt(2)
            self.losses[model, seed] = 1.9 + shift + SD * float(self.rng.standard_normal())
        return self.losses[model, seed]

    def train(self, study: Study, seed: int, diverged: bool = False) -> None:
        """Train a pair, as the trainer writes it down."""
        for arm, model in (("baseline", study.baseline), ("modified", study.variant)):
            files = study.files.run(f"{arm}-seed{seed}")
            files.root.mkdir(parents=True, exist_ok=True)
            end = {"state": "finished", "val_loss": self.loss(model, seed)}
            if diverged and arm == "modified":
                end = {"state": "diverged"}
            when = study.created.replace(":00+00:00", ":30+00:00")
            events = [
                {"type": "start", "attempt": 1, "time": when},
                {"type": "exit", "iter": 2000, "time": when, **end},
            ]
            files.events.write_text("".join(json.dumps(event) + "\n" for event in events))

    def told(self, study: Study) -> Comparison:
        """What q1lab says about a study now."""
        from q1lab.compare.keeping import compare

        return compare(self.store, study)

    def asked(self, seeds: Sequence[int], **changes: Any) -> Comparison:
        """Plan, train and compare a study of these seeds."""
        study = self.study(seeds, **changes)
        for seed in seeds:
            self.train(study, seed)
        return self.told(study)

    def differences(self, seeds: Sequence[int], model: str = "rope") -> list[float]:
        return [self.loss(model, seed) - self.loss("baseline", seed) for seed in seeds]


def _saved(study: Study) -> Study:
    from q1lab.study import studies

    (study.files.root / "source").mkdir(parents=True)
    studies.save(study)
    return study


# ── the ways of asking; each gives all that q1lab said on the way, the last answer last

Ask = Callable[[Week], "list[Comparison]"]


def fixed(n: int, **changes: Any) -> Ask:
    return lambda week: [week.asked(range(n), **changes)]


def stop_when_known(week: Week, study: Study) -> Comparison:
    """Train a planned range pair by pair until it is over, as the runner does."""
    from q1lab.study import ranges

    made = study.range
    assert made is not None
    pairs: list[float | None] = []
    for seed in study.seeds:
        week.train(study, seed)
        pairs += week.differences([seed], study.variant)
        if ranges.over_at(made, pairs):
            break
    return week.told(study)


def planned(first: int, most: int) -> Ask:
    return lambda week: [stop_when_known(week, week.planned(first, most))]


def adding(*sizes: int) -> Ask:
    """Seeds are added after each look, without a plan."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.study import studies

        study = week.study(range(sizes[0]))
        said = []
        for before, n in itertools.pairwise((0, *sizes)):
            if before:
                study = replace(study, looks=(*study.looks, tuple(range(before, n))))
                studies.save(study)
            for seed in range(before, n):
                week.train(study, seed)
            said.append(week.told(study))
        return said

    return ask


def fresh(times: int, n: int = 3, *, delete: bool = False, **changes: Any) -> Ask:
    """The same again with other seeds, and what looks best is told."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.study import upkeep

        said = []
        for k in range(times):
            said.append(week.asked(range(k * n, (k + 1) * n), **(changes if k else {})))
            if delete and k < times - 1:
                upkeep.delete(said[-1].study)
                with week.store.write() as db:
                    db.execute("DELETE FROM studies WHERE id = ?", (said[-1].study,))
        return said

    return ask


def picking(many: int, n: int = 3) -> Ask:
    """The best of the seeds that are there are named in a new study: nothing trains."""

    def ask(week: Week) -> list[Comparison]:
        first = week.asked(range(many))
        best = max(itertools.combinations(range(many), n), key=lambda s: _t(week.differences(s)))
        return [first, week.asked(best)]

    return ask


def without_the_diverged(week: Week) -> list[Comparison]:
    study = week.study(range(4))
    for seed in study.seeds:
        week.train(study, seed, diverged=seed == 3)
    return [week.told(study), week.asked(range(3), headline="welch")]


def other_headline(n: int) -> Ask:
    return lambda week: [week.asked(range(n)), week.asked(range(n), headline="welch")]


def then_planned(n: int, first: int, most: int) -> Ask:
    return lambda week: [week.asked(range(n)), stop_when_known(week, week.planned(first, most))]


def best_of_four(n: int) -> Ask:
    return lambda week: [week.asked(range(n), variant=model) for model in OTHERS]


def sweep_of_four(first: int, most: int) -> Ask:
    """Four modifications declared together, over one baseline arm; what looks best is told."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab import planning
        from q1lab.compare.stats import ALPHA
        from q1lab.study.series import SWEEP, Series

        record = Series(f"sweep-{week.number}", SWEEP, OTHERS, 0, ALPHA / len(OTHERS))
        made = []
        for at, model in enumerate(OTHERS):
            draft = week.draft(range(most), model, series=record.place(at))
            made.append(_saved(planning.planned(draft, first, most, week.store, draft.seeds)))
        return [stop_when_known(week, study) for study in made]

    return ask


def _t(values: Sequence[float]) -> float:
    import statistics

    return abs(statistics.fmean(values)) / statistics.stdev(values)


@dataclass(frozen=True)
class Row:
    """``group``: ``planned``, ``again`` (the same question), ``chosen`` or ``power``."""

    name: str
    group: str
    what: str
    ask: Ask
    effect: float = 0.0


EFFECTS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
SETTING: dict[str, Any] = {"config": {"max_iters": 2000, "learning_rate": 3e-4}}

ROWS = [
    *(Row(f"fixed-{n}", "planned", f"one look at {n} pairs", fixed(n)) for n in (3, 5, 8)),
    Row("fixed-welch-3", "planned", "one look at 3 seeds, Welch", fixed(3, headline="welch")),
    *(
        Row(f"range-{a}-{b}", "planned", f"a planned range, {a}..{b}", planned(a, b))
        for a, b in ((3, 5), (3, 8), (3, 12), (5, 12))
    ),
    Row("adding-3-5", "again", "looks at 3, then 5 pairs", adding(3, 5)),
    Row("adding-3-5-10", "again", "looks at 3, then 5, then 10 pairs", adding(3, 5, 10)),
    Row("adding-each", "again", "looks after each pair from 3 to 12", adding(*range(3, 13))),
    Row("fresh-3", "again", "`--fresh` with other seeds, best of 3", fresh(3)),
    Row("fresh-5", "again", "the same, best of 5", fresh(5)),
    Row("set-3", "again", "`--set` or another preset, best of 3", fresh(3, **SETTING)),
    Row("deleted-3", "again", "deletes it and asks again, best of 3", fresh(3, delete=True)),
    Row("headline", "again", "another `--headline` over the same 3 pairs", other_headline(3)),
    Row("then-range", "again", "3 pairs, then a planned range 3..12", then_planned(3, 3, 12)),
    Row("picking-5", "chosen", "names the best 3 of 5 seeds", picking(5)),
    Row("picking-8", "chosen", "names the best 3 of 8 seeds", picking(8)),
    Row("diverged", "chosen", "names the seeds that did not diverge", without_the_diverged),
    Row("four", "several", "the best of four modifications, four studies", best_of_four(3)),
    Row("sweep-3-8", "planned", "a sweep of four modifications, 3..8", sweep_of_four(3, 8)),
    *(
        Row(f"power-{name}-{effect:g}", "power", name, ask, -effect)
        for name, ask in (
            ("fixed 3", fixed(3)),
            ("fixed 5", fixed(5)),
            ("fixed 8", fixed(8)),
            ("3..12", planned(3, 12)),
        )
        for effect in EFFECTS
    ),
]


# ── run them


@contextmanager
def home() -> Iterator[Store]:
    """An empty Q1LAB_HOME in memory where there is room for it, and its store."""
    from q1lab.index.store import Store

    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="looks-", dir=memory if memory.is_dir() else None)
    before = os.environ.get("Q1LAB_HOME")
    os.environ["Q1LAB_HOME"] = folder
    try:
        with Store() as store:
            yield store
    finally:
        if before is None:
            del os.environ["Q1LAB_HOME"]
        else:
            os.environ["Q1LAB_HOME"] = before
        shutil.rmtree(folder, ignore_errors=True)


def weeks(row: Row, many: int, seed: int = 1) -> Iterator[list[Comparison]]:
    """What q1lab said in each of ``many`` weeks. The same seed gives the same weeks."""
    import numpy as np

    rng = np.random.default_rng([seed, zlib.crc32(row.name.encode())])
    for start in range(0, many, WEEKS_PER_HOME):
        with home() as store:
            for number in range(min(WEEKS_PER_HOME, many - start)):
                yield row.ask(Week(store, rng, number, row.effect))


LETTERS = {"helps": "h", "hurts": "u", "too small to matter": "s", "cannot tell": "c"}


def simulate(row: Row, many: int, seed: int = 1) -> dict[str, Any]:
    """A row's raw results, one character per week.

    ``answers``: the first claim that q1lab made (h helps, u hurts), else its last answer (c cannot
    tell, n no verdict); ``last``: its last answer alone; ``pairs``: how many that one rests on, in
    base 36. ``total`` is the chance of a claim that the last answer printed, on average.
    """
    answers, last, pairs, totals = [], [], [], []
    for said in weeks(row, many, seed):
        letters = [LETTERS.get(one.verdict, "n") for one in said]
        claimed = [letter for letter in letters if letter in "hu"]
        answers.append((claimed or letters[-1:])[0])
        last.append(letters[-1])
        pairs.append("0123456789abcdefghijklmnopqrstuvwxyz"[said[-1].n])
        totals.append(said[-1].asked_total)
    return {
        "row": row.name,
        "group": row.group,
        "what": row.what,
        "effect": row.effect,
        "weeks": many,
        "total": round(sum(totals) / many, 5),
        "answers": "".join(answers),
        **({"last": "".join(last)} if row.group == "chosen" else {}),
        "pairs": "".join(pairs),
    }


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
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--rows", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    print("| row | weeks | claims, % | printed, % | pairs | s |\n|---|---|---|---|---|---|")
    for row in ROWS:
        if args.rows and not row.name.startswith(tuple(args.rows)):
            continue
        began = time.perf_counter()
        found = simulate(row, args.studies)
        claims = sum(letter in "hu" for letter in found["answers"])
        mean = sum(int(pair, 36) for pair in found["pairs"]) / args.studies
        print(
            f"| {row.name} | {args.studies} | {100 * claims / args.studies:.1f} | "
            f"{100 * found['total']:.1f} | {mean:.1f} | {time.perf_counter() - began:.0f} |",
            flush=True,
        )
        if args.write:
            keep(found)


if __name__ == "__main__":
    main()
