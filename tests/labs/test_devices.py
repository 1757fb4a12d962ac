"""Devices and number formats, as far as a CPU can show."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from labs import data, devices, flat, keyed, loading
from q1lab.ground import paths
from tests.kit.places import ROOT


def test_auto_takes_what_is_there_and_says_what_is_not() -> None:
    assert devices.choose("auto") in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no cuda device here; there is: "):
            devices.choose("cuda")


def test_a_gpu_without_bf16_trains_in_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert devices.choose_dtype("auto", "cuda") == "fp16"
    assert devices.choose_dtype("fp32", "cuda") == "fp32"
    with pytest.raises(ValueError, match="no bf16"):
        devices.choose_dtype("bf16", "cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert devices.choose_dtype("auto", "cuda") == "bf16"
    assert devices.choose_dtype("auto", "mps") == "fp32"


def test_cpu_bf16_is_decided_by_flag_and_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {torch.bfloat16: 1.0, torch.float32: 3.0}
    monkeypatch.setattr(devices, "_product_seconds", times.__getitem__)
    has_flag = devices.cpu_bf16()
    times[torch.bfloat16] = 2.9
    assert devices.cpu_bf16() is False, "not worth it unless clearly faster"
    assert has_flag in (True, False)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_a_step_in_each_format_learns_and_keeps_the_loss_fp32(dtype: str) -> None:
    cfg = {"block_size": 16, "n_layer": 1, "n_head": 2, "n_embd": 32, "dropout": 0.0, "bias": False}
    module = loading.load(paths.models_dir() / "rope.py")
    model = keyed.build(lambda: loading.build(module, cfg, 10), 0)
    buffers = flat.flatten(model)
    adamw = torch.optim.AdamW(buffers.groups(0.1), lr=1e-2, fused=True)
    precision = devices.Precision(torch.device("cpu"), dtype, 16)
    batches = data.Batches(torch.arange(10).repeat(50), 0, 8, 16, torch.device("cpu"))
    losses = []
    for i in range(30):
        inputs, targets = batches(i)
        with precision.products():
            _, loss = model(inputs, targets)
        assert loss.dtype == torch.float32
        buffers.grads.zero_()
        precision.backward(loss)
        precision.clip(buffers.grads, 1.0, adamw)
        precision.step(adamw)
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    assert all(p.dtype == torch.float32 for p in model.parameters())
    other = devices.Precision(torch.device("cpu"), dtype, 16)
    other.load(precision.state())
    assert other.state() == precision.state()


def test_attention_is_written_out_in_bf16_at_short_lengths_alone() -> None:
    cpu = torch.device("cpu")
    assert devices.Precision(cpu, "bf16", devices.SHORT).attention
    assert not devices.Precision(cpu, "bf16", devices.SHORT + 1).attention
    assert not devices.Precision(cpu, "fp32", 64).attention
    assert not devices.Precision(cpu, "bf16", 64, compiled=True).attention


def test_bf16_follows_fp32_closely() -> None:
    cfg = {"block_size": 32, "n_layer": 2, "n_head": 2, "n_embd": 32, "dropout": 0.0, "bias": False}
    module = loading.load(paths.models_dir() / "llama.py")
    model = keyed.build(lambda: loading.build(module, cfg, 30), 0)
    tokens = torch.randint(30, (4, 33), generator=torch.Generator().manual_seed(0))
    losses = []
    for dtype in ("fp32", "bf16"):
        with devices.Precision(torch.device("cpu"), dtype, 32).products():
            losses.append(model(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())[1].item())
    assert losses[1] == pytest.approx(losses[0], abs=0.01)


def test_running_out_of_memory_is_recognised() -> None:
    assert devices.is_out_of_memory(MemoryError())
    assert devices.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert devices.is_out_of_memory(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    )
    assert not devices.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_what_cannot_be_compiled_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_badly(model: nn.Module) -> Any:
        def fail(*args: Any) -> None:
            raise RuntimeError("no compiler found\nand more")

        return fail

    monkeypatch.setattr(torch, "compile", compile_badly)
    notes: list[str] = []
    model = nn.Linear(2, 2)
    step = devices.compiled(model, "on", torch.device("cpu"), lambda kind, text: notes.append(text))
    x = torch.ones(1, 2)
    assert torch.equal(step(x), model(x))  # type: ignore[call-arg]
    assert torch.equal(step(x), model(x))  # type: ignore[call-arg]
    assert notes == ["not compiled (no compiler found); going on without"]
    assert devices.compiled(model, "auto", torch.device("cpu"), print) is model


def test_random_state_travels() -> None:
    state = devices.rng_state(torch.device("cpu"))
    a = torch.rand(3)
    devices.set_rng_state(torch.device("cpu"), state)
    assert torch.equal(torch.rand(3), a)


def test_a_python_without_torch_is_named_with_its_path() -> None:
    probe = [sys.executable, "-S", "-m", "labs.probe"]
    done = subprocess.run(probe, cwd=ROOT, input="{}", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["error"].startswith(f"{sys.executable} has no module torch")
