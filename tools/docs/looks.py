"""The tables of docs/looks.md, from docs/results/looks.jsonl (benchmarks/looks.py --write)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
CLAIMS = "hu"

Row = Mapping[str, Any]


def rows(group: str) -> list[Row]:
    lines = (RESULTS / "looks.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["group"] == group]


def share(answers: str, letters: str = CLAIMS) -> float:
    """In %, of all weeks."""
    return 100 * sum(letter in letters for letter in answers) / len(answers)


def percent(answers: str, letters: str = CLAIMS) -> str:
    """A share and twice its standard error."""
    part = share(answers, letters)
    error = 2 * (part * (100 - part) / len(answers)) ** 0.5
    return f"{part:.1f} ± {error:.1f}"


def mean_pairs(row: Row) -> float:
    return sum(int(pair, 36) for pair in row["pairs"]) / row["weeks"]


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines]
    )


def counted(row: Row, printed: str = "total") -> list[str]:
    """A way of asking, the weeks, and the share of them with a claim, beside what q1lab prints of
    the question (``total``) or of all that was asked in the home (``home``)."""
    weeks = f"{row['weeks']:,}"
    return [row["what"], weeks, percent(row["answers"]), f"{100 * row[printed]:.1f}"]


COUNTED = ["weeks", "false verdicts, %", "what q1lab prints, %"]


def planned_text() -> str:
    lines = [[*counted(row, "home"), f"{mean_pairs(row):.1f}"] for row in rows("planned")]
    return table(["declared before the first run", *COUNTED, "mean pairs"], lines)


def again_text() -> str:
    return table(["what a person does", *COUNTED], [counted(row) for row in rows("again")])


def home_text() -> str:
    return table(["what a person does", *COUNTED], [counted(row, "home") for row in rows("home")])


def honest_text() -> str:
    lines = [
        [*counted(row, "home"), f"{100 - share(row['answers'], 'n'):.1f}"] for row in rows("honest")
    ]
    return table(["what a person does", *COUNTED, "gets a verdict, %"], lines)


def chosen_text() -> str:
    """Answers on the chosen runs alone: whether there is a verdict, and a claim."""
    lines = [
        [
            row["what"],
            f"{row['weeks']:,}",
            *(f"{share(row['last'], of):.1f}" for of in ("n", CLAIMS)),
        ]
        for row in rows("chosen")
    ]
    return table(
        ["what a person does", "weeks", "no verdict, %", "false verdicts on the chosen runs, %"],
        lines,
    )


def unknown_text() -> str:
    """Answers on the runs that are on record alone, beside what is printed."""
    lines = [
        [row["what"], f"{row['weeks']:,}", percent(row["last"]), f"{100 * row['total']:.1f}"]
        for row in rows("unknown")
    ]
    return table(["what a person does", *COUNTED], lines)


def errors_text() -> str:
    """False verdicts by how the modified arm's losses scatter and by the plan."""
    row_by_errors: dict[str, dict[str, Row]] = {}
    for row in rows("errors"):
        row_by_errors.setdefault(row["row"].partition("-")[0], {})[row["what"]] = row
    plans = list(dict.fromkeys(plan for kind in row_by_errors.values() for plan in kind))
    lines = [
        [kind, *(percent(by_plan[plan]["answers"]) for plan in plans)]
        for kind, by_plan in row_by_errors.items()
    ]
    return table(["the modified arm's losses", *plans], lines)


def power_text() -> str:
    """Verdicts in % and mean pairs, by plan and true effect."""
    row_by_design = {(row["what"], row["effect"]): row for row in rows("power")}
    plans = list(dict.fromkeys(plan for plan, _ in row_by_design))
    effects = sorted({abs(effect) for _, effect in row_by_design})
    lines = []
    for plan in plans:
        cells = []
        for effect in effects:
            row = row_by_design.get((plan, -effect)) or row_by_design.get((plan, effect))
            cells.append(
                "" if row is None else f"{share(row['answers']):.1f} / {mean_pairs(row):.1f}"
            )
        lines.append([f"`{plan}`" if ".." in plan else plan, *cells])
    return table(["plan", *(f"{effect:g}" for effect in effects)], lines)


def texts() -> dict[str, str]:
    """Each made block of the page, by name."""
    maker_by_block = {
        "planned": planned_text,
        "again": again_text,
        "home": home_text,
        "chosen": chosen_text,
        "honest": honest_text,
        "unknown": unknown_text,
        "errors": errors_text,
        "power": power_text,
    }
    return {name: make() for name, make in maker_by_block.items()}
