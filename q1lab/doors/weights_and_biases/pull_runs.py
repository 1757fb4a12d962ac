"""Reads the runs of a W&B project."""

from __future__ import annotations

from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import utc_now

MAX_RUNS, MAX_ROWS = 500, 200_000
"""Bounds for a pull: runs of a project, rows of a run."""

PULLED_KEYS = frozenset({"_step", "iter", "step", "iteration", "global_step", "epoch"})
"""Steps; of the other numbers the losses are pulled."""


def pull_project(path: str, group: str | None) -> dict[str, Any]:
    """The runs of ENTITY/PROJECT (of one ``group``, if given) as JSON types: name, state, group,
    job type, tags, config, summary, and the history of steps and losses."""
    import wandb

    api = wandb.Api(timeout=30)
    entity, _, project = path.partition("/")
    filters = {"group": group} if group else {}
    pulled: list[dict[str, Any]] = []
    for run in api.runs(f"{entity}/{project}", filters=filters, lazy=False):
        if len(pulled) >= MAX_RUNS:
            raise Problem(
                f"{path} has more than {MAX_RUNS} runs",
                FAILED,
                next="choose some with --group",
            )
        rows = []
        for row in run.scan_history(page_size=1000, use_cache=False):
            rows.append(
                {
                    key: value
                    for key, value in row.items()
                    if key in PULLED_KEYS or "loss" in key.lower()
                }
            )
            if len(rows) > MAX_ROWS:
                raise Problem(f"{run.name} has more than {MAX_ROWS} rows", FAILED)
        pulled.append(
            {
                "id": run.id,
                "name": run.name,
                "state": run.state,
                "group": run.group,
                "job_type": run.job_type,
                "tags": list(run.tags),
                "url": run.url,
                "created": run.created_at,
                "config": dict(run.config),
                "history": rows,
                "summary": {
                    k: v for k, v in dict(run.summary).items() if isinstance(v, int | float | str)
                },
            }
        )
    return {"path": path, "pulled": utc_now(), "runs": pulled}
