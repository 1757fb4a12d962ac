"""q1lab: a terminal companion and lab tracker for one honest week of changing a transformer.

``q1lab.judge`` judges the final numbers of two arms, and ``q1lab.read_study`` reads a study from
q1lab's home. Both return a ``JudgedNumbers``, whose ``repr`` is the verdict.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from q1lab.doors.imports.judgment import JudgedNumbers
    from q1lab.doors.python_api import judge, read_study

__version__ = "0.3.0"
__all__ = ["JudgedNumbers", "__version__", "judge", "read_study"]


def __getattr__(name: str) -> Any:
    """Import the interface at its first use: every process imports this package."""
    if name in ("JudgedNumbers", "judge", "read_study"):
        return getattr(importlib.import_module("q1lab.doors.python_api"), name)
    raise AttributeError(f"module 'q1lab' has no attribute {name!r}")
