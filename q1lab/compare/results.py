"""All studies with what their comparisons say, as rows for the results screen. Reads, computes
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.index.results import listing
from q1lab.index.store import Store


@dataclass(frozen=True)
class ResultLine:
    """One study. ``verdict`` and the numbers (nats) are None while planned runs are missing or
    uncompared."""

    id: str
    variant: str
    baseline: str
    preset: str
    data: str
    data_sha256: str
    dtype: str
    created: str
    done: int
    total: int
    verdict: str | None = None
    n: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    headline: str = "paired"

    @property
    def complete(self) -> bool:
        return self.total > 0 and self.done == self.total


def read(store: Store) -> tuple[ResultLine, ...]:
    """Every study, newest first."""
    return tuple(
        ResultLine(
            row["id"], row["variant"], row["baseline"], row["preset"], row["data_name"], row["data_sha256"],
            row["dtype"], row["created"], row["done"], row["total"], headline=row["headline"],
            **({key: row[key] for key in ("verdict", "n", "mean", "low", "high")}
               if row["done"] == row["total"] and row["seeds"] == row["planned"] else {}),
        )
        for row in listing(store)
    )  # fmt: skip


class Reader:
    """``read`` for a desk that asks several times a second: reads again only when the database has
    changed."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._lines: tuple[ResultLine, ...] = ()

    def __call__(self, store: Store) -> tuple[ResultLine, ...]:
        stamp = store.stamp()
        if stamp != self._seen:
            self._lines, self._seen = read(store), stamp
        return self._lines


def by_data(lines: Sequence[ResultLine]) -> list[tuple[str, list[ResultLine]]]:
    """Groups that may be compared: the same text and the same number format. The group with the
    newest first."""
    groups: dict[tuple[str, str], list[ResultLine]] = {}
    for line in lines:
        groups.setdefault((line.data_sha256, line.dtype), []).append(line)
    named = [
        (f"{group[0].data} ({group[0].data_sha256[:8]}), {group[0].dtype}", group)
        for group in groups.values()
    ]
    return named


def why_not_comparable(lines: Sequence[ResultLine]) -> str | None:
    """Why these studies can't stand side by side, or None when they can."""
    texts = {line.data_sha256: line.data for line in lines}
    if len(texts) > 1:
        names = " and ".join(f"{name} ({sha[:8]})" for sha, name in texts.items())
        return (
            f"Trained on different data, {names}: a val loss on one says nothing about the other."
        )
    formats = sorted({line.dtype for line in lines})
    if len(formats) > 1:
        return f"Trained in different number formats, {' and '.join(formats)}: not compared."
    return None
