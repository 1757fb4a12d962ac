"""q1lab: a terminal companion and lab tracker for one honest week of changing a transformer.

``q1lab.judge`` judges the final numbers of two arms, and ``q1lab.read_study`` reads a study from
q1lab's home. Both return a ``Face``, whose ``repr`` is the verdict.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from q1lab.compare.comparison_cache import read_study
    from q1lab.judgment.face import Face
    from q1lab.judgment.tables.python_api import judge

__version__ = "0.3.0"
__all__ = ["Face", "__version__", "judge", "read_study"]

PLACES = {
    "Face": "q1lab.judgment.face",
    "judge": "q1lab.judgment.tables.python_api",
    "read_study": "q1lab.compare.comparison_cache",
}


def __getattr__(name: str) -> Any:
    """Import the interface at its first use: every process imports this package."""
    if name in PLACES:
        return getattr(importlib.import_module(PLACES[name]), name)
    raise AttributeError(f"module 'q1lab' has no attribute {name!r}")
