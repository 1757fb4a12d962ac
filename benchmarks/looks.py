"""What a person may do when nothing has changed, and how often q1lab then claims that something
has: thousands of invented weeks through the program's own record, ledger and comparison.

    python benchmarks/looks.py [--weeks 1000] [--rows NAME ...] [--write]

Each week is a home of its own with studies as the program writes them (``study.json``, events),
put on record before they train, planned with ``planning``'s own levels and judged by ``compare``.
Only the numbers and the clock are invented: both arms' losses are normal, with one spread, where a
row does not say otherwise. ``--write`` keeps what came out, week by week, in
``docs/results/looks.jsonl``; ``python tools/docs/make.py looks`` makes the page from it.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
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
MANY = (*OTHERS, "llama", "alibi", "relu2", "qknorm")
SKEWED, STUCK = 3.0, 8.0
"""An arm's spread where it is skewed, as a multiple of the other's; how many sds a stuck run ends
above those of its arm that are not."""


@dataclass
class Week:
    """One person's week, in a home of its own."""

    store: Store
    rng: np.random.Generator
    effect: float = 0.0
    """True difference, in sds of a pair's difference; negative means that the change helps."""
    errors: str = "normal"
    """Of the modified arm: normal, skewed or stuck; always 0 on average."""
    losses: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """(text, what trains, seed) → final val loss, as training would find it every time."""
    count: int = 0
    minutes: int = 0

    def study(self, seeds: Sequence[int], variant: str = "rope", **changes: Any) -> Study:
        """A study of these seeds, planned and on record, of which nothing has trained."""
        return self.begun(self.draft(seeds, variant, **changes))

    def begun(self, study: Study) -> Study:
        """Put a study on record, then write it, as the program does."""
        from q1lab.record import questions
        from q1lab.study import studies

        questions.record_begin(self.store, study)
        (study.files.root / "source").mkdir(parents=True, exist_ok=True)
        studies.save(study)
        return study

    def draft(
        self,
        seeds: Sequence[int],
        variant: str = "rope",
        dress: str = "",
        text: str = "text",
        **changes: Any,
    ) -> Study:
        """The same before it is on disk. ``dress`` is how it is dressed anew (see DRESSES)."""
        from q1lab.ground import json_records
        from q1lab.study import studies
        from q1lab.study.studies import ARMS, Data

        self.count += 1
        config = {"max_iters": 2000, "learning_rate": 1e-3, "log_interval": 10}
        corpus = f"{text} and a newline" if dress == "newline" else f"{text} {EDITS.get(dress, '')}"
        training = f"{text} {EDITS.get(dress, '')}"
        keys = {
            "id": f"{variant}-{self.count}",
            "created": self.clock(),
            "arms": {
                arm: _arm(arm, model, dress)
                for arm, model in zip(ARMS, ("baseline", variant), strict=True)
            },
            "looks": (tuple(seeds),),
            "preset": "cpu",
            "config": {**config, **SETTINGS.get(dress, {})},
            "data": Data(
                text, _sha(corpus), f"data/{_sha(corpus)}.txt", 1, 65, 1, 1, _sha(training)
            ),
            "device": "cpu",
            "dtype": "bf16" if dress == "dtype" else "fp32",
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

    def loss(self, model: str, seed: int, text: str = "text", dress: str = "") -> float:
        """The final val loss of a run. In a dress that trains otherwise it correlates with that of
        the undressed run (CORRELATIONS)."""
        if dress and (rho := CORRELATIONS.get(dress)) is not None:
            key = f"{text} {dress}", model, seed
            if key not in self.losses:
                error = (self.loss(model, seed, text) - 1.9) / SD
                noise = math.sqrt(1 - rho**2) * float(self.rng.standard_normal())
                self.losses[key] = 1.9 + SD * (rho * error + noise)
            return self.losses[key]
        if (text, model, seed) not in self.losses:
            shift = 0.0 if model == "baseline" else self.effect * math.sqrt(2)
            noise = self._error("normal" if model == "baseline" else self.errors)
            self.losses[text, model, seed] = 1.9 + SD * (shift + noise)
        return self.losses[text, model, seed]

    def _error(self, kind: str) -> float:
        """In sds of a run, 0 on average."""
        if kind == "skewed":
            mean, sd = math.exp(0.5), math.sqrt((math.e - 1) * math.e)
            return SKEWED * (float(self.rng.lognormal()) - mean) / sd
        error = float(self.rng.standard_normal())
        if kind == "stuck":
            error += STUCK * (float(self.rng.random() < 0.2) - 0.2)
        return error

    def train(
        self,
        study: Study,
        seeds: Iterable[int],
        end: str = "finished",
        over: float = 1.0,
        dress: str = "",
    ) -> None:
        """Train pairs up to a share of their iters, as the trainer writes it down."""
        for seed in seeds:
            self._train(study, seed, end, over, dress)

    def _train(self, study: Study, seed: int, end: str, over: float, dress: str) -> None:
        for arm, model in (("baseline", study.baseline), ("modified", study.variant)):
            files = study.files.run(f"{arm}-seed{seed}")
            files.root.mkdir(parents=True, exist_ok=True)
            before = files.events.read_text() if files.events.exists() else ""
            if '"finished"' in before:
                continue
            loss = self.loss(model, seed, study.data.name, dress)
            last = int((study.max_iters or 2000) * over)
            state = "diverged" if end == "diverged" and arm == "modified" else end
            state = "finished" if end == "diverged" and arm == "baseline" else state
            begins = f"{model} {seed} {study.data.name}"
            apart = FIRST_LOSS_APART * (dress in CORRELATIONS)
            events: list[dict[str, Any]] = [
                {"type": "start", "attempt": 1 + before.count('"start"'), "time": self.clock()},
                *(
                    {"type": "iter", "iter": i, "train_loss": _first_loss(begins, i) + apart}
                    for i in range(1, 1 if before or not study.max_iters else 9)
                ),
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
        self.train(study, seeds, dress=changes.get("dress", ""))
        return self.told(study)

    def differences(
        self, seeds: Sequence[int], model: str = "rope", text: str = "text"
    ) -> list[float]:
        return [self.loss(model, seed, text) - self.loss("baseline", seed, text) for seed in seeds]


DRESSES = {
    "newline": "a newline more at the end of the text",
    "comment": "a comment in the file",
    "renamed": "the file renamed, with a comment",
    "local": "a local variable renamed",
    "both": "a local variable renamed in both files",
    "rewritten": "a line of the file rewritten so that it computes the same",
    "log_interval": "`--set log_interval=11`",
    "dtype": "another `--dtype`",
    "first_character": "the text's first character changed",
    "newline_before": "a newline before the text",
    "learning_rate": "`--set learning_rate=1.03e-3`",
}
EDITS = {"first_character": "E", "newline_before": "newline"}
"""What changes the text that trains."""
SETTINGS: dict[str, dict[str, Any]] = {
    "log_interval": {"log_interval": 11},
    "learning_rate": {"learning_rate": 1.03e-3},
    "budget": {"max_iters": 20_000},
}
CORRELATIONS = {"newline_before": 0.57, "learning_rate": 0.9, "budget": 0.7, "parameter": 0.35}
"""How the differences of pairs correlate with those of the undressed pairs, where a dress trains
otherwise; measured on real trainings of 2 layers, 64 wide, 200 iters."""
FIRST_LOSS_APART = 0.01
"""Nats; more than 1 in 1,000, so that first losses don't tell such a dress."""


def _arm(arm: str, model: str, dress: str) -> Arm:
    """An arm as planning drafts it for a learner's file."""
    from q1lab.study.studies import Arm

    touched = dress in ("both", "parameter") or arm == "modified"
    edited = touched and dress in ("comment", "renamed", "local", "both", "rewritten", "parameter")
    text = f"{model} {dress}" if edited else model
    code = f"{model} {dress}" if touched and dress in ("rewritten", "parameter") else model
    moved = touched and dress in ("renamed", "parameter")
    place = f"/repo/{'other_' if moved else ''}{model}.py"
    source = f"source/{arm}.py"
    return Arm(model, model, source, _sha(text), place, 800_000, 1_600_000, _sha(code))


def _first_loss(begins: str, i: int) -> float:
    """The training loss of one of the first iters."""
    return 4.2 - 0.05 * i + zlib.crc32(f"{begins} {i}".encode()) / 2**32


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


def planned(first: int, most: int) -> Ask:
    return lambda week: [stop_when_known(week, week.planned(first, most))]


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
    """The same again with other seeds, and what looks best is told. ``gone``: how a study that
    claims nothing is got rid of, deleted or removed by hand."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.record import delete_restore

        said: list[Comparison] = []
        for k in range(times):
            study = week.study(range(k * n, (k + 1) * n), **(changes if k else {}))
            week.train(study, study.seeds)
            said.append(week.told(study))
            if gone == "deleted":
                delete_restore.delete_study(week.store, study.id)
            elif gone == "removed":
                shutil.rmtree(study.files.root)
        return said

    return ask


def picking(many: int, n: int = 3, **changes: Any) -> Ask:
    """The best of the seeds that are there are named in a new study: nothing trains."""

    def ask(week: Week) -> list[Comparison]:
        first = week.asked(range(many))
        best = max(itertools.combinations(range(many), n), key=lambda s: _t(week.differences(s)))
        return [first, week.asked(best, **changes)]

    return ask


def command_changes(folder: str, metric: str = "val/loss", arm: str = "rope") -> dict[str, Any]:
    """What a study by a command has other than one by q1lab's own loop."""
    from q1lab.study.studies import Arm, Data

    args = {"baseline": "", arm: "--rope"}
    loop = {"run": "python train.py --seed {seed} {args}", "args": args, "folder": folder}
    loop |= {"metric": metric, "inputs": {"train.py": _sha("train.py")}, "repeats": "bit"}
    arms = {
        name: Arm(of, of, "", _sha(f"{of} {metric}"), of, 0, 0, _sha(f"code {args[of]}"))
        for name, of in zip(("baseline", "modified"), args, strict=True)
    }
    data = Data("project", _sha(f"{folder} {metric}"), "", 0, 0, 0, 0)
    empty = {"preset": "", "config": {"max_iters": 0}, "dtype": ""}
    return {"loop": loop, "arms": arms, "data": data, **empty}


def picking_command(**second: str) -> Ask:
    """The best 3 of 8 seeds of a command, named again in another folder or for another metric."""

    def ask(week: Week) -> list[Comparison]:
        first = week.asked(range(8), **command_changes("/proj"))
        best = max(
            itertools.combinations(range(8), 3),
            key=lambda s: _t(week.differences(s, text="project")),
        )
        return [first, week.asked(best, **command_changes(**{"folder": "/proj", **second}))]

    return ask


def begun_and_watched(week: Week) -> list[Comparison]:
    """All 20 sets of three of six seeds are begun and stopped at iter 1; the seeds are watched as
    single pairs; the best set goes on."""
    sets = list(itertools.combinations(range(6), 3))
    begun = {seeds: week.study(seeds) for seeds in sets}
    for study in begun.values():
        week.train(study, study.seeds, "stopped", 1 / 2000)
    for seed in range(6):
        week.train(week.study([seed]), [seed])
    best = max(sets, key=lambda seeds: _t(week.differences(seeds)))
    week.train(begun[best], best)
    return [week.told(begun[best])]


def peeked(week: Week) -> list[Comparison]:
    """Ten times the iters are planned and stopped at 9.9%; then the best three."""
    longer = week.study(range(8), dress="budget")
    week.train(longer, longer.seeds, "stopped", 0.099, "budget")

    def t(seeds: Sequence[int]) -> float:
        runs = [
            [week.loss(arm, s, "text", "budget") for s in seeds] for arm in ("rope", "baseline")
        ]
        return _t([modified - base for modified, base in zip(*runs, strict=True)])

    return [week.asked(max(itertools.combinations(range(8), 3), key=t))]


def plan_edited(week: Week) -> list[Comparison]:
    """Five of eight seeds are taken out of study.json after the runs."""
    from q1lab.study import studies

    study = week.study(range(8))
    week.train(study, study.seeds)
    best = max(itertools.combinations(range(8), 3), key=lambda s: _t(week.differences(s)))
    studies.save(study.with_design(batches=(best,)))
    return [week.told(studies.load(study.id))]


def folder_copied(week: Week) -> list[Comparison]:
    """The same in a copy of the folder, under another name."""
    from q1lab.study import studies

    study = week.study(range(8))
    week.train(study, study.seeds)
    best = max(itertools.combinations(range(8), 3), key=lambda s: _t(week.differences(s)))
    copy = replace(study, id="rope-99").with_design(batches=(best,))
    shutil.copytree(study.files.root, copy.files.root)
    studies.save(copy)
    return [week.told(copy)]


def begun_again(tries: int) -> Ask:
    """A command whose seed does not repeat: a dull modified run is stopped at 99% and begun
    again."""

    def ask(week: Week) -> list[Comparison]:
        changes = command_changes("/proj")
        changes["loop"] = {**changes["loop"], "repeats": "no"}
        study = week.study(range(3), **changes)
        for seed in study.seeds:
            for k in range(tries):
                week.train(study, [seed], "stopped", 0.99)
                if k == tries - 1 or week.differences([seed], text="project")[0] < -SD:
                    break
                del week.losses["project", "rope", seed]
        week.train(study, study.seeds)
        return [week.told(study)]

    return ask


# ── what files alone can't show


def elsewhere(tries: int) -> Ask:
    """A home that is put back to an earlier copy after each dull try, or a home for each: only the
    last try is on record."""

    def ask(week: Week) -> list[Comparison]:
        for k in range(tries):
            seeds = range(3 * k, 3 * k + 3)
            if k == tries - 1 or _t(week.differences(seeds)) * math.sqrt(3) > 4.3:
                return [week.asked(seeds)]
        raise AssertionError

    return ask


def picked_elsewhere(many: int, **changes: Any) -> Ask:
    """The best 3 of many runs from elsewhere are imported."""

    def ask(week: Week) -> list[Comparison]:
        best = max(itertools.combinations(range(many), 3), key=lambda s: _t(week.differences(s)))
        return [week.asked(best, **changes)]

    return ask


def imported() -> dict[str, Any]:
    return {"imported": {"source": "runs.csv", "time": "2026-01-01T00:00:00+00:00"}}


def dressed_anew(many: int) -> Ask:
    """The best 3 of many, with a parameter renamed in both files, which are renamed, too."""

    def ask(week: Week) -> list[Comparison]:
        first = week.asked(range(many))
        best = max(itertools.combinations(range(many), 3), key=lambda s: _t(week.differences(s)))
        study = week.study(best, dress="parameter")
        week.train(study, best, dress="parameter")
        return [first, week.told(study)]

    return ask


def counted_by_floor(many: int) -> Ask:
    """The baseline is compared with itself first; then as many of the first seeds are taken as the
    baseline's known losses make promising."""

    def ask(week: Week) -> list[Comparison]:
        week.asked(range(many), "baseline")

        def off(n: int) -> float:
            return abs(sum(week.loss("baseline", seed) - 1.9 for seed in range(n))) / math.sqrt(n)

        return [week.asked(range(max(range(3, many + 1), key=off)))]

    return ask


def without_the_diverged(week: Week) -> list[Comparison]:
    study = week.study(range(4))
    week.train(study, range(3))
    week.train(study, [3], "diverged")
    return [week.told(study), week.asked(range(3), headline="welch")]


def baseline_worst(week: Week) -> list[Comparison]:
    """Eight of the 20 seeds of another modification, those at which its baseline did worst."""
    week.asked(range(20), "swiglu")
    worst = sorted(range(20), key=lambda seed: -week.loss("baseline", seed))[:8]
    return [week.asked(worst)]


def stopped(tries: int) -> Ask:
    """Watched, and stopped at 99% if dull; then other seeds."""

    def ask(week: Week) -> list[Comparison]:
        for k in range(tries):
            study = week.study(range(3 * k, 3 * k + 3))
            week.train(study, study.seeds, "stopped", 0.99)
            if k == tries - 1 or _t(week.differences(study.seeds)) * math.sqrt(3) > 4.3:
                week.train(study, study.seeds)
                if week.told(study).analysis.verdict in ("helps", "hurts") or k == tries - 1:
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
            if k == tries - 1 or _t(week.differences(study.seeds)) > 2:
                study = more(week, study, [3 * k + 2])
                said.append(week.told(study))
        return said

    return ask


def other_headline(n: int) -> Ask:
    return lambda week: [week.asked(range(n)), week.asked(range(n), headline="welch")]


def then_planned(n: int, first: int, most: int) -> Ask:
    return lambda week: [week.asked(range(n)), stop_when_known(week, week.planned(first, most))]


def several(*models: str) -> Ask:
    """A study for each modification, over one baseline arm."""
    return lambda week: [week.asked(range(3), model) for model in models]


def texts(many: int) -> Ask:
    return lambda week: [week.asked(range(3), text=f"text {k}") for k in range(many)]


def sweep(times: int, models: Sequence[str], first: int, most: int | None = None) -> Ask:
    """Modifications declared together, over one baseline arm; what looks best is told. Without
    ``most`` each has ``first`` pairs, other ones each time."""

    def ask(week: Week) -> list[Comparison]:
        from q1lab.planning import study_plan
        from q1lab.statistics.intervals import ALPHA
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


def choosing(week: Week) -> list[Comparison]:
    """Three sets of seeds, each declared for another modification; the fourth takes the set at
    which the baseline ended farthest from its mean."""
    sets = [range(3 * k, 3 * k + 3) for k in range(3)]
    for model, seeds in zip(OTHERS[1:], sets, strict=True):
        week.asked(seeds, model)

    def off(seeds: Sequence[int]) -> float:
        return abs(sum(week.loss("baseline", seed) - 1.9 for seed in seeds))

    return [week.asked(max(sets, key=off))]


# ── the honest ways


def second_modification(seeds: Sequence[int]) -> Ask:
    """Another modification over the same seeds, with the baseline's runs reused."""

    def ask(week: Week) -> list[Comparison]:
        week.asked(seeds, "swiglu")
        return [week.asked(seeds)]

    return ask


def resumed(week: Week) -> list[Comparison]:
    study = week.study(range(3))
    week.train(study, study.seeds, "stopped", 0.6)
    week.told(study)
    week.train(study, study.seeds)
    return [week.told(study)]


def range_resumed(week: Week) -> list[Comparison]:
    study = week.planned(3, 12)
    week.train(study, range(4))
    week.train(study, [4], "stopped", 0.6)
    week.told(study)
    return [stop_when_known(week, study)]


def drawn(week: Week) -> list[Comparison]:
    """`--seeds fresh:3`, after another modification on 0, 1, 2."""
    from q1lab.planning import study_plan

    week.asked(range(3), "swiglu")
    return [week.asked(study_plan.draw_seeds(week.draft(range(3)), week.store))]


def many_ideas(ideas: int) -> Ask:
    """An idea after the other is written into one model.py, and asked on the first seeds."""

    def ask(week: Week) -> list[Comparison]:
        said = []
        for k in range(ideas):
            draft = week.draft(range(3), f"idea{k}")
            modified = replace(draft.arms["modified"], origin="/repo/model.py")
            study = week.begun(replace(draft, arms={**draft.arms, "modified": modified}))
            week.train(study, study.seeds)
            said.append(week.told(study))
        return said

    return ask


def floor_first(week: Week) -> list[Comparison]:
    week.asked(range(8), "baseline")
    return [week.asked(range(3))]


def usual_seeds(week: Week) -> list[Comparison]:
    """Seeds 42, 43, 44 each time, after the baseline against itself on 0, 1, 2."""
    week.asked(range(3), "baseline")
    return [week.asked((42, 43, 44), model) for model in OTHERS]


def _t(values: Sequence[float]) -> float:
    import statistics

    return abs(statistics.fmean(values)) / statistics.stdev(values)


@dataclass(frozen=True)
class Row:
    """``group``: ``planned``, ``again`` (the same question), ``home`` (several questions),
    ``chosen``, ``honest``, ``unknown`` (what files alone can't show), ``errors`` or ``power``."""

    name: str
    group: str
    what: str
    ask: Ask
    effect: float = 0.0
    errors: str = "normal"


EFFECTS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
SETTING: dict[str, Any] = {"config": {"max_iters": 2000, "learning_rate": 3e-4}}
EIGHT = (2, 3, 5, 7, 11, 13, 17, 19)

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
    Row("deleted-3", "again", "deletes it and asks again, best of 3", fresh(3, gone="deleted")),
    Row("removed-5", "again", "`rm -rf` of its folder, best of 5", fresh(5, gone="removed")),
    Row("stopped-8", "again", "stopped at 99% if dull, up to 8 tries", stopped(8)),
    Row("third-8", "again", "a third seed only if two agree, 8 tries", third_if_promising(8)),
    Row("headline", "again", "another `--headline` over the same 3 pairs", other_headline(3)),
    Row("then-range", "again", "3 pairs, then a planned range 3..12", then_planned(3, 3, 12)),
    Row(
        "begun-again-5",
        "again",
        "a command without a fixed seed: dull runs begun again at 99%, up to 5 tries each",
        begun_again(5),
    ),
    Row("choosing-3", "again", "the most favorable of 3 declared sets of seeds", choosing),
    Row("picking-5", "chosen", "names the best 3 of 5 seeds", picking(5)),
    Row("picking-8", "chosen", "names the best 3 of 8 seeds", picking(8)),
    *(
        Row(f"{dress}-{many}", "chosen", f"the best 3 of {many}, with {what}", ask)
        for dress, what in DRESSES.items()
        for many, ask in ((many, picking(many, dress=dress)) for many in (8, 12))
    ),
    Row("worst-8", "chosen", "8 of 20 seeds, where a known baseline did worst", baseline_worst),
    Row(
        "folder-8",
        "chosen",
        "the best 3 of 8, in a copy of a command's folder",
        picking_command(folder="/proj2"),
    ),
    Row(
        "metric-8",
        "chosen",
        "the best 3 of 8, with another name for a command's metric",
        picking_command(metric="val loss2"),
    ),
    Row(
        "renamed-arm-8",
        "chosen",
        "the best 3 of 8, with an arm of a command renamed",
        picking_command(arm="rope2"),
    ),
    Row(
        "begun-6",
        "chosen",
        "all sets of 3 of 6 begun and stopped at iter 1, the best goes on",
        begun_and_watched,
    ),
    Row(
        "peeked-8",
        "chosen",
        "ten times the iters planned, stopped at 9.9%, then the best 3 of 8",
        peeked,
    ),
    Row(
        "plan-edited", "chosen", "5 of 8 seeds taken out of study.json after the runs", plan_edited
    ),
    Row("copied", "chosen", "the same in a copy of the folder under another name", folder_copied),
    Row("diverged", "chosen", "names the seeds that did not diverge", without_the_diverged),
    Row("split-4", "home", "four modifications, four studies", several(*MANY[:4])),
    Row("split-8", "home", "eight modifications, eight studies", several(*MANY)),
    Row("texts-5", "home", "one modification on five texts", texts(5)),
    Row("sweep-5", "home", "a sweep of five, three times", sweep(3, MANY[:5], 3)),
    Row("sweep-3-8", "planned", "a sweep of four modifications, 3..8", sweep(1, OTHERS, 3, 8)),
    Row(
        "second",
        "honest",
        "another modification on seeds 0, 1, 2, the baseline reused",
        second_modification(range(3)),
    ),
    Row("eight", "honest", "another on eight declared seeds, all used", second_modification(EIGHT)),
    Row("resumed", "honest", "a study that was stopped and went on", resumed),
    Row("range-resumed", "honest", "a range 3..12 that was stopped and went on", range_resumed),
    Row("sweep-4", "honest", "a sweep of four, 3 pairs each", sweep(1, OTHERS, 3)),
    Row("ideas-10", "honest", "ten ideas, one after the other, in one model.py", many_ideas(10)),
    Row("floor-first", "honest", "the baseline against itself on 8 seeds first", floor_first),
    Row("usual", "honest", "four modifications on seeds 42, 43, 44 each time", usual_seeds),
    Row(
        "elsewhere-8",
        "unknown",
        "a second home, or one put back to an earlier copy, up to 8 tries",
        elsewhere(8),
    ),
    Row(
        "imported-12",
        "unknown",
        "the best 3 of 12 runs from elsewhere, imported",
        picked_elsewhere(12, **imported()),
    ),
    Row(
        "parameter-8",
        "unknown",
        "the best 3 of 8, with a parameter renamed in both files, and both renamed",
        dressed_anew(8),
    ),
    Row(
        "floor-counted-8",
        "unknown",
        "as many of the first 8 seeds as a floor makes promising",
        counted_by_floor(8),
    ),
    Row("drawn-3", "honest", "`--seeds fresh:3` after another modification", drawn),
    *(
        Row(f"{errors}-{name}", "errors", what, ask, errors=errors)
        for errors in ("skewed", "stuck")
        for name, what, ask in (
            *((str(n), f"{n} pairs", fixed(n)) for n in (3, 5, 8)),
            ("3..12", "`3..12`", planned(3, 12)),
        )
    ),
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

    from q1lab.record import questions

    rng = np.random.default_rng([seed, zlib.crc32(row.name.encode())])
    with homes() as home:
        for _ in range(many):
            with home() as store:
                week = Week(store, rng, row.effect, row.errors)
                with patch.object(questions, "utc_now", week.clock):
                    yield row.ask(week)


LETTERS = {"helps": "h", "hurts": "u", "too small to matter": "s", "cannot tell": "c"}


def simulate(row: Row, many: int, seed: int = 1) -> dict[str, Any]:
    """A row's raw results, one character per week.

    ``answers``: the first claim that q1lab made (h helps, u hurts), else its last answer (c cannot
    tell, n no verdict); ``last``: its last answer alone; ``pairs``: how many that one rests on, in
    base 36. On average over the weeks the last answer printed ``total`` as the chance of a claim in
    its question, ``home`` as the number of false claims to expect in the home, and ``claims`` as
    that of the claims there.
    """
    answers, last, pairs, totals, expected, claims = [], [], [], [], [], []
    for said in weeks(row, many, seed):
        letters = [LETTERS.get(one.analysis.verdict, "n") for one in said]
        claimed = [letter for letter in letters if letter in "hu"]
        answers.append((claimed or letters[-1:])[0])
        last.append(letters[-1])
        pairs.append("0123456789abcdefghijklmnopqrstuvwxyz"[said[-1].analysis.n])
        totals.append(said[-1].asking.total)
        family = said[-1].asking.family
        expected.append(0.0 if family is None else family.expected_false_claims)
        claims.append(0 if family is None else family.claims)
    return {
        "row": row.name,
        "group": row.group,
        "what": row.what,
        "effect": row.effect,
        "weeks": many,
        "total": round(sum(totals) / many, 5),
        "home": round(sum(expected) / many, 5),
        "claims": round(sum(claims) / many, 5),
        "answers": "".join(answers),
        **({"last": "".join(last)} if row.group in ("chosen", "unknown") else {}),
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
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--rows", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    print("| row | claims, % | no verdict, % | question, % | home, % |\n|---|---|---|---|---|")
    for row in ROWS:
        if args.rows and not row.name.startswith(tuple(args.rows)):
            continue
        found = simulate(row, args.weeks)
        claims = sum(letter in "hu" for letter in found["answers"]) / args.weeks
        none = found.get("last", found["answers"]).count("n") / args.weeks
        shares = (claims, none, found["total"], found["home"])
        print(f"| {row.name} | {' | '.join(f'{100 * one:.1f}' for one in shares)} |", flush=True)
        if args.write:
            keep(found)


if __name__ == "__main__":
    main()
