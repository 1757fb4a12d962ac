"""Devices and number formats: what there is, what to use, and what makes it fast."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from labs.attention import PlainAttention
from labs.linear import OneDnnLinear, pays

SHORT = 256
"""Up to this block size attention written out beats the fused kernel on a CPU, in bf16; in fp32
PyTorch's own is the faster one (docs/performance.md)."""


def choose(wanted: str) -> str:
    """The device to train on: ``wanted``, or for "auto" the best there is. ValueError when it isn't
    there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(name for name, present in available.items() if present)
    if not available[wanted]:
        present = ", ".join(name for name, is_there in available.items() if is_there)
        raise ValueError(
            f"no {wanted} device here; there is: {present}; --device takes one of them, or auto"
        )
    return wanted


def choose_dtype(wanted: str, device: str) -> str:
    """``fp32``, ``bf16`` or ``fp16``. "auto" takes the fastest that trains well: bf16 where the
    hardware has it, fp16 with a gradient scaler on a GPU without bf16, else fp32."""
    if wanted != "auto":
        if (
            wanted == "bf16"
            and device == "cuda"
            and not torch.cuda.is_bf16_supported(including_emulation=False)
        ):
            raise ValueError(
                "this GPU has no bf16; leave --dtype at auto (fp16 with a gradient scaler), or use "
                "fp32"
            )
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "cpu":
        return "bf16" if cpu_bf16() else "fp32"
    return "fp32"


def processor() -> str:
    """The processor's name and the instructions that matrix products use: where both are the same,
    so are a run's bits (with equal PyTorch and number of threads). Empty where it isn't known."""
    import torch.backends.cpu

    text = ""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()[:20000]
    model_name = re.search(r"model name\s*: (.*)", text)
    if model_name is None:
        return ""
    flags = [flag for flag in ("avx512_bf16", "avx512_vnni", "amx_bf16") if f" {flag}" in text]
    capped = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    found = [
        torch.backends.cpu.get_cpu_capability(),
        *flags,
        *([f"up to {capped}"] if capped else []),
    ]
    return f"{model_name[1]}: {' '.join(found)}"


def cpu_bf16() -> bool:
    """True if bf16 products are faster than fp32 on this processor: the flag first, then a short
    timing."""
    import torch.backends.cpu

    flags = ""
    with contextlib.suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()[:20000]
    if not any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16")):
        return False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32)
    finally:
        torch.set_num_threads(threads)


def _product_seconds(dtype: torch.dtype) -> float:
    a, b = torch.ones(768, 128, dtype=dtype), torch.ones(128, 512, dtype=dtype)
    best = float("inf")
    for _ in range(12):
        began = time.perf_counter()
        for _ in range(4):
            a @ b
        best = min(best, time.perf_counter() - began)
    return best


def keep_memory() -> None:
    """Tell glibc's malloc to keep what it has: without this every step maps and unmaps its big
    buffers, thousands of page faults each. Elsewhere (macOS, musl) there is nothing to tell."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        for parameter, value in ((-3, 1 << 30), (-1, 2**31 - 1), (-2, 64 << 20)):
            libc.mallopt(parameter, value)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD


class Precision:
    """The precision of products and the scaling of gradients, for one device and dtype."""

    def __init__(
        self, device: torch.device, dtype: str, block_size: int, *, compiled: bool = False
    ) -> None:
        self.device = device
        self.dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
        by_hand = device.type == "cpu" and not compiled  # the compiler wants PyTorch's own calls
        short = block_size <= SHORT and dtype == "bf16"
        self.attention = PlainAttention() if by_hand and short else None
        self.linear = OneDnnLinear() if by_hand and pays() else None
        self.scaler = torch.amp.GradScaler(device.type) if dtype == "fp16" else None

    @contextlib.contextmanager
    def products(self) -> Iterator[None]:
        """Around the forward pass: reduced products, and what is faster than PyTorch's choice."""
        with contextlib.ExitStack() as stack:
            if self.dtype is not None:
                stack.enter_context(torch.autocast(self.device.type, self.dtype))
            elif self.linear is not None:
                stack.enter_context(self.linear)
            if self.attention is not None:
                stack.enter_context(self.attention)
            yield

    def exactly(self) -> contextlib.AbstractContextManager[Any]:
        """Around an evaluation: fp32, by the faster of PyTorch's two libraries."""
        return self.linear if self.linear is not None else contextlib.nullcontext()

    def backward(self, loss: Tensor) -> None:
        (self.scaler.scale(loss) if self.scaler else loss).backward()

    def clip(self, grads: Tensor, limit: float, optimizer: torch.optim.Optimizer) -> Tensor:
        """Scale the whole gradient down to norm ``limit``; 0 leaves it as it is. Returns the norm
        that it had."""
        if self.scaler:
            self.scaler.unscale_(optimizer)
        norm = torch.linalg.vector_norm(grads)
        if limit > 0:
            grads.mul_((limit / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.scaler:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()

    def state(self) -> dict[str, Any]:
        return self.scaler.state_dict() if self.scaler else {}

    def load(self, state: dict[str, Any]) -> None:
        if self.scaler and state:
            self.scaler.load_state_dict(state)


def compiled(
    model: nn.Module, mode: str, device: torch.device, say: Callable[..., None]
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The model, compiled where that pays: on CUDA, with a C compiler for Triton ("auto"), or
    always ("on").

    When compiling fails the run goes on without, and says so: a slow result beats none.
    """
    able = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if mode == "off" or (mode == "auto" and (device.type != "cuda" or not able)):
        return model
    fast = torch.compile(model)
    works = False

    def step(*args: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal works
        if works:
            return fast(*args)  # type: ignore[no-any-return]
        try:
            result = fast(*args)
            works = True
            return result  # type: ignore[no-any-return]
        except Exception as error:
            if is_out_of_memory(error):
                raise
            nonlocal_fallback(str(error))
            return model(*args)  # type: ignore[no-any-return]

    def nonlocal_fallback(reason: str) -> None:
        nonlocal fast, works
        first = next(iter(reason.splitlines()), "")
        say("note", text=f"not compiled ({first[:120]}); going on without")
        fast, works = model, True  # type: ignore[assignment]

    return step


def is_out_of_memory(error: BaseException) -> bool:
    """True if ``error`` says that memory ran out, on a GPU or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "can't allocate memory" in text or "out of memory" in text or "not enough memory" in text


def rng_state(device: torch.device) -> dict[str, Tensor]:
    """The random generators' state, for a checkpoint."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(device: torch.device, state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
