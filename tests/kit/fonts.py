"""Whether this machine has a font to draw letters with, which a PNG needs."""

from __future__ import annotations

import pytest

from q1lab.ground.errors import Problem
from q1lab.judgment import svg


def _has_font() -> bool:
    try:
        svg.png(svg.document(20, 20, "", []))
    except Problem:
        return False
    return True


needs_font = pytest.mark.skipif(not _has_font(), reason="this machine has no sans-serif font")
