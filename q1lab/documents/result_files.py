"""Results as files: JSON (the comparisons), CSV (every run, or every point of the curves), HTML
(the page of a comparison).

In JSON and CSV nothing is rounded and nothing is left out: diverged and unfinished runs are rows
like the others. Text that a spreadsheet would run as a formula begins with an apostrophe in CSV.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from q1lab import __version__
from q1lab.compare.comparison import comparison_json, run_costs, verdict_columns
from q1lab.compare.comparison_cache import compare
from q1lab.documents.comparison_page import comparison_page
from q1lab.ground.errors import Problem
from q1lab.ground.files import utc_now
from q1lab.ground.write_intents import write_output
from q1lab.journal import ingest_events, study_names
from q1lab.journal.store import Store
from q1lab.judgment import arrange
from q1lab.judgment.subject import run_label
from q1lab.study import studies
from q1lab.study.studies import Study

CSV, JSON, PAGE = ".csv", ".json", ".html"
"""The suffixes of the files."""

RUN_COLUMNS = (
    "study",
    "created",
    "preset",
    "data",
    "data_sha256",
    "device",
    "dtype",
    "arm",
    "variant",
    "seed",
    "run",
    "state",
    "attempt",
    "iter",
    "max_iters",
    "metric",
    "unit",
    "better",
    "value",
    "command",
    "arguments",
    "reused_from",
    "message",
)
STUDY_COLUMNS = ("verdict", "level", "pairs", "difference", "low", "high")
"""Columns of the study, the same in each of its rows."""
POINT_COLUMNS = ("study", "arm", "variant", "seed", "run", "metric", "iter", "value")


def export_studies(
    store: Store,
    ids: Sequence[str],
    target: Path,
    *,
    curves: bool = False,
    force: bool = False,
    unreadable: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write studies into the file ``target``, whose suffix says what: a page (``.html``) is of one
    study, JSON and CSV are of all of ``ids``.

    ``curves`` makes the CSV a row per point of each metric instead of a row per run, and has
    them stand beside the comparisons in JSON. Studies in
    ``unreadable`` (why, by id) are a marked row each, or an entry of the JSON. Problem for an
    unknown study, no study at all, several for a page, and without ``force`` where a file that
    q1lab did not write would be replaced.
    """
    if not ids and not unreadable:
        raise Problem("nothing to export", next="start a study with `q1lab run rope --seeds 3`")
    chosen = [studies.load(study_id) for study_id in ids]
    for study in chosen:
        ingest_events.ingest_study(store, study)
    suffix = target.suffix.lower()
    if suffix == PAGE:
        (study,) = chosen
        text = comparison_page(store, study)
    elif suffix == JSON:
        text = studies_json(store, chosen, unreadable, curves=curves)
    else:
        text = studies_csv(store, chosen, curves=curves, unreadable=unreadable)
    write_output(target, text, force=force)


def studies_json(
    store: Store,
    chosen: Sequence[Study],
    unreadable: Mapping[str, str] = MappingProxyType({}),
    *,
    curves: bool = False,
) -> str:
    """The comparisons as one JSON document: ``{"q1lab": version, "exported": time, "studies":
    [record, …], "curves": [point, …], "names": {id: name}, "unreadable": {id: why}}``;
    a point has the ``POINT_COLUMNS``. The last three only where there are any."""
    document: dict[str, Any] = {
        "q1lab": __version__,
        "exported": utc_now(),
        "studies": [comparison_json(compare(store, study)) for study in chosen],
    }
    if curves:
        points = (point for study in chosen for point in _points(store, study))
        document["curves"] = [dict(zip(POINT_COLUMNS, point, strict=True)) for point in points]
    given = {study.id: study_names.name_of(store, study.id) for study in chosen}
    if names := {study_id: name for study_id, name in given.items() if name}:
        document["names"] = names
    document |= {"unreadable": dict(unreadable)} if unreadable else {}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def studies_csv(
    store: Store,
    chosen: Sequence[Study],
    *,
    curves: bool = False,
    unreadable: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A row per run, or with ``curves`` a row per point; empty where there is no number.
    A study in ``unreadable`` is one row per study, its state ``unreadable``, and why."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = tuple(arrange.COSTS)
    set_keys = _hyperparameter_names(chosen)
    set_heads = tuple(f"{SETTING}{key}" for key in set_keys)
    heads = POINT_COLUMNS if curves else RUN_COLUMNS + keys + STUDY_COLUMNS + set_heads
    writer.writerow(heads)
    for study in chosen:
        rows = _points(store, study) if curves else _runs(store, study, set_keys)
        writer.writerows(map(_without_formulas, rows))
    if not curves:
        for study_id, why in unreadable.items():
            marked = {"study": study_id, "state": "unreadable", "message": why}
            writer.writerow([marked.get(name) for name in heads])
    return out.getvalue()


_FORMULA = re.compile(r"\s*(?:=|[+@-].*[|(])", re.DOTALL)


def _without_formulas(cells: Sequence[Any]) -> list[Any]:
    """The cells of a row. A name from elsewhere that a spreadsheet would run gets an apostrophe
    first; the arguments of a command stay as they are."""
    return [
        f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in cells
    ]


SETTING = "set."
"""Before the name of a hyperparameter, in the head of its column."""


def _hyperparameter_names(chosen: Sequence[Study]) -> list[str]:
    """The hyperparameters that any of the studies knows, without those that have a column."""
    names: dict[str, None] = {}
    for study in chosen:
        names |= dict.fromkeys(study.trainer.config)
    return [name for name in names if name not in RUN_COLUMNS]


def _runs(store: Store, study: Study, set_keys: Sequence[str]) -> Iterator[list[Any]]:
    verdict = verdict_columns(compare(store, study)).values()
    for row in store.runs(study.id):
        arm = study.arms[row["arm"]]
        fixed = {
            "study": study.id,
            "created": study.created,
            "preset": study.trainer.preset,
            "data": study.data.name,
            "data_sha256": study.data.sha256,
            "device": study.trainer.device,
            "dtype": study.trainer.dtype,
            **_run_cells(row["seed"]),
            "metric": study.metric.key(),
            "unit": study.metric.unit,
            "better": study.metric.better,
            "value": row["val_loss"],
            "max_iters": row["max_iters"] or None,
            "command": study.trainer.loop.run,
            "arguments": study.trainer.loop.args.get(arm.variant, ""),
        }
        settings = study.trainer.config
        yield [
            *(fixed[name] if name in fixed else row[name] for name in RUN_COLUMNS),
            *run_costs(arm, row).values(),
            *verdict,
            *(settings.get(key) for key in set_keys),
        ]


def _points(store: Store, study: Study) -> Iterator[list[Any]]:
    for row in store.runs(study.id):
        run = [study.id, row["arm"], row["variant"], *_run_cells(row["seed"]).values()]
        for name in store.metric_names(row["id"]):
            if name in study.trainer.repeated_numbers:
                continue
            for iter_, value in store.curve(row["id"], name):
                yield [*run, name, iter_, value]


def _run_cells(seed: int) -> dict[str, int | str]:
    """A run's seed, and the run as it is called everywhere."""
    return {"seed": seed, "run": run_label(seed)}
