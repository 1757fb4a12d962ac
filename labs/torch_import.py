"""PyTorch, for a process that begins with it: import it from here, before all that imports it.

It brings half a million objects that stay to the end. Python's garbage collector would go through
them again and again while they are made, when it runs later, and when the process ends: a quarter
of the processor time of a process that trains for a moment.
"""

from __future__ import annotations

import gc

_enabled = gc.isenabled()
gc.disable()
import torch as torch  # noqa: E402

gc.freeze()
if _enabled:
    gc.enable()
