"""The tables of docs/looks.md, and two of docs/statistics.md, from docs/results/looks.jsonl
(benchmarks/looks.py --write); one of them is simulated here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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


def percent(answers: str) -> str:
    """The share of weeks with a claim, and twice its standard error."""
    part = share(answers)
    error = 2 * (part * (100 - part) / len(answers)) ** 0.5
    return f"{part:.1f} ± {error:.1f}"


def last(row: Row) -> str:
    """The last answer of each week, as letters."""
    return str(row.get("last", row["answers"]))


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines]
    )


def counted(row: Row, answers: str, printed: str) -> list[str]:
    """A way of asking, the weeks, and the share of them with a claim, beside what q1lab prints of
    the ``question``, or of all that was asked in the ``home``."""
    return [row["what"], f"{row['weeks']:,}", percent(answers), f"{100 * row[printed]:.3g}"]


PRINTED = {"planned": "home", "again": "question", "home": "home", "free": "question"}
"""The sum of levels that is held against the claims of a group."""

COUNTED = ["what a person does", "weeks", "false verdicts, %", "what q1lab prints, %"]


def counted_text(group: str) -> str:
    return table(COUNTED, [counted(row, row["answers"], PRINTED[group]) for row in rows(group)])


def planned_text() -> str:
    lines = []
    for row in rows("planned"):
        pairs = sum(int(pair, 36) for pair in row["pairs"]) / row["weeks"]
        lines.append([*counted(row, row["answers"], PRINTED["planned"]), f"{pairs:.1f}"])
    return table([*COUNTED, "mean pairs"], lines)


def unknown_text() -> str:
    """Answers on the runs that are on record alone, beside what is printed."""
    return table(COUNTED, [counted(row, last(row), "question") for row in rows("unknown")])


def chosen_text() -> str:
    """Answers on the chosen runs alone: whether there is a verdict, and a claim."""
    lines = [
        [row["what"], f"{row['weeks']:,}", *(f"{share(last(row), of):.1f}" for of in ("n", CLAIMS))]
        for row in rows("chosen")
    ]
    head = ["what a person does", "weeks", "no verdict, %", "false verdicts on the chosen runs, %"]
    return table(head, lines)


REPLICATED, SECOND_LOOK = 3, 0.025
"""Fresh pairs after a claim; the level that they would have as a second look."""


def replication_text() -> str:
    lines = [
        [
            f"{row['what']} sd",
            f"{row['weeks']:,}",
            percent(row["answers"]),
            f"{100 * claim_chance(float(row['what']), SECOND_LOOK):.1f}",
        ]
        for row in rows("replication")
    ]
    head = ["true effect", "weeks", "claims, %", "claims if it were a second look (2.5%), %"]
    return table(head, lines)


def claim_chance(effect: float, alpha: float, pairs: int = REPLICATED) -> float:
    """The chance that a paired comparison claims something, at a true effect in sds of a pair."""
    from scipy import stats

    limit, shift = stats.t.isf(alpha / 2, pairs - 1), effect * math.sqrt(pairs)
    beyond = stats.nct.sf(limit, pairs - 1, shift) + stats.nct.cdf(-limit, pairs - 1, shift)
    return float(beyond)


def levels_text() -> str:
    """The table of docs/statistics.md: the chance of any claim where nothing changed, by ways to
    look again, each time at 95% and at half the level of the look before; computed."""
    from q1lab.judgment import interim_analyses
    from q1lab.judgment.intervals import ALPHA

    def nested(levels: Sequence[float], sizes: Sequence[int]) -> float:
        return interim_analyses.chance_of_any_claim(list(zip(sizes, levels, strict=True)))

    def apart(levels: Sequence[float], _: Sequence[int]) -> float:
        return 1 - math.prod(1 - level for level in levels)

    lines = []
    for what, chance, sizes in (
        ("looks at 3 and 5 pairs", nested, (3, 5)),
        ("looks at 3, 5 and 10 pairs", nested, (3, 5, 10)),
        ("a look after each pair from 3 to 12", nested, range(3, 13)),
        ("two studies with fresh seeds", apart, range(2)),
        ("five", apart, range(5)),
        ("twenty", apart, range(20)),
    ):
        halved = [ALPHA / 2**looks for looks in range(len(sizes))]
        each = chance([ALPHA] * len(sizes), sizes)
        cells = (f"{100 * each:.1f}", f"{100 * chance(halved, sizes):.1f}")
        lines.append([what, *cells, f"{100 * sum(halved):.3g}"])
    head = ["nothing changed; a difference is claimed in % of cases", "95% each time"]
    return table([*head, "each at half the level", "what q1lab prints, %"], lines)


STUDIES = 200_000
SIDES = [(seeds, side) for seeds in ("3..8", "3..12") for side in (None, "better")]
"""Ranges as they are typed: --seeds, and --side."""


def sides_text() -> str:
    """Ranges that ask both ways beside those that ask one: claims in % of simulated studies, and
    mean pairs, by the true improvement in sds of a pair's difference."""
    lines = []
    for seeds, side in SIDES:
        nothing, *improved, harmed = (simulated(seeds, side, at) for at in (0, 0.5, 1, -1))
        lines.append(
            [
                f"`{seeds}{f' --side {side}' if side else ''}`",
                *(f"{100 * share:.1f}" for share in (nothing[0], nothing[1])),
                *(f"{100 * helps:.1f}" for helps, _, _ in improved),
                *(f"{100 * share:.1f}" for share in harmed[:2]),
                *(f"{pairs:.1f}" for _, _, pairs in (nothing, *improved, harmed)),
            ]
        )
    head = ["range", "HELPS at 0", "HURTS at 0", "HELPS at 0.5", "at 1", "HELPS at −1", "HURTS"]
    return table([*head, "pairs at 0", "at 0.5", "at 1", "at −1"], lines)


def simulated(seeds: str, side: str | None, improvement: float) -> tuple[float, float, float]:
    """The share of studies of a range that say HELPS and that say HURTS, and their mean number of
    pairs, by the limits that `q1lab run` declares."""
    import numpy as np

    from q1lab.judgment.intervals import ALPHA, SEED
    from q1lab.study.command_line import Request

    typed = Request("", seeds=seeds).parsed_seeds
    typed = replace(typed, side="lower" if side else "")
    design: Any = typed.kind.declared(typed, typed.seeds, "paired", lambda: ALPHA)
    planned = design.levels
    differences = np.random.default_rng(SEED).standard_normal((STUDIES, planned.most))
    differences -= improvement  # lower is better
    n = np.arange(planned.first, planned.most + 1)
    mean = differences.cumsum(axis=1)[:, planned.first - 1 :] / n
    square = (differences**2).cumsum(axis=1)[:, planned.first - 1 :]
    t = -mean / np.sqrt((square - n * mean**2) / (n - 1) / n)
    helps, hurts = t > planned.limits, (t < -np.array(planned.limits)) & (not side)
    futile_t = np.array([*(limits[0] for limits in planned.futility), np.inf])
    over = helps | hurts | ((t if side else np.abs(t)) < futile_t)
    look, studies = over.argmax(axis=1), np.arange(STUDIES)
    shares = (float(said[studies, look].mean()) for said in (helps, hurts))
    return *shares, float(n[look].mean())  # type: ignore[return-value]


def texts() -> dict[str, str]:
    """Each made block of docs/looks.md, by name."""
    return {
        "planned": planned_text(),
        "again": counted_text("again"),
        "replication": replication_text(),
        "home": counted_text("home"),
        "free": counted_text("free"),
        "chosen": chosen_text(),
        "sides": sides_text(),
    }


def statistics_texts() -> dict[str, str]:
    """The same of docs/statistics.md."""
    return {"levels": levels_text(), "unknown": unknown_text()}
