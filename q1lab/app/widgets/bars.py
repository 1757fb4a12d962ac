"""Bars of cells. Pure."""

from __future__ import annotations


def bar(share: float, cells: int, tone: str) -> list[tuple[str, str]]:
    """``━━━──``: a share of ``cells`` cells. Begun is at least a cell, and full is finished."""
    full = min(cells, max(int(cells * share), int(share > 0)))
    return [("━" * full, tone), ("─" * (cells - full), "$border-blurred")]
