"""The devices and cores of this machine, found without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_slots(device: str, threads: int = 1) -> int:
    """Runs that train at once without taking time from each other: as many as their threads find
    cores on a CPU; one per GPU; one on Apple's MPS."""
    if device == "cuda":
        return max(1, len(gpus()))
    return max(1, cores() // threads) if device == "cpu" else 1


@dataclass(frozen=True)
class Gpu:
    """One card: use in percent, memory in MiB."""

    name: str
    use: int
    memory_used: int
    memory_total: int

    @property
    def memory(self) -> str:
        """``3.1 of 80 GiB``, in the units that cards are sold by."""
        return f"{self.memory_used / 1024:.1f} of {self.memory_total / 1024:.0f} GiB"


def gpus() -> list[Gpu]:
    """All NVIDIA cards, by their driver; empty without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        cards = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            try:
                use = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
            except pynvml.NVMLError:
                use = 0
            name = pynvml.nvmlDeviceGetName(handle)
            text = name.decode() if isinstance(name, bytes) else str(name)
            cards.append(Gpu(text, use, int(memory.used) >> 20, int(memory.total) >> 20))
        return cards
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
