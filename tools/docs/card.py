"""The project's own measurements: docs/results/card.jsonl from studies in Q1LAB_HOME, and the
tables and charts of docs/card.md from that file.

One line says where the runs come from, then there is a line per study, as the program judges it,
and a line per run. A baseline run that several studies share is there once.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

import drawing
from looks import RESULTS, table

FILE = RESULTS / "card.jsonl"
CHARTS = RESULTS.parent / "card"
ORDER = ("rmsnorm", "rope", "swiglu", "gqa", "llama")

Line = dict[str, Any]


# ── out of the store


def take(ids: Sequence[str], machine: str) -> None:
    """Write the studies' raw results."""
    from q1lab.compare import keeping
    from q1lab.index.store import Store
    from q1lab.study import studies

    plans = [studies.load(study_id) for study_id in ids]
    plans.sort(key=lambda plan: (plan.max_iters, ORDER.index(plan.variant)))
    judged, runs = [], {}
    with Store() as store:
        for plan in plans:
            record = keeping.compare(store, plan)
            ends = getattr(record, record.headline)
            judged.append(
                {
                    "kind": "study",
                    "variant": plan.variant,
                    "iters": plan.max_iters,
                    "verdict": record.verdict,
                    "mean": record.mean,
                    "low": ends and ends.low,
                    "high": ends and ends.high,
                    "level": record.level,
                    "pairs": record.n,
                }
            )
            for run in plan.runs:
                model = plan.variant if run.arm == "modified" else plan.baseline
                runs[plan.max_iters, model, run.seed] = _run(store, plan, run, record, model)
    first = plans[0]
    head = {
        "kind": "from",
        "machine": machine,
        "torch": str(first.versions["torch"]).partition("+")[0],
        "device": first.device,
        "dtype": first.dtype,
        "preset": first.preset,
        "data": first.data.name,
        "data_sha256": first.data.sha256,
    }
    RESULTS.mkdir(exist_ok=True)
    order = sorted(runs, key=lambda key: (key[0], key[1] != "baseline", key[1], key[2]))
    lines = [head, *judged, *(runs[key] for key in order)]
    FILE.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"{FILE.name}: {len(judged)} studies, {len(runs)} runs")


def _run(store: Any, plan: Any, run: Any, record: Any, model: str) -> Line:
    """A run's end and its curve, out of the trainer's own file."""
    from labs import report

    events = report.read(plan.files.run(run.name).events)
    end = next(event for event in reversed(events) if event["type"] == "exit")
    arm = record.arms[run.arm]
    return {
        "kind": "run",
        "model": model,
        "iters": plan.max_iters,
        "seed": run.seed,
        "state": end["state"],
        "val_loss": end.get("val_loss"),
        "n_params": arm.n_params,
        "flops_per_token": arm.flops_per_token,
        "curve": [
            [event["iter"], round(event["val_loss"], 5)]
            for event in events
            if event["type"] == "eval" and not event.get("final")
        ],
    }


# ── out of the file


def lines(kind: str) -> list[Line]:
    raw = FILE.read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, raw) if line["kind"] == kind]


def values(model: str, iters: int) -> dict[int, float]:
    """Final val loss by seed."""
    return {
        run["seed"]: run["val_loss"]
        for run in lines("run")
        if (run["model"], run["iters"]) == (model, iters)
    }


def pairs(variant: str, iters: int) -> list[float]:
    base, modified = values("baseline", iters), values(variant, iters)
    return [modified[seed] - base[seed] for seed in sorted(modified)]


def interval(variant: str, iters: int) -> tuple[float, float, float]:
    """(low, mean, high) of the pairs' differences: the 95% paired t interval."""
    from scipy import stats

    found = pairs(variant, iters)
    mean, half = statistics.fmean(found), stats.t.ppf(0.975, len(found) - 1)
    half *= statistics.stdev(found) / len(found) ** 0.5
    return mean - half, mean, mean + half


def budgets() -> list[int]:
    return sorted({study["iters"] for study in lines("study")})


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def where_text() -> str:
    (head,) = lines("from")
    many = len(lines("run"))
    return (
        f"{many} runs: preset `{head['preset']}`, {head['data']}, {head['device']}, "
        f"{head['dtype']}, torch {head['torch']}, a {head['machine']}."
    )


def verdicts_text() -> str:
    """What the program says of each study at the longest budget."""
    most = budgets()[-1]
    rows = []
    for study in lines("study"):
        if study["iters"] != most:
            continue
        variant = study["variant"]
        found = pairs(variant, most)
        run = next(run for run in lines("run") if run["model"] == variant)
        base = next(run for run in lines("run") if run["model"] == "baseline")
        rows.append(
            [
                f"`{variant}`",
                f"{statistics.fmean(values(variant, most).values()):.4f}",
                signed(study["mean"]),
                f"{signed(study['low'])} to {signed(study['high'])}",
                study["verdict"].upper(),
                f"{statistics.stdev(found):.4f}",
                f"{100 * (run['n_params'] / base['n_params'] - 1):+.1f}%".replace("-", "−"),
                f"{100 * (run['flops_per_token'] / base['flops_per_token'] - 1):+.1f}%".replace(
                    "-", "−"
                ),
            ]
        )
    base_values = values("baseline", most).values()
    head = [
        "modification",
        "val loss",
        "difference",
        "95% interval",
        "verdict",
        "sd of a pair's difference",
        "parameters",
        "FLOPs per token",
    ]
    return table(head, rows) + (
        f"\n\n{len(base_values)} pairs each, {most:,} iters. Baseline: "
        f"{statistics.fmean(base_values):.4f}, sd between seeds {statistics.stdev(base_values):.4f}."
    )


def budgets_text() -> str:
    """The differences at each budget, and how the program judged them."""
    judged = {(study["variant"], study["iters"]): study for study in lines("study")}
    rows = []
    for variant in ORDER:
        cells = []
        for iters in budgets():
            study = judged.get((variant, iters))
            if study is None:
                cells.append("not trained")
                continue
            low, mean, high = interval(variant, iters)
            cells.append(
                f"{signed(mean)} ({signed(low)} to {signed(high)}) {study['verdict'].upper()}"
            )
        rows.append([f"`{variant}`", *cells])
    return table(["modification", *(f"{iters:,} iters" for iters in budgets())], rows)


def texts() -> dict[str, str]:
    return {"where": where_text(), "verdicts": verdicts_text(), "budgets": budgets_text()}


# ── charts


def forest() -> str:
    """Each modification's difference with its interval, and every pair."""
    most = budgets()[-1]
    found = [study for study in lines("study") if study["iters"] == most]
    spread = [0.0] + [d for study in found for d in pairs(study["variant"], most)]
    low, high = min(spread), max(spread)
    room = 0.06 * (high - low)
    x = drawing.scale((low - room, high + room), (90, 560))
    bottom = 40 + 44 * len(found)
    parts = []
    for tick in drawing.ticks(low, high):
        parts += [
            drawing.line(x(tick), 24, x(tick), bottom, "zero" if tick == 0 else "line"),
            drawing.text(x(tick), bottom + 18, drawing.number(tick), kind="soft",
                         anchor="middle"),
        ]  # fmt: skip
    for place, study in enumerate(found):
        y, color = 52 + 44 * place, ORDER.index(study["variant"])
        parts += [
            drawing.text(80, y + 4, study["variant"], anchor="end"),
            *(
                drawing.dot(x(d), y + 11, f"fill{color} faint", 2.5)
                for d in pairs(study["variant"], most)
            ),
            drawing.line(x(study["low"]), y, x(study["high"]), y, f"stroke{color}", 3),
            drawing.dot(x(study["mean"]), y, f"fill{color}", 5),
            drawing.text(576, y + 4, f"{signed(study['mean'])}  {study['verdict']}"),
        ]
    label = "modified − baseline, nats of val loss; lower is better; small dots: pairs"
    parts.append(drawing.text(90, bottom + 40, label, kind="soft"))
    return drawing.svg(760, bottom + 52, "Differences of five modifications", parts)


def curves() -> str:
    """Mean val loss in mid-run, over the seeds."""
    most = budgets()[-1]
    models = ["baseline", *ORDER]
    means: dict[str, list[tuple[int, float]]] = {}
    for model in models:
        runs = [run for run in lines("run") if (run["model"], run["iters"]) == (model, most)]
        if runs:
            steps = zip(*(run["curve"] for run in runs), strict=True)
            means[model] = [
                (step[0][0], statistics.fmean(loss for _, loss in step)) for step in steps
            ]
    losses = [loss for curve in means.values() for _, loss in curve]
    low, high = min(losses), max(losses)
    x = drawing.scale((0, most), (56, 620))
    y = drawing.scale((high, low), (20, 330))
    parts = []
    for tick in drawing.ticks(low, high):
        parts += [
            drawing.line(56, y(tick), 620, y(tick)),
            drawing.text(48, y(tick) + 4, f"{tick:g}", kind="soft", anchor="end"),
        ]
    for tick in drawing.ticks(0, most, 4):
        parts.append(drawing.text(x(tick), 352, f"{tick:,.0f}", kind="soft", anchor="middle"))
    ends = drawing.apart({model: y(curve[-1][1]) for model, curve in means.items()}, 15)
    for model, curve in means.items():
        color = 5 if model == "baseline" else ORDER.index(model)
        parts += [
            drawing.path([(x(at), y(loss)) for at, loss in curve], f"stroke{color}"),
            drawing.text(628, ends[model] + 4, model, kind=f"fill{color}"),
        ]
    label = "val loss on fixed windows over iters, mean of the seeds"
    parts.append(drawing.text(56, 374, label, kind="soft"))
    return drawing.svg(760, 386, "Val loss of the baseline and five modifications", parts)


def over_budgets() -> str:
    """The difference with its interval at each budget."""
    found = {
        (study["variant"], study["iters"]): interval(study["variant"], study["iters"])
        for study in lines("study")
    }
    low = min(0.0, *(ends[0] for ends in found.values()))
    high = max(0.0, *(ends[2] for ends in found.values()))
    all_budgets = budgets()
    logs = [math.log(iters) for iters in all_budgets]
    x = drawing.scale((logs[0], max(logs[-1], logs[0] + 1e-9)), (90, 600))
    y = drawing.scale((high, low), (20, 330))
    parts = []
    for tick in drawing.ticks(low, high):
        parts += [
            drawing.line(56, y(tick), 620, y(tick), "zero" if tick == 0 else "line"),
            drawing.text(48, y(tick) + 4, drawing.number(tick), kind="soft",
                         anchor="end"),
        ]  # fmt: skip
    for at, iters in zip(logs, all_budgets, strict=True):
        parts.append(drawing.text(x(at), 352, f"{iters:,}", kind="soft", anchor="middle"))
    ends = {}
    for place, variant in enumerate(ORDER):
        color, shift = place, 5 * (place - 2)
        points = []
        for (name, iters), (least, mean, most) in found.items():
            if name == variant:
                at = x(math.log(iters)) + shift
                points.append((at, y(mean)))
                ends[variant] = y(mean)
                parts += [
                    drawing.line(at, y(least), at, y(most), f"stroke{color}", 3),
                    drawing.dot(at, y(mean), f"fill{color}", 4),
                ]
        if points:
            parts.append(drawing.path(points, f"stroke{color} faint"))
    for variant, height in drawing.apart(ends, 15).items():
        parts.append(drawing.text(628, height + 4, variant, kind=f"fill{ORDER.index(variant)}"))
    label = "modified − baseline with its 95% interval, by max_iters; lower is better"
    parts.append(drawing.text(56, 374, label, kind="soft"))
    return drawing.svg(760, 386, "Differences over the training budget", parts)


def charts() -> dict[str, str]:
    return {"forest": forest(), "curves": curves(), "budgets": over_budgets()}
