"""Runs that were trained elsewhere become a study: arms by ``cfg``, seeds by ``seed``.

A study compares like with like. Runs of W&B or of a folder that differ in data, hyperparameters or
length are refused, and the Problem names the differences. The learner can allow a difference by its
name (``allow``); the study's record keeps it. Runs of a table are compared as `q1lab judge` does,
and the verdict names the differences. Paths are made from checked names and numbers only.
outside_runs.py and number_table.py read the runs."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from q1lab.designs.fixed import Fixed
from q1lab.designs.given import Given, TableRuns
from q1lab.doors.imports.outside_runs import (
    clean_json,
    finite_or_none,
    run_from_events,
)
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import file_size, printable, read_bytes, utc_now, write_atomic
from q1lab.ground.text_formats import first_names, storable_text
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.metric import LARGEST_COUNT, VAL_LOSS, Metric
from q1lab.record.traveling_lines import CameWith
from q1lab.runner import early_stopping, series_members
from q1lab.study import bundle, liveness, studies
from q1lab.study.bundle import Bundle
from q1lab.study.design import Design
from q1lab.study.events import has_ended, read_new_events
from q1lab.study.hyperparameters import INTEGERS, NUMBERS, checked_value
from q1lab.study.identity import code_hash
from q1lab.study.origin import ImportedRuns, Origin
from q1lab.study.run_states import RunState
from q1lab.study.series import SWEEP, Series
from q1lab.study.studies import ARMS, Arm, Data, Study, run_name
from q1lab.study.trainer import Trainer, is_version
from q1lab.tables.found_runs import NumberTable, Runs
from q1lab.tables.outside_run import SEED_KEYS, OutsideRun
from q1lab.trainers.outside import Outside
from q1lab.trainers.own_loop import OwnLoop

DATA_KEYS = ("data_sha256", "data", "dataset", "corpus")
"""Config keys that identify a run's data."""

RATE_KEYS = ("learning_rate", "lr")

RUN_KEYS = frozenset(
    {
        *("cfg", *SEED_KEYS, "study", "name", "run_name", "run_id", "attempt", "resume"),
        *("out_dir", "output_dir", "data_dir"),
    }
)
"""Config keys that may differ from run to run."""

STUDY_KEYS = frozenset({"preset", "device", "dtype", "torch", "metric", "better"})
"""Config keys that a study keeps in fields of their own, outside its config."""

ARM_KEYS = frozenset(
    {"variant", "model", "model_file", "model_sha256", "n_params", "flops_per_token"}
)
"""Config keys by which the arms are meant to differ: each is equal within an arm only."""


# ── comparing like with like


def alike(
    table: NumberTable, allow: Collection[str] = (), identity_keys: Collection[str] = ()
) -> NumberTable:
    """The same two arms, by seed. Problem if their runs are not comparable.

    ``allow`` names intended differences: config keys, ``iters`` (lengths differ), or ``seeds``
    (leave out the seeds that only one arm has). ``identity_keys`` are the config keys that say a
    run's arm and seed.
    """
    notes, (baseline, modified) = list(table.found.notes), table.runs
    seeds = sorted({*baseline} & {*modified})
    if unpaired := sorted({*baseline} ^ {*modified}):
        text = f"seed {', '.join(map(str, unpaired))} is in one arm only"
        if "seeds" not in allow:
            raise Problem(text, next="`--allow seeds` compares the others")
        notes.append(f"{text}; left out")
    if not seeds:
        raise Problem("no seed is in both arms, so there is nothing to compare")
    arms = {
        name: {seed: runs[seed] for seed in seeds}
        for name, runs in zip(table.names, table.runs, strict=True)
    }
    groups = [list(runs.values()) for runs in arms.values()]
    differ = _differences(groups, {*RUN_KEYS, *identity_keys})
    wrong = {key: text for key, text in differ.items() if key not in allow}
    if wrong:
        shown = "; ".join(f"{key}: {text}" for key, text in list(wrong.items())[:4])
        more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        flags = " ".join(f"--allow {key}" for key in list(wrong)[:4])
        raise Problem(
            printable(f"these runs are not alike. {shown}{more}. "),
            next=f"If that is intended: {flags}",
        )
    notes += [printable(f"{key} differs, as allowed: {text}") for key, text in differ.items()]
    told = {key for runs in groups for run in runs for key in run.config}
    for keys, words in ((DATA_KEYS, "which data they saw"), (RATE_KEYS, "their learning rate")):
        if not told & {*keys}:
            notes.append(f"the runs don't say {words}; you vouch that it was the same")
    return replace(table, found=replace(table.found, arms=arms, notes=notes))


def _differences(arms: Sequence[list[OutsideRun]], may_differ: Collection[str]) -> dict[str, str]:
    """The data, hyperparameters and lengths in which runs differ, each with its values. The config
    keys ``may_differ`` are not looked at."""
    every = [run for runs in arms for run in runs]
    keys = {key for run in every for key in run.config if not key.startswith("_")} - {*may_differ}
    differ: dict[str, str] = {}
    for key in sorted(keys):
        for runs in arms if key in ARM_KEYS else [every]:
            _tell(differ, key, [(_setting(run, key), run) for run in runs])
    ended = sorted((run for run in every if run.state is RunState.FINISHED), key=lambda r: r.last)
    _tell(differ, "iters", [(f"{run.last:,}", run) for run in ended])
    return differ


def _setting(run: OutsideRun, key: str) -> str:
    known = key in run.config
    return json.dumps(run.config[key], sort_keys=True, default=str) if known else "not said"


def _tell(differ: dict[str, str], key: str, values: Iterable[tuple[str, OutsideRun]]) -> None:
    """Add what has more than one value, with the runs of each."""
    who: dict[str, list[str]] = defaultdict(list)
    for value, run in values:
        who[value].append(run_name(run.cfg, run.seed))
    if len(who) > 1:
        differ[key] = ", ".join(f"{value[:60]} ({first_names(of)})" for value, of in who.items())


# ── writing


@dataclass(frozen=True)
class ImportDraft:
    """A study that is not written yet: without a name and a series."""

    study: Study
    table: NumberTable

    @property
    def arms(self) -> Mapping[str, Runs]:
        return dict(zip(ARMS, self.table.runs, strict=True))


@dataclass(frozen=True)
class TakenIn:
    """The study that runs were imported into."""

    study: Study
    is_new: bool = True
    """False where it had these runs already."""


def arms_series(name: str, candidates: tuple[str, ...], arm: str) -> Series | None:
    """The comparisons that share 5%: of each candidate with one baseline, and the place of ``arm``.
    None for a single one."""
    many = len(candidates)
    return (
        None if many < 2 else Series(name, SWEEP, candidates, candidates.index(arm), ALPHA / many)
    )


def design_of_table(table: NumberTable) -> Given:
    """The design of the study that a table makes: all of its runs, paired by seed where both arms
    have the same seeds."""
    seeds = sorted({*table.runs[0], *table.runs[1]})
    absent = (
        run_name(arm, seed)
        for arm, runs in zip(ARMS, table.runs, strict=True)
        for seed in seeds
        if seed not in runs
    )
    return Given(
        batches=(tuple(seeds),),
        headline="paired" if table.is_paired else "welch",
        table=TableRuns(tuple(absent), table.found.has_seeds),
    )


def draft_of_table(table: NumberTable) -> ImportDraft:
    """The study of a table or of logs, which has the verdict that `q1lab judge` gives."""
    source = printable(table.found.name)
    arms = [Arm(name, name, "", "", source, 0, 0) for name in table.names]
    data = Data("", "", "", 0, 0, 0, 0)
    return _draft(table, arms, data, _outside(table.found.metric), design_of_table(table))


def draft_of_runs(
    table: NumberTable, allow: Collection[str] = (), identity_keys: Collection[str] = ()
) -> ImportDraft:
    """The study of runs of W&B or of a folder, which must be alike."""
    table = alike(table, allow, identity_keys)
    all_runs = [run for arm in table.runs for run in arm.values()]
    config = clean_json(_shared_config(all_runs))
    notes = table.found.notes
    for key in (*INTEGERS, *NUMBERS):
        value = config.get(key)
        if isinstance(value, float) and value.is_integer():
            config[key] = int(value)
        try:
            config[key] = checked_value(key, config[key])
        except KeyError:
            continue
        except ValueError as error:
            notes.append(f"{error}; it is left out")
            del config[key]
    config.setdefault("max_iters", max(1, *(run.last for run in all_runs)))
    lossless_runs = [
        run.where for run in all_runs if run.state is RunState.FINISHED and run.final is None
    ]
    if lossless_runs:
        notes.append(
            f"{first_names(lossless_runs)}: finished, but no final val loss is said, "
            "so it is left open"
        )
    began = min((run.began for run in all_runs if run.began), default="")
    metric = table.found.metric
    return _draft(
        table,
        [
            _arm_record(name, runs, table.found.name)
            for name, runs in zip(table.names, table.runs, strict=True)
        ],
        _data_record(all_runs),
        _own_loop(config) if metric == VAL_LOSS else _outside(metric),
        # both arms have the same seeds
        Fixed(batches=(tuple(table.runs[0]),), headline="paired"),
        began if re.fullmatch("[0-9T:.+Z -]{10,40}", began) else "",
        tuple(sorted({*allow})),
    )


def _draft(
    table: NumberTable,
    arms: Iterable[Arm],
    data: Data,
    trainer: Trainer,
    design: Design,
    created: str = "",
    allowed: tuple[str, ...] = (),
) -> ImportDraft:
    imported = ImportedRuns(
        source=printable(table.found.name),
        time=utc_now(),
        allowed=allowed,
        notes=tuple(note[:2000] for note in table.found.notes),
        runs=tuple(run.where for arm in table.runs for run in arm.values()),
    )
    study = Study(
        id="",
        created=created or imported.time,
        arms=dict(zip(ARMS, arms, strict=True)),
        data=data,
        trainer=trainer,
        design=design,
        origin=Origin(imported=imported),
    )
    return ImportDraft(study, table)


def _outside(metric: Metric) -> Outside:
    return Outside(device="elsewhere", jobs=1, threads=1, versions={}, measured=metric)


def _own_loop(config: Mapping[str, Any]) -> OwnLoop:
    torch = str(config.get("torch", ""))
    left_out = {*DATA_KEYS, *ARM_KEYS, *RUN_KEYS, *STUDY_KEYS}
    return OwnLoop(
        preset=str(config.get("preset") or "")[:60],
        config={key: value for key, value in config.items() if key not in left_out},
        device=str(config.get("device") or "elsewhere")[:60],
        dtype=str(config.get("dtype") or "")[:60],
        jobs=1,
        threads=1,
        versions={"torch": torch} if is_version(torch) else {},
    )


def take_in(drafts: Sequence[ImportDraft], taken_names: Collection[str] = ()) -> list[TakenIn]:
    """Write each study, unless one here has the same runs: ``study.json`` and the events of its
    runs, as if it had been trained here. A folder appears complete or not at all, under a name
    outside ``taken_names``.

    Several arms that were there to be compared with the baseline are one series, which keeps its
    name where one of them was imported before.
    """
    candidates = drafts[0].table.candidates
    before = [same_runs(draft) for draft in drafts]
    earlier_series = [study.origin.series for study in before if study is not None]
    names = [
        series.id
        for series in earlier_series
        if series is not None and series.members == candidates
    ]
    name = names[0] if names else series_members.new_series_id(SWEEP, taken_names)
    members = [
        draft.study.with_origin(series=arms_series(name, candidates, draft.table.names[1]))
        for draft in drafts
    ]
    for study in members:
        _checked(study)  # all of them before the first is written
    return [
        TakenIn(_write(draft, study, taken_names)) if same is None else TakenIn(same, is_new=False)
        for draft, study, same in zip(drafts, members, before, strict=True)
    ]


def _write(draft: ImportDraft, study: Study, taken_names: Collection[str]) -> Study:
    stem = draft.table.names[1] if study.variant == "modified" else study.variant
    return _publish(study, stem, _events(draft), {}, taken_names)


def same_runs(draft: ImportDraft) -> Study | None:
    """The study here that was imported before and has exactly these runs; None if there is none."""
    results: dict[str, list[Any]] = {}
    for other in studies.load_each(studies.ids())[0]:
        if other.origin.is_ours or _subject(other) != _subject(draft.study):
            continue
        results = results or {name: _results(events) for name, events in _events(draft).items()}
        if all(
            _results(read_new_events(other.files.run(name).events)[0]) == result
            for name, result in results.items()
        ):
            return other
    return None


def _subject(study: Study) -> tuple[Any, ...]:
    """The arms, metric and runs of a study."""
    metric = study.metric
    names = [run.name for run in study.runs]
    return study.baseline, study.variant, metric.key(), metric.better, names


def _results(events: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The results that a run's events hold: each number with its iter, and the state."""
    facts = ("type", "iter", "train_loss", "val_loss", "final", "state")
    return [
        [event[key] for key in facts if event.get(key) is not None]
        for event in events
        if event["type"] != "start"
    ]


def _events(draft: ImportDraft) -> dict[str, list[dict[str, Any]]]:
    """The events of each run of a study."""
    return {
        run.name: trainer_events(draft.arms[run.arm][run.seed], run.arm, run.variant)
        for run in draft.study.runs
    }


def copy_study(
    received: Bundle, origin: str, taken_names: Collection[str], came: CameWith | None
) -> Study:
    """Copy another q1lab's study (plan, model files and events) into a study of its own here. It
    gets none of the ``taken_names``."""
    events = {name: run.events or [] for name, run in _read_runs(received, origin).items()}
    if not events:
        raise Problem(f"{origin} holds no events of the runs that its study.json plans")
    study, files = received.study, {}
    arms = {}
    for name, arm in study.arms.items():
        source = received.files.get(arm.source)
        is_model_file = (
            source is not None and source.suffix == ".py" and file_size(source) < 1 << 20
        )
        if source is not None and is_model_file:
            text = files[f"source/{name}.py"] = read_bytes(source)
            arm = replace(arm, code=arm.code or code_hash(text.decode(errors="replace")))
        arms[name] = replace(arm, source=f"source/{name}.py" if is_model_file else "")
    declared = study.origin.is_ours and came is not None
    study = replace(
        study,
        arms=arms,
        trainer=replace(study.trainer, wandb="disabled"),
        origin=Origin(
            typed=study.origin.typed,
            series=study.origin.series,
            imported=ImportedRuns(
                source=origin,
                study=printable(study.id),
                time=utc_now(),
                journal=came.own["study"] if came is not None and declared else "",
            ),
        ),
    )
    return _publish(study, study.variant, events, files, taken_names)


def _read_runs(received: Bundle, origin: str) -> dict[str, OutsideRun]:
    """The runs of a bundle that have events, by name. Problem for events that name another run."""
    runs = {}
    for run in received.study.runs:
        if not re.fullmatch(r"(baseline|modified)-seed\d{1,9}", run.name):
            raise Problem(
                f"{origin} names a run {printable(run.name)!r}, which is not a run of q1lab"
            )
        file = received.files.get(f"runs/{run.name}/events.jsonl")
        if file is None:
            continue
        outside_run = run_from_events(file, f"{run.name}/events.jsonl")
        if (outside_run.cfg, outside_run.seed) != (run.arm, run.seed):
            raise Problem(
                f"{outside_run.where} is the run "
                f"{run_name(outside_run.cfg, outside_run.seed)}, not {run.name}; "
                "nothing was imported"
            )
        runs[run.name] = outside_run
    return runs


def find_planned(theirs: Study) -> Study | None:
    """The study here that ``theirs`` is a copy of: the same name, time and identity, and no seeds
    that were not planned here. None if there is no such study."""
    try:
        ours = studies.load(theirs.id)
    except Problem:
        return None
    same = ours.created == theirs.created and studies.identity_key(ours) == studies.identity_key(
        theirs
    )
    their_seeds, our_seeds = set(theirs.seeds), set(ours.seeds)
    # a planned range that has ended early here has fewer seeds than the copy
    fits = their_seeds <= our_seeds or (ours.design.is_sequential and our_seeds <= their_seeds)
    return ours if same and fits else None


def fill_planned(study: Study, received: Bundle, origin: str) -> list[str]:
    """Copy the events of runs that have ended elsewhere, and not here, into the study that was
    planned here; returns the runs' names. A planned range that is decided with them ends. Problem,
    with nothing changed, if events name another run or the study is training.

    So the study stays the one that was declared before its runs.
    """
    if liveness.is_alive(study.files):
        raise Problem(f"{study.id} is running", next=f"stop it first: q1lab stop {study.id}")
    runs, events_by_path = _read_runs(received, origin), {}
    for run in study.runs:
        our_events = study.files.run(run.name).events
        their_events = received.files.get(f"runs/{run.name}/events.jsonl")
        if (
            run.name in runs
            and their_events is not None
            and has_ended(their_events)
            and not has_ended(our_events)
        ):
            events_by_path[our_events] = read_bytes(their_events)
    for path, data in events_by_path.items():
        write_atomic(path, data)
    end = early_stopping.EarlyStopping(study).over_before_plan()
    if end is not None:
        early_stopping.cut_study(study, end)
    return [path.parent.name for path in events_by_path]


def trainer_events(run: OutsideRun, arm: str, variant: str) -> list[dict[str, Any]]:
    """The run's events as q1lab's trainer would have written them. A run that has events of its own
    keeps them; only ``arm`` is set in them."""
    if run.events is not None:
        own_events = [
            {**event, "arm": arm} if event["type"] == "start" else event for event in run.events
        ]
        for event in own_events:  # a run without a final loss may have been evaluated at its end
            if event["type"] == "exit" and event.get("state") == RunState.FINISHED:
                event["val_loss"] = finite_or_none(run.final)
        return own_events
    start = {
        "type": "start",
        "v": 1,
        "arm": arm,
        "variant": variant,
        "seed": run.seed,
        "attempt": 1,
        "time": run.began,
        "config": run.config,
        "conditions": run.conditions,
        "imported_from": run.where,
    }
    if isinstance(run.config.get("n_params"), int):
        start["n_params"] = run.config["n_params"]
    points: list[dict[str, Any]] = [
        {"type": "iter", "iter": int(n), "train_loss": loss} for n, loss in run.train.items()
    ]
    points += [{"type": "eval", "iter": int(n), "val_loss": loss} for n, loss in run.evals.items()]
    points.sort(key=lambda point: (point["iter"], point["type"] == "eval"))
    final = finite_or_none(run.final)
    end: dict[str, Any] = {
        "type": "exit",
        "state": str(run.state),
        "iter": run.last,
        "time": run.began,
    }
    if run.state is RunState.FINISHED:
        points.append({"type": "eval", "iter": run.last, "val_loss": final, "final": True})
        end["val_loss"] = final
    for key, value in (("t", run.seconds), ("tok_per_s", run.tok_per_s), ("message", run.message)):
        if value is not None:
            end[key] = value
    return [start, *points, end]


def _shared_config(runs: list[OutsideRun]) -> dict[str, Any]:
    """The config keys and values that all runs share."""
    first = runs[0].config
    return {
        key: value
        for key, value in first.items()
        if all(key in run.config and run.config[key] == value for run in runs)
    }


def _arm_record(name: str, runs: Runs, origin: str) -> Arm:
    run = next(iter(runs.values()))
    variant = run.config.get("variant")
    name = printable(variant)[:60] if isinstance(variant, str) and variant else name
    sha, n, flops = (run.config.get(key) for key in ("model_sha256", "n_params", "flops_per_token"))
    return Arm(
        variant=name,
        title=name,
        source="",
        sha256=sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{64}", sha) else "",
        origin=printable(origin),
        n_params=_count_or_zero(n),
        flops_per_token=_count_or_zero(flops),
    )


def _data_record(runs: list[OutsideRun]) -> Data:
    config = _shared_config(runs)
    name = next((config[key] for key in ("data", "dataset", "corpus") if config.get(key)), "")
    sha = config.get("data_sha256")
    return Data(
        name=storable_text(str(name))[:200] if name else "not said",
        sha256=sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{64}", sha) else "",
        file="",
        characters=0,
        vocab_size=_count_or_zero(config.get("vocab_size")),
        train_tokens=0,
        val_tokens=0,
    )


def _count_or_zero(value: Any) -> int:
    """``value`` as a count if it is one, else 0 for unknown."""
    count = finite_or_none(value)
    return int(count) if count is not None and 0 <= count < LARGEST_COUNT else 0


def _publish(
    study: Study,
    stem: str,
    events: Mapping[str, list[dict[str, Any]]],
    sources: Mapping[str, bytes],
    taken_names: Collection[str],
) -> Study:
    """Write a study into the home under the next free name that starts with ``stem`` and is not in
    ``taken_names``.
    """
    study = _checked(study)
    files: dict[str, bundle.Content] = dict(sources)
    for name, records in events.items():
        lines = (
            json.dumps(clean_json(event), ensure_ascii=False, allow_nan=False) + "\n"
            for event in records
        )
        files[f"runs/{name}/events.jsonl"] = "".join(lines).encode()
    stem = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "imported"
    folder = paths.studies_dir()
    names_on_disk = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    first = studies.next_number(stem, [*names_on_disk, *taken_names])
    return bundle.adopt_study(study, files, (f"{stem}-{n}" for n in count(first)))


def _checked(study: Study) -> Study:
    """The plan as it is read back from its JSON: Problem if no viewer could open the study."""
    try:
        return studies.from_dict(json.loads(json.dumps(study.to_dict())))
    except (ValueError, RecursionError) as error:
        raise Problem(
            f"{study.origin.came.source} can't become a study: {printable(str(error))[:200]}; "
            f"nothing was imported"
        ) from None
