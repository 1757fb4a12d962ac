"""From what a person asked for to a study that trains: plan it, begin it, go on with it, stop it.

The one way for commands and app. What takes long (a look at a command, checks, timed steps) depends
on no other study and comes first. Then one lock is held for the last look at the others, for what
is written and for the launch, so that two of them never begin one study twice.
"""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice
from typing import Any

from q1lab import __version__, loops, paths
from q1lab.compare import ledger, looks, planner, wording
from q1lab.config import load as load_settings
from q1lab.errors import FAILED, OUT_OF_TOUCH, Problem
from q1lab.files import expanded, locked, remove, sha256_text, utc_now, whole, write_atomic
from q1lab.index import ingest, questions
from q1lab.index.store import Store
from q1lab.journal import predictions
from q1lab.model import parents, width
from q1lab.study import (
    command,
    corpora,
    kept,
    launch,
    presets,
    ranges,
    reuse,
    sameness,
    studies,
    tuning,
    turns,
    variants,
)
from q1lab.study.command import Wish
from q1lab.study.engines.base import OutOfReach, Refused
from q1lab.study.engines.choice import Choice, by_hand, choose, engine_of
from q1lab.study.kept import Kept
from q1lab.study.machine import cores, likely_device
from q1lab.study.series import Series
from q1lab.study.studies import Arm, Asked, Data, Study
from q1lab.tracking import state as wandb_state
from q1lab.week import progress


@dataclass(frozen=True)
class Plan:
    """A study as it will run, and what is known about it before it does."""

    draft: Draft
    """What it was made from."""
    study: Study
    is_new: bool
    missing: tuple[str, ...]
    """Names of the runs that will train."""
    minutes: float | None
    """Estimate for what is missing, from a few timed steps; None where no machine of those that
    train could be asked."""
    notes: tuple[str, ...] = ()
    alive: bool = False
    """Whether the study trains already."""

    @property
    def is_current(self) -> bool:
        """Whether it can begin as it is: a study that is there already may have gone on, or begun
        to train, and another one may be the same."""
        return self.is_new and self.draft.known == tuple(studies.ids())


@dataclass(frozen=True)
class Draft:
    """A wish that was read and asked about on this machine: the study that it would be, if there
    were none yet."""

    typed: Wish
    wish: Wish
    asked: tuple[int, int] | None
    """The planned range, where one is asked for."""
    study: Study
    pair: parents.Pair | None
    """The two model files; None where the arms are a command."""
    answer: dict[str, Any]
    kept: Kept | None
    """The folder that it was read from, where a study of the repository trains again."""
    known: tuple[str, ...]
    """The studies that there were."""


def plan(wish: Wish, store: Store) -> Plan:
    """Check everything and find or draft the study; writes nothing but the corpus. ``begin`` makes
    it real.

    Raises Problem for whatever a person can mend, before any study exists.
    """
    draft = draft_of(wish, store)
    return resolve(draft, _known(draft), store)


def _known(draft: Draft) -> Study | None:
    """The study that a draft goes on with."""
    return None if draft.wish.fresh else same_study(draft.study, draft.asked)


def draft_of(wish: Wish, store: Store) -> Draft:
    """The first half of ``plan``: everything that does not depend on other studies."""
    typed = wish
    wish, again = meant(typed)
    asked = command.parse_range(wish.seeds)
    if asked is not None:
        looks.check(*asked)
        if wish.headline != "paired":
            raise Problem(
                f"--seeds {wish.seeds}: the levels of a range hold for the paired interval",
                next="leave --headline welch out, or give a number of seeds",
            )
    seeds = command.parse_seeds(wish.seeds) if asked is None else tuple(range(asked[1]))
    if wish.jobs is not None and wish.jobs < 1:
        raise Problem(f"--jobs {wish.jobs}: at least one run must train at a time")
    known_before = tuple(studies.ids())
    drawn = command.parse_fresh(wish.seeds)
    if wish.loop is not None:
        paths.ensure_home()
        engine = choose(wish.engine, None, wish.engine_options, load_settings().engine)
        draft = loops.draft(wish, seeds, engine, _wandb_mode(wish.wandb))
        draft = replace(draft, fresh_seeds=drawn or 0)
        return Draft(typed, wish, asked, draft, None, {}, again, known_before)
    pair = parents.pair(wish.variant, wish.baseline)
    modified, baseline = pair.modified, pair.baseline
    floor = modified.sha256 == baseline.sha256 and (
        modified.path == baseline.path or again is not None
    )
    if parents.same_code(modified, baseline) and not floor:
        raise Problem(
            f"{modified.path.name} and {baseline.name}.py hold the same code; there is nothing to "
            "compare"
        )
    paths.ensure_home()

    extra_fields = (*baseline.fields, *modified.fields)
    engine = choose(wish.engine, wish.preset, wish.engine_options, load_settings().engine)
    device = engine_of(engine).device(wish.device, wish.preset)
    preset = wish.preset or presets.default_for(likely_device(device))
    config = presets.resolve(preset, wish.overrides, extra_fields)
    chosen = wish.tuned
    if wish.tune is not None and chosen is None:
        raise Problem(
            f"{wish.tune} has to be tuned first: ", next="`q1lab run` with --tune does both"
        )
    wish, data = _data(wish, store, config["block_size"])
    if again is not None:
        kept.same_data(again, data)
    first = 2 * (asked[0] if asked else len(seeds))

    def places(device: str) -> tuple[int, int]:
        return engine_of(engine).places(device, 2 * len(seeds), first, wish.jobs)

    question = {
        "files": {"baseline": str(baseline.path), "modified": str(modified.path)},
        "vocab_size": data.vocab_size,
        "device": device,
        "dtype": wish.dtype,
        "threads": places(likely_device(device))[1],
    }

    def ask(config: presets.Config) -> dict[str, Any]:
        return _ask(engine, {**question, "config": config})

    answer = ask(config)
    if wish.preset is None and presets.default_for(answer["device"]) != preset:
        preset = presets.default_for(answer["device"])
        config = presets.resolve(preset, wish.overrides, extra_fields)
        answer = ask(config)

    matched = {}
    if wish.match is not None:
        matched = width.matching(pair, config, lambda with_: ask(with_)["arms"])
        wish = replace(wish, match=None, overrides={**wish.overrides, **matched})
        config = presets.resolve(preset, wish.overrides, extra_fields)
        answer = ask(config)

    draft = _draft(wish, seeds, preset, config, data, answer, pair, places(answer["device"]))
    draft = replace(draft, engine=engine, matched=matched, fresh_seeds=drawn or 0)
    if again is not None:
        draft = _as_kept(draft, again, wish)
    if chosen is not None:
        draft = _with_choice(draft, chosen)
    return Draft(typed, wish, asked, draft, pair, answer, again, known_before)


def resolve(
    made: Draft, known: Study | None, store: Store, seeds: tuple[int, ...] | None = None
) -> Plan:
    """The second half of ``plan``: go on with a study that is known, or begin the draft.

    ``seeds`` are those of a planned range, or those that were drawn; by itself the first of which
    nothing is known, or as they are drawn now.
    """
    if known is None:
        made = proved(made)
    wish, asked, draft = made.wish, made.asked, made.study
    if known is not None:
        seeds = known.seeds if known.fresh_seeds else draft.seeds
        study, missing = _go_on(known, seeds, store, wish.jobs)
        if wish.engine is not None:
            # checkpoints stay where they were made: runs under way begin again there
            study = replace(study, engine=made.study.engine)
    else:
        if asked is not None:
            draft = planned(draft, *asked, store, seeds)
        elif draft.fresh_seeds:
            draft = replace(draft, looks=(seeds or drawn_seeds(draft, store),))
        ready = set() if wish.fresh else {run.name for run, _ in reuse.find(draft)}
        study, missing = draft, tuple(run.name for run in draft.runs if run.name not in ready)
    note = [] if made.pair is None else [made.pair.note]
    return Plan(
        made,
        study,
        is_new=known is None,
        missing=missing,
        minutes=_minutes(study, missing, made.answer),
        notes=tuple(filter(None, [*note, *_notes(study, known, made.kept, store)])),
        alive=known is not None and launch.is_alive(study.files),
    )


def proved(made: Draft) -> Draft:
    """The draft of a study that may begin: its command was looked at, which takes as long as four
    short runs of it, or its files pass their checks. Done before, it costs nothing again."""
    if made.pair is None:
        return replace(made, study=loops.looked_at(made.study))
    if made.wish.unchecked:
        return made
    mine = [file for file in (made.pair.baseline, made.pair.modified) if file.is_learners]
    with ThreadPoolExecutor() as both:  # each is a process of its own, and seconds of wait
        overruled = [words for found in both.map(check, mine) for words in found]
    return replace(made, study=replace(made.study, overruled=tuple(overruled)))


def meant(asked: Wish) -> tuple[Wish, Kept | None]:
    """What is to be planned: as asked, or where that names the folder of a kept study, all that it
    says."""
    if asked.loop is not None or not kept.is_one(asked.variant):
        return asked, None
    found = kept.load(expanded(asked.variant))
    return kept.wish(found, asked), found


def _data(wish: Wish, store: Store, block_size: int) -> tuple[Wish, Data]:
    """The wish with its data named, and these data: as asked for, else as the learner chose."""
    if wish.data:
        return wish, corpora.prepare(wish.data, block_size)
    chosen = progress.data_to_train_on(store)
    try:
        return replace(wish, data=chosen), corpora.prepare(chosen, block_size)
    except Problem as problem:
        raise Problem(
            f"the data that `q1lab data` chose: {problem}. ",
            problem.code,
            next="Choose again, or give --data",
        ) from None


def _with_choice(draft: Study, chosen: tuning.Tuned) -> Study:
    """With the value that each arm chose; the baseline's is the study's, so that its runs are those
    of every study with that value."""
    base, modified = (chosen.chosen[arm] for arm in studies.ARMS)
    own = {"modified": {chosen.key: modified}} if modified != base else {}
    config = {**draft.config, chosen.key: base}
    return replace(draft, config=config, tuned=chosen, arm_config=own)


def _as_kept(draft: Study, again: Kept, wish: Wish) -> Study:
    """With as many threads per run as then: another number may change the last bits."""
    threads = again.study.threads
    jobs = draft.jobs if wish.jobs or draft.device != "cpu" else max(1, cores() // threads)
    return replace(draft, threads=threads, jobs=min(draft.jobs, jobs))


def begin(wish: Wish, store: Store, drawn: Plan | None = None) -> Plan:
    """Make a study of the wish and train what it lacks; returns the plan with the study as it is
    now.

    ``drawn`` is a plan that was shown before; it is used while nothing has changed since. Problem,
    with nothing written, when the study is running already.
    """
    draft = drawn.draft if drawn is not None else draft_of(wish, store)
    if _known(draft) is None:
        draft = proved(draft)
    with planning_lock(draft.study.variant, store):
        if drawn is not None and drawn.is_current:
            made = drawn
        else:
            made = resolve(draft, _known(draft), store)
        if not made.is_new and launch.is_alive(made.study.files):
            if _is_taken_up(made.study):
                return made
            raise launch.running_already(made.study.id)
        study = save(made, store)
        ingest.take_in(store, study)
        if made.missing and not by_hand(study.engine, study.id):
            launch.start(study)
    return replace(made, study=study)


def _is_taken_up(study: Study) -> bool:
    """Whether an engine still has the study as it was planned, and somebody here follows it again:
    the machine slept, or its runner was killed."""
    return studies.load(study.id).looks == study.looks and launch.tend(study)


def go_on(study_id: str, store: Store) -> list[str]:
    """Train what a study lacks; returns the names of those runs. Problem when it lacks nothing, or
    is running already."""
    with planning_lock(study_id, store):
        study = studies.load(study_id)
        ingest.take_in(store, study)
        missing = store.missing(study)
        if not missing:
            raise Problem(f"{study_id} lacks no run; there is nothing to go on with")
        if study.series is None:
            launch.start(study)
        elif not turns.start(study):  # the others of its series had those runs
            ingest.take_in(store, study)
    return missing


def again(study_id: str, run: str) -> None:
    """Train one run that the study lacks, and no other. Problem when the study is running
    already."""
    with planning_lock(study_id):
        launch.start(studies.load(study_id), only=[run])


def stop(study_id: str) -> bool:
    """Stop a study so that it can go on; waits until nothing of it lives. False when it was not
    running."""
    return launch.stop(studies.load(study_id))


def save(made: Plan, store: Store) -> Study:
    """Make the study real: a folder of its own, copies of both model files, ``study.json``.

    Call it inside ``planning_lock()``. For a study that was there already, writes what changed
    (seeds, jobs).
    """
    study = made.study
    if made.is_new:
        return make(study, made.draft.wish, store)
    questions.begin(store, study)
    if studies.load(study.id) != study:
        studies.save(study)
        _mint(study)
    return study


def make(study: Study, wish: Wish, store: Store) -> Study:
    """Make a new study of its plan and of the wish that it comes from; as ``save``."""
    study = replace(study, id=studies.new_id(study.variant, questions.taken_names(store)))
    predicted = predictions.locked_prediction(
        store,
        study.variant,
        f"study {study.id}",
        lambda when: ledger.seen_before(store, study, when),
    )
    study = replace(study, prediction=predicted)
    try:
        questions.begin(store, study)
        _write(study, wish)
    except BaseException:  # a full disk, say: no half of a study stays
        with contextlib.suppress(Problem):
            remove(study.files.root)
        raise
    _mint(study)
    if not wish.fresh:
        reuse.fill(study)
    return study


def _write(study: Study, wish: Wish) -> None:
    """The folder of a new study: copies of both model files, then the plan."""
    if study.loop is not None:
        loops.prove_inputs(study.loop)
    else:
        pair = parents.pair(wish.variant, wish.baseline)
        for arm, file in (("baseline", pair.baseline), ("modified", pair.modified)):
            if file.sha256 != study.arms[arm].sha256:
                raise Problem(
                    f"{file.path} changed while the study was planned",
                    next="run the command again",
                    file=file.path,
                )
            write_atomic(study.files.root / study.arms[arm].source, file.text)
    loops.keep_uncommitted(study)
    studies.make_newest(study.files.source)
    studies.save(study)


def _mint(study: Study) -> None:
    """Give each run its id in W&B before it starts, so that every upload lands on the same run."""
    if study.wandb != "disabled":
        wandb_state.mint(study)


@cache
def check(file: variants.Variant) -> tuple[str, ...]:
    """Run the property checks on a learner's file; returns which of them it overrules, and why.
    Once a process: members of a sweep share their baseline.
    Problem when one fails: such a study would say nothing."""
    from q1lab.model.checks import run_checks

    report = run_checks(file.path)
    failed = [result.name for result in report.failed]
    if report.unusable is not None:
        raise Problem(report.unusable)
    if failed:
        raise Problem(
            f"{file.path.name} fails {len(failed)} of {len(report.checks)} checks "
            f"({', '.join(failed[:3])}"
            f"{', …' if len(failed) > 3 else ''})",
            next=f"see `q1lab check {file.origin}`, or train it all the same with --unchecked",
        )
    return tuple(f"“{result.name}”, because {result.overruled}" for result in report.overruled)


def planning_lock(name: str, store: Store | None = None) -> AbstractContextManager[int]:
    """Held around the last look at the plan of ``name``, its saving and its launch. Who waits for
    another process that holds it is told so (``store.say``)."""
    paths.ensure_home()
    say = None if store is None else store.say
    return locked(paths.plan_lock(), wait=150, doing=f"begins {name}", say=say)


def _draft(
    wish: Wish,
    seeds: tuple[int, ...],
    preset: str,
    config: presets.Config,
    data: Data,
    answer: dict[str, Any],
    pair: parents.Pair,
    places: tuple[int, int],
) -> Study:
    modified, baseline = pair.modified, pair.baseline
    names = {"baseline": baseline.name, "modified": modified.name}
    if names["baseline"] == names["modified"]:
        names["modified"] += "*"
    arms = {
        arm: Arm(
            variant=names[arm],
            title=file.title,
            source=f"source/{arm}/{studies.safe(file.name)}.py",
            sha256=file.sha256,
            origin=file.origin,
            n_params=answer["arms"][arm]["n_params"],
            flops_per_token=answer["arms"][arm]["flops_per_token"],
            code=sameness.code_of(file.text),
        )
        for arm, file in (("baseline", baseline), ("modified", modified))
    }
    same = modified.sha256 == baseline.sha256
    return Study(
        id="",
        created=utc_now(),
        arms=arms,
        looks=(seeds,),
        preset=preset,
        config=config,
        data=data,
        device=answer["device"],
        dtype=answer["dtype"],
        jobs=places[0],
        threads=places[1],
        headline=wish.headline,
        versions={
            "q1lab": __version__,
            "python": platform.python_version(),
            "torch": answer["torch"],
            "platform": answer.get("platform", f"{platform.system()} {platform.machine()}"),
            "trainer": reuse.trainer_version(),
        },
        repo=None
        if not modified.is_learners
        else loops.repo_of(modified.path.parent, lambda repo: not repo.holds(modified.path)),
        unchecked=wish.unchecked and modified.is_learners,
        wandb=_wandb_mode(wish.wandb),
        asked=Asked(
            # so that it works from any folder
            data=wish.data if wish.data in corpora.BUILT_IN else str(whole(wish.data)),
            wandb=wish.wandb,
            baseline=wish.baseline and baseline.origin,
        ),
        shared_at_start=None if same else answer.get("shared_at_start"),
        seed_shift={"modified": studies.OTHER_SEEDS} if same else {},
    )


def _ask(choice: Choice | None, question: dict[str, Any]) -> dict[str, Any]:
    """The probe's answer to plan by, from where the runs will train or for there."""
    try:
        return engine_of(choice).plan(question)
    except (OutOfReach, Refused) as error:
        code = OUT_OF_TOUCH if isinstance(error, OutOfReach) else FAILED
        where = "" if choice is None else f"--engine {choice.text}: "
        raise Problem(f"{where}{error}", code) from None


def _wandb_mode(wished: str) -> str:
    """What was asked for, else the learner's setting, else online where a key is configured."""
    if wished == "auto":
        wished = load_settings().wandb
    return wandb_state.default_mode() if wished == "auto" else wished


def planned(
    draft: Study, first: int, most: int, store: Store, seeds: tuple[int, ...] | None = None
) -> Study:
    """The draft as a planned range, over ``seeds``; by itself over the first of which nothing is
    known yet.

    Its level is fixed here, before the first run; a question that was looked at before pays for
    that, and a study that was declared together with others has only its share.
    """
    seeds = free_seeds([draft], most, store) if seeds is None else seeds
    alpha = looks.level(first, most, ledger.may_spend(store, draft))
    made = ranges.Range(first, most, alpha, looks.limits(first, most, alpha))
    return replace(draft, looks=(seeds,), range=made)


def free_seeds(drafts: Sequence[Study], most: int, store: Store) -> tuple[int, ...]:
    """The first seeds of which nothing is known yet for any of these."""
    ingest.take_in_all(store)
    known = set().union(*(ledger.ended_seeds(store, draft) for draft in drafts))
    return tuple(islice((seed for seed in count() if seed not in known), most))


def drawn_seeds(draft: Study, store: Store) -> tuple[int, ...]:
    """Seeds that no run has used, drawn from a hash of the question as it is declared: nobody
    chooses them."""
    ingest.take_in_all(store)
    used = ledger.used_seeds(store)
    trains = [sameness.training_of(draft, arm) for arm in studies.ARMS]
    what = [[sorted(one.text), one.code, one.settings] for one in trains]
    numbers = (
        int(sha256_text(json.dumps([what, len(draft.seeds), at])), 16) % 10**9 for at in count()
    )
    fresh = (seed for seed in numbers if seed not in used)
    return tuple(islice(dict.fromkeys(islice(fresh, 2 * len(draft.seeds))), len(draft.seeds)))


def is_twin(study: Study, draft: Study) -> bool:
    """Whether a study is what is planned, but for the seeds that a person named."""
    drawn = [one.fresh_seeds for one in (study, draft)]
    return studies.identity(study) == studies.identity(draft) and drawn[0] == drawn[1]


def same_study(
    draft: Study, asked: tuple[int, int] | None, declared: Series | None = None
) -> Study | None:
    """The newest study that the wish goes on with: one by itself, or of a series like the one that
    is ``declared``. Problem when the newest was declared with another range: a plan that is changed
    in mid-study is none."""
    for study in studies.newest_first():
        if not is_twin(study, draft) or study.imported:
            continue
        mine = study.series
        if (mine and mine.question()) != (declared and declared.question()):
            continue
        found = study.range
        if found is None:
            return study if asked is None else None
        if (found.first, found.most) == asked:
            return study
        raise Problem(
            f"{study.id} was planned with {found.first} to {found.most} pairs, and its level "
            f"holds for no other plan: ",
            next=f"go on with --seeds {found.first}..{found.most}, or ask again with --fresh",
        )
    return None


def _go_on(
    study: Study, seeds: tuple[int, ...], store: Store, jobs: int | None
) -> tuple[Study, tuple[str, ...]]:
    """The study with the asked seeds: those it lacks become a new look, since its first results may
    be known."""
    ingest.take_in(store, study)
    new = tuple(seed for seed in seeds if seed not in study.seeds)
    if new and study.range is None:
        started = any(row["attempt"] for row in store.runs(study.id))
        looks = (*study.looks, new) if started else (tuple(dict.fromkeys((*study.seeds, *new))),)
        study = replace(study, looks=looks)
    if jobs is not None:
        study = replace(study, jobs=jobs)
    done = {
        studies.run_name(r["arm"], r["seed"])
        for r in store.runs(study.id)
        if r["state"] in ("finished", "diverged")
    }
    missing = tuple(run.name for run in study.runs if run.name not in done)
    then = study.versions.get("trainer")
    now = reuse.trainer_version(by_command=study.loop is not None)
    if missing and done and then not in (None, now):
        study = replace(study, trainers=tuple(sorted({*study.trainers, now})))
    return study, missing


STARTING = 3.0
"""Seconds of a processor that each trainer takes to begin: it imports torch once."""


def _minutes(study: Study, missing: tuple[str, ...], answer: dict[str, Any]) -> float | None:
    """How long the missing runs take, from the seconds of an iter on this machine."""
    if study.loop is not None:
        return None
    arms = [answer["arms"][run.arm] for run in study.runs if run.name in missing]
    paces = [arm.get("seconds_per_iter") for arm in arms]
    if None in paces:
        return None
    # evaluations cost about a third of a training step's work a token
    config, all_of_it = study.config, study.data.val_tokens
    some = min(all_of_it, config["eval_windows"] * config["block_size"])
    evaluated = all_of_it + some * (study.max_iters // config["eval_interval"])
    work = sum(paces) * (study.max_iters + evaluated / 3 / study.tokens_per_iter)
    at_once = max(1, min(study.jobs, len(missing)))
    work += STARTING * min(at_once, len(missing))
    return float(work / min(at_once, engine_of(study.engine).room(study))) / 60.0


def _notes(study: Study, known: Study | None, again: Kept | None, store: Store) -> list[str]:
    notes = []
    if study.is_floor:
        notes.append(wording.itself(study.baseline))
    other = kept.differing(again, study.versions) if again is not None else ""
    if other:
        notes.append(f"the last digits may differ from then: {other}")
    a, b = study.arms["baseline"].n_params, study.arms["modified"].n_params
    if abs(b - a) >= 0.01 * a > 0:
        notes.append(f"parameters differ by {wording.apart(a, b)}: {a:,} and {b:,}")
    notes.append(wording.many_passes(study.passes))
    if (mine := study.series) is not None:
        notes.append(wording.family(mine))
    if study.fresh_seeds:
        notes.append(wording.drawn(study.seeds))
    if (found := study.range) is not None:
        notes.append(wording.declared(found.first, found.most, found.alpha))
    elif (known is None and ledger.is_later(store, study)) or (
        known is not None and study.looks != known.looks and len(study.looks) > 1
    ):
        notes.append(wording.another_look())
    name, on = study.variant.removesuffix("*"), study.data.name
    spread = planner.known(store, name, study.preset, on)
    if spread is not None:
        notes.append(planner.can_see(study, spread))
    return notes
