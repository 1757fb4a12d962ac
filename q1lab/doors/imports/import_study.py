"""Runs that were trained elsewhere become a study: arms by ``cfg``, seeds by ``seed``.

A study compares like with like, so runs whose data, hyperparameters or length differ are refused,
with the names of what differs; a difference that is meant is named (``allow``) and kept in the
study's record. Paths are made from checked names and numbers only. Reading is in outside_runs.py.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from q1lab.designs.fixed import Fixed
from q1lab.doors.imports.outside_runs import OutsideRun, clean_json, finite_or_none, run_from_events
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import plain, read_bytes, size_of, utc_now, write_atomic
from q1lab.ground.json_records import storable
from q1lab.runner import early_stopping
from q1lab.study import bundle, liveness, studies
from q1lab.study.bundle import Bundle
from q1lab.study.events import LARGEST_COUNT, has_ended
from q1lab.study.hyperparameters import INTEGERS, NUMBERS, checked_value
from q1lab.study.origin import Imported, ImportedRuns
from q1lab.study.run_states import ENDED, RunState
from q1lab.study.studies import ARMS, Arm, Data, Study, run_name
from q1lab.study.trainer import is_version
from q1lab.trainers.own_loop import OwnLoop

DATA_KEYS = ("data_sha256", "data", "dataset", "corpus")
"""Config keys that say which data a run saw."""

RUN_KEYS = frozenset(
    {
        "cfg",
        "seed",
        "study",
        "name",
        "run_name",
        "run_id",
        "attempt",
        "resume",
        "out_dir",
        "output_dir",
        "data_dir",
    }
)
"""Config keys that may differ from run to run."""

STUDY_KEYS = frozenset({"preset", "device", "dtype", "torch", "metric", "better"})
"""Config keys that a study keeps in fields of their own."""

ARM_KEYS = frozenset(
    {"variant", "model", "model_file", "model_sha256", "n_params", "flops_per_token"}
)
"""Config keys that are what the arms are compared for: the same within an arm only."""


# ── grouping


@dataclass(frozen=True)
class GroupedRuns:
    """Runs that belong together, by arm and seed, and what was noted on the way."""

    arms: dict[str, dict[int, OutsideRun]]
    names: dict[str, str]
    """Arm → its cfg."""
    allowed: tuple[str, ...]
    notes: tuple[str, ...]


def group_runs(
    runs: list[OutsideRun], *, baseline: str | None = None, allow: Iterable[str] = ()
) -> GroupedRuns:
    """Sort runs into two arms. Problem when it isn't clear, or when they are not comparable.

    ``baseline`` names the cfg of the baseline where none is called so. ``allow`` names differences
    that are meant: config keys, or ``iters`` (lengths differ), or ``seeds`` (leave out seeds that
    only one arm has).
    """
    allowed = frozenset(allow)
    notes: list[str] = []
    kinds = sorted({run.cfg for run in runs})
    chosen = baseline or "baseline"
    if chosen not in kinds or len(kinds) != 2:
        said = ", ".join(kinds[:8])
        if len(kinds) == 2 and baseline is None:
            raise Problem(
                f"neither cfg is called baseline: {said}", next="say which one is, with --baseline"
            )
        raise Problem(f"two cfgs are compared, {chosen} and one more; these runs have: {said}")
    modified = next(kind for kind in kinds if kind != chosen)
    names = {"baseline": chosen, "modified": modified}
    arms = {
        arm: _by_seed([run for run in runs if run.cfg == cfg], notes) for arm, cfg in names.items()
    }
    lonely = sorted(set(arms["baseline"]) ^ set(arms["modified"]))
    if lonely:
        text = f"seed {', '.join(map(str, lonely))} is there in one arm only"
        if "seeds" not in allowed:
            raise Problem(text, next="`--allow seeds` compares the others")
        notes.append(f"{text}; left out")
        for arm in ARMS:
            arms[arm] = {seed: run for seed, run in arms[arm].items() if seed not in lonely}
    if not arms["baseline"]:
        raise Problem("no seed is there in both arms, so there is nothing to compare")
    _refuse_differences(arms, allowed, notes)
    return GroupedRuns(arms, names, tuple(sorted(allowed)), tuple(notes))


def _by_seed(runs: list[OutsideRun], notes: list[str]) -> dict[int, OutsideRun]:
    found: dict[int, OutsideRun] = {}
    for run in runs:
        other = found.get(run.seed)
        if other is None:
            found[run.seed] = run
            continue
        ended = [one for one in (other, run) if one.state in ENDED]
        if len(ended) != 1:
            raise Problem(
                f"{run.cfg}, seed {run.seed}, is there twice: {other.where} and {run.where}",
                next="choose with --group, or give them apart",
            )
        found[run.seed] = ended[0]
        left = other if ended[0] is run else run
        notes.append(f"{left.where} did not finish; {ended[0].where} is used")
    return dict(sorted(found.items()))


def _refuse_differences(
    arms: dict[str, dict[int, OutsideRun]], allowed: frozenset[str], notes: list[str]
) -> None:
    """Refuse runs that differ in data, hyperparameters or length; note what can't be known."""
    differ: dict[str, str] = {}
    every = [run for arm in arms.values() for run in arm.values()]
    keys = {key for run in every for key in run.config if not key.startswith("_")} - RUN_KEYS
    for key in sorted(keys):
        of_arms = [list(arm.values()) for arm in arms.values()]
        for members in of_arms if key in ARM_KEYS else [every]:
            values: dict[str, list[str]] = defaultdict(list)
            for run in members:
                shown = (
                    json.dumps(run.config[key], sort_keys=True, default=str)
                    if key in run.config
                    else "not said"
                )
                values[shown].append(run_name(run.cfg, run.seed))
            if len(values) > 1:
                differ[key] = ", ".join(
                    f"{value[:60]} ({_first_names(who)})" for value, who in values.items()
                )
    lengths: dict[int, list[str]] = defaultdict(list)
    for run in every:
        if run.state is RunState.FINISHED:
            lengths[run.last].append(run_name(run.cfg, run.seed))
    if len(lengths) > 1:
        differ["iters"] = ", ".join(
            f"{n:,} ({_first_names(who)})" for n, who in sorted(lengths.items())
        )
    wrong = {key: text for key, text in differ.items() if key not in allowed}
    if wrong:
        shown = "; ".join(f"{key}: {text}" for key, text in list(wrong.items())[:4])
        more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        flags = " ".join(f"--allow {key}" for key in list(wrong)[:4])
        raise Problem(
            plain(f"these runs are not alike. {shown}{more}. "), next=f"If that is meant: {flags}"
        )
    notes += [plain(f"{key} differs, as allowed: {text}") for key, text in differ.items()]
    if not any(key in run.config for run in every for key in DATA_KEYS):
        notes.append("the runs don't say which data they saw; you vouch that it was the same")
    if not any(key in run.config for run in every for key in ("learning_rate", "lr")):
        notes.append("the runs don't say their learning rate; you vouch that it was the same")


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# ── writing


def create_study(grouped: GroupedRuns, origin: str, taken: Collection[str] = ()) -> Study:
    """Write the study: ``study.json`` and every run's events, as if it had been trained here.

    The folder appears whole or not at all. ``origin`` says where the runs came from; names in
    ``taken`` are not given.
    """
    every = [run for arm in grouped.arms.values() for run in arm.values()]
    config = clean_json(_shared_config(every))
    notes = list(grouped.notes)
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
    config.setdefault("max_iters", max(1, *(run.last for run in every)))
    silent = [run.where for run in every if run.state is RunState.FINISHED and run.final is None]
    if silent:
        notes.append(
            f"{_first_names(silent)}: finished, but no final val loss is said, so it is left open"
        )
    now = utc_now()
    began = min((run.began for run in every if run.began), default=now)
    study = Study(
        id="",
        created=began if re.fullmatch("[0-9T:.+Z -]{10,40}", began) else now,
        arms={arm: _arm_record(arm, grouped, origin) for arm in ARMS},
        data=_data_record(every),
        trainer=OwnLoop(
            preset=str(config.get("preset") or "")[:60],
            config={
                key: value
                for key, value in config.items()
                if key not in {*DATA_KEYS, *ARM_KEYS, *RUN_KEYS, *STUDY_KEYS}
            },
            device=str(config.get("device") or "elsewhere")[:60],
            dtype=str(config.get("dtype") or "")[:60],
            jobs=1,
            threads=1,
            versions={"torch": torch} if is_version(torch := str(config.get("torch", ""))) else {},
        ),
        design=Fixed(
            batches=(tuple(sorted(grouped.arms["baseline"])),),
            headline="paired" if all(_pairs_by_seed(run) for run in every) else "welch",
        ),
        origin=Imported(
            imported=ImportedRuns(
                source=plain(origin),
                time=now,
                allowed=tuple(grouped.allowed),
                notes=tuple(note[:2000] for note in notes),
                runs=tuple(run.where for run in every),
            )
        ),
    )
    runs = {
        run_name(arm, seed): run
        for arm, found in grouped.arms.items()
        for seed, run in found.items()
    }
    events = {run.name: trainer_events(runs[run.name], run.arm, run.variant) for run in study.runs}
    stem = grouped.names["modified"] if study.variant == "modified" else study.variant
    return _publish(study, stem, events, {}, taken)


def adopt_study(found: Bundle, origin: str, taken: Collection[str]) -> Study:
    """Take in a whole study of another q1lab as one of its own, past the names that are
    ``taken``: plan, model files and events."""
    events = {name: run.events or [] for name, run in _read_runs(found, origin).items()}
    if not events:
        raise Problem(f"{origin} holds no events of the runs that its study.json plans")
    study, files = found.study, {}
    arms = {}
    for name, arm in study.arms.items():
        source = found.files.get(arm.source)
        here = source is not None and source.suffix == ".py" and size_of(source) < 1 << 20
        if source is not None and here:
            files[f"source/{name}.py"] = read_bytes(source)
        arms[name] = replace(arm, source=f"source/{name}.py" if here else "")
    study = replace(
        study,
        arms=arms,
        trainer=replace(study.trainer, wandb="disabled"),
        origin=Imported(
            typed=study.origin.typed,
            series=study.origin.series,
            imported=ImportedRuns(source=origin, study=plain(study.id), time=utc_now()),
        ),
    )
    return _publish(study, study.variant, events, files, taken)


def _read_runs(found: Bundle, origin: str) -> dict[str, OutsideRun]:
    """The runs of a bundle that have events. Problem for events that are not those of their
    run."""
    runs = {}
    for run in found.study.runs:
        if not re.fullmatch(r"(baseline|modified)-seed\d{1,9}", run.name):
            raise Problem(f"{origin} names a run {plain(run.name)!r}, which is not a run of q1lab")
        file = found.files.get(f"runs/{run.name}/events.jsonl")
        if file is None:
            continue
        one = run_from_events(file, f"{run.name}/events.jsonl")
        if (one.cfg, one.seed) != (run.arm, run.seed):
            raise Problem(
                f"{one.where} is the run {run_name(one.cfg, one.seed)}, not {run.name}; nothing "
                "was taken"
            )
        runs[run.name] = one
    return runs


def find_planned(theirs: Study) -> Study | None:
    """The study here that this plan was made from: the same name, time and identity. None where
    there is none."""
    try:
        ours = studies.load(theirs.id)
    except Problem:
        return None
    same = ours.created == theirs.created and studies.identity_key(ours) == studies.identity_key(
        theirs
    )
    some, mine = set(theirs.seeds), set(ours.seeds)
    # a planned range that was known here since has fewer seeds than it was planned with
    fits = some <= mine or (ours.design.is_sequential and mine <= some)
    return ours if same and fits else None


def fill_planned(study: Study, found: Bundle, origin: str) -> list[str]:
    """Give a study that was planned here the runs that ended there and not here; returns their
    names. A planned range that is known with them has no more runs. Problem, with nothing changed,
    when events are not those of their run, or the study trains now.

    So there is one study, declared before its runs, and not a second one beside it.
    """
    if liveness.is_alive(study.files):
        raise Problem(f"{study.id} is running", next=f"stop it first: q1lab stop {study.id}")
    runs, ready = _read_runs(found, origin), {}
    for run in study.runs:
        here = study.files.run(run.name).events
        there = found.files.get(f"runs/{run.name}/events.jsonl")
        if run.name in runs and there is not None and has_ended(there) and not has_ended(here):
            ready[here] = read_bytes(there)
    for path, data in ready.items():
        write_atomic(path, data)
    end = early_stopping.EarlyStopping(study).over_before_plan()
    if end is not None:
        early_stopping.cut_study(study, end)
    return [path.parent.name for path in ready]


def trainer_events(run: OutsideRun, arm: str, variant: str) -> list[dict[str, Any]]:
    """The run as a trainer of q1lab would have written it. Its own events are kept, under the arm
    it has here."""
    if run.events is not None:
        mine = [
            {**event, "arm": arm} if event["type"] == "start" else event for event in run.events
        ]
        for event in mine:  # one that doesn't say its final loss may have been evaluated at the end
            if event["type"] == "exit" and event.get("state") == RunState.FINISHED:
                event["val_loss"] = finite_or_none(run.final)
        return mine
    start = {
        "type": "start",
        "v": 1,
        "arm": arm,
        "variant": variant,
        "seed": run.seed,
        "attempt": 1,
        "time": run.began,
        "config": run.config,
        "imported_from": run.where,
    }
    if isinstance(run.config.get("n_params"), int):
        start["n_params"] = run.config["n_params"]
    points: list[dict[str, Any]] = [
        {"type": "iter", "iter": n, "train_loss": loss} for n, loss in run.train.items()
    ]
    points += [{"type": "eval", "iter": n, "val_loss": loss} for n, loss in run.evals.items()]
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


def _pairs_by_seed(run: OutsideRun) -> bool:
    """Whether runs of one seed start and train alike, which q1lab's trainer sees to. Of others it
    is not known, so their arms are compared apart."""
    return run.events is not None or "model_sha256" in run.config


def _shared_config(runs: list[OutsideRun]) -> dict[str, Any]:
    """What all runs say alike."""
    first = runs[0].config
    return {
        key: value
        for key, value in first.items()
        if all(key in run.config and run.config[key] == value for run in runs)
    }


def _arm_record(arm: str, grouped: GroupedRuns, origin: str) -> Arm:
    run = next(iter(grouped.arms[arm].values()))
    variant = run.config.get("variant")
    name = plain(variant)[:60] if isinstance(variant, str) and variant else grouped.names[arm]
    sha, n, flops = (run.config.get(key) for key in ("model_sha256", "n_params", "flops_per_token"))
    return Arm(
        variant=name,
        title=name,
        source="",
        sha256=sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{64}", sha) else "",
        origin=plain(origin),
        n_params=_count_or_zero(n),
        flops_per_token=_count_or_zero(flops),
    )


def _data_record(runs: list[OutsideRun]) -> Data:
    config = _shared_config(runs)
    name = next((config[key] for key in ("data", "dataset", "corpus") if config.get(key)), "")
    sha = config.get("data_sha256")
    return Data(
        name=storable(str(name))[:200] if name else "not said",
        sha256=sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{64}", sha) else "",
        file="",
        characters=0,
        vocab_size=_count_or_zero(config.get("vocab_size")),
        train_tokens=0,
        val_tokens=0,
    )


def _count_or_zero(value: Any) -> int:
    """A whole number from 0 up as it was said, else 0: not known."""
    found = finite_or_none(value)
    return int(found) if found is not None and 0 <= found < LARGEST_COUNT else 0


def _publish(
    study: Study,
    stem: str,
    events: Mapping[str, list[dict[str, Any]]],
    sources: Mapping[str, bytes],
    taken: Collection[str],
) -> Study:
    """Put a study beside the others, under the next free name past those that are ``taken``.

    What would be written is read first as any viewer will read it: a study that can't be opened is
    a Problem here, and nothing is there then.
    """
    try:
        study = studies.from_dict(json.loads(json.dumps(study.to_dict())))
    except (ValueError, RecursionError) as error:
        raise Problem(
            f"{study.origin.source} makes no study: {plain(str(error))[:200]}; nothing was taken in"
        ) from None
    files: dict[str, bundle.Content] = dict(sources)
    for name, records in events.items():
        lines = (
            json.dumps(clean_json(one), ensure_ascii=False, allow_nan=False) + "\n"
            for one in records
        )
        files[f"runs/{name}/events.jsonl"] = "".join(lines).encode()
    stem = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "imported"
    there = paths.studies_dir()
    known = [path.name for path in there.iterdir()] if there.is_dir() else []
    first = studies.next_number(stem, [*known, *taken])
    return bundle.adopt_study(study, files, (f"{stem}-{n}" for n in count(first)))
