"""``special`` of SciPy, loaded without ``numpy.f2py`` and ``numpy.testing``: to copy numpy's names,
SciPy asks for each of them, and numpy loads those two only when they are asked for. They are a
fourth of the time that loading it takes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

_LATE = [name for name in ("f2py", "testing") if f"numpy.{name}" not in sys.modules]
for _name in _LATE:
    setattr(np, _name, None)
try:
    from scipy import special as _special
finally:
    for _name in _LATE:
        delattr(np, _name)

special: Any = _special
