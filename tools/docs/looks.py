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


def planned_text() -> str:
    return table(
        ["declared before the first run", "weeks", "false verdicts, %", "mean pairs"],
        [
            [row["what"], f"{row['weeks']:,}", percent(row["answers"]), f"{mean_pairs(row):.1f}"]
            for row in [*rows("planned"), *rows("sweep")]
        ],
    )


def again_text() -> str:
    return table(
        ["what a person does", "weeks", "false verdicts, %", "what q1lab prints, %"],
        [
            [row["what"], f"{row['weeks']:,}", percent(row["answers"]), f"{100 * row['total']:.1f}"]
            for row in rows("again")
        ],
    )


def chosen_text() -> str:
    return table(
        ["what a person does", "weeks", "no verdict, %", "false verdicts on the chosen runs, %"],
        [
            [
                row["what"],
                f"{row['weeks']:,}",
                f"{share(row['last'], 'n'):.1f}",
                f"{share(row['last']):.1f}",
            ]
            for row in rows("chosen")
        ],
    )


def several_text() -> str:
    return table(
        ["what a person does", "weeks", "at least one false verdict, %"],
        [[row["what"], f"{row['weeks']:,}", percent(row["answers"])] for row in rows("several")],
    )


def power_text() -> str:
    """Verdicts in % and mean pairs, by plan and true effect."""
    found = {(row["what"], row["effect"]): row for row in rows("power")}
    plans = list(dict.fromkeys(what for what, _ in found))
    effects = sorted({abs(effect) for _, effect in found})
    lines = []
    for plan in plans:
        cells = []
        for effect in effects:
            row = found.get((plan, -effect)) or found.get((plan, effect))
            cells.append(
                "" if row is None else f"{share(row['answers']):.1f} / {mean_pairs(row):.1f}"
            )
        lines.append([f"`{plan}`" if ".." in plan else plan, *cells])
    return table(["plan", *(f"{effect:g}" for effect in effects)], lines)


def texts() -> dict[str, str]:
    """Each made block of the page, by name."""
    made = {
        "planned": planned_text,
        "again": again_text,
        "chosen": chosen_text,
        "several": several_text,
        "power": power_text,
    }
    return {name: make() for name, make in made.items()}
