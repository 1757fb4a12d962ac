"""What this machine has to train with, found without torch."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def likely_device(wanted: str) -> str:
    """The device that ``wanted`` is here; for "auto" a guess, of which the probe has the last
    word."""
    if wanted != "auto":
        return wanted
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cuda" if gpus() else "cpu"


def default_jobs(device: str, runs: int) -> int:
    """Runs at once: one per core on a CPU, each with one thread; one per GPU; one on Apple's
    MPS."""
    places = cores() if device == "cpu" else 1
    if device == "cuda":
        places = len(gpus())
    return max(1, min(places, runs))


@dataclass(frozen=True)
class Gpu:
    """One card: use in percent, memory in MiB."""

    name: str
    use: int
    memory_used: int
    memory_total: int


def gpus() -> list[Gpu]:
    """All NVIDIA cards, by their driver; none where there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            try:
                use = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
            except pynvml.NVMLError:
                use = 0
            name = pynvml.nvmlDeviceGetName(handle)
            text = name.decode() if isinstance(name, bytes) else str(name)
            found.append(Gpu(text, use, int(memory.used) >> 20, int(memory.total) >> 20))
        return found
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
