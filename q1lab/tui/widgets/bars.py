"""Bars of cells. Pure."""

from __future__ import annotations

BESIDE, BELOW = "▆▁", "▀▔"
"""The signs of a bar's full and empty cells, beside its row's texts and below them."""


def bar(
    share: float, cells: int, tone: str, signs: str = "━─", empty: str = "$border-blurred"
) -> list[tuple[str, str]]:
    """``━━━──``: a share of ``cells`` cells. Begun is at least a cell, and full is finished."""
    full = min(cells, max(int(cells * share), int(share > 0)))
    return [(signs[0] * full, tone), (signs[1] * (cells - full), empty)]
