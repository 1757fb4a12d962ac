"""Try a study's model files: ``python -m labs.probe < request.json > answer.json``.

The request: ``{"files": {arm: path}, "config": {…}, "vocab_size": n, "device": "auto", "dtype":
"auto", "threads": n}``. The answer: device and dtype as they will be, torch's version, those that
were tested and what this one lacks, and for each arm its parameters, FLOPs per token, and seconds
per iter on this machine; or ``{"error": …}``. With no files it only describes the device. What a
model file prints goes to stderr.
"""

from __future__ import annotations

import faulthandler
import json
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    from labs.torch_import import torch
except ModuleNotFoundError as error:
    answer = {"error": f"{sys.executable} has no module {error.name}: install PyTorch for it"}
    json.dump(answer, sys.stdout)
    sys.exit(0)

from torch.utils.flop_counter import FlopCounterMode

from labs import data, devices, flat, interfaces, keyed, loading, torch_private
from labs.attention import PlainAttention


def main() -> int:
    return answer_stdin(probe)


def answer_stdin(respond: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Read a request from stdin and write its answer to stdout, both JSON; an error that a person
    can fix is the answer's ``error``."""
    os.umask(0o077)  # torch's caches are the user's alone
    faulthandler.register(signal.SIGUSR1)  # asked by who waits too long: where is it?
    out = os.dup(1)
    os.dup2(2, 1)  # a model file that prints must not garble the answer
    request = json.load(sys.stdin)
    try:
        answer = respond(request)
    except (loading.ModelError, ValueError) as error:
        answer = {"error": interfaces.with_asserted_line(str(error))}
    with os.fdopen(out, "wb") as stream:
        stream.write(json.dumps(answer).encode())
    return 0


def probe(request: dict[str, Any]) -> dict[str, Any]:
    devices.keep_memory()
    torch.set_num_threads(int(request.get("threads", 1)))
    device = devices.choose(request.get("device", "auto"))
    dtype = devices.choose_dtype(request.get("dtype", "auto"), device)
    arms = {
        arm: try_model(
            Path(file), request["config"], request["vocab_size"], torch.device(device), dtype
        )
        for arm, file in request.get("files", {}).items()
    }
    return {
        "device": device,
        "dtype": dtype,
        "torch": torch.__version__,
        "torch_tested": list(torch_private.TESTED),
        "torch_lacks": torch_private.missing(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device_name": name_of_device(device),
        "bf16": devices.cpu_bf16() if device == "cpu" else dtype == "bf16",
        "arms": arms,
    }


def name_of_device(device: str) -> str:
    """The GPU's model for ``cuda``; else the device as given (``cpu``, ``mps``)."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return device


def try_model(
    file: Path, config: dict[str, Any], vocab_size: int, device: torch.device, dtype: str
) -> dict[str, Any]:
    """Build the model, check what its forward returns, count, and time a few training steps."""
    module = loading.load(file)
    try:
        sizes = {**config, "vocab_size": vocab_size}
        if deaf := loading.deaf_to(
            lambda **other: loading.build(module, other, other["vocab_size"]), sizes
        ):
            raise loading.ModelError(
                f"{file}: whatever {' and '.join(deaf)} GPTConfig is given, the model stays the "
                "same, so a study would train another size than it says"
            )
        model = keyed.build(lambda: loading.build(module, config, vocab_size), 0).to(device)
    except loading.ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise loading.ModelError(loading.describe(error, file)) from error
    batch, block = config["batch_size"], config["block_size"]
    tokens = torch.randint(
        vocab_size, (batch, block + 1), generator=torch.Generator().manual_seed(data.key("probe"))
    )
    inputs, targets = (part.contiguous().to(device) for part in (tokens[:, :-1], tokens[:, 1:]))
    try:
        interfaces.takes_targets(module.GPT)
        # PlainAttention and no compiling, since a fused kernel hides its own operations
        uncompiled = torch.compiler.set_stance("force_eager")
        with uncompiled, PlainAttention(), FlopCounterMode(display=False) as flops, torch.no_grad():
            answer = model(inputs[:1], targets[:1])
        check_answer(answer, file, vocab_size, block)
        seconds = time_steps(
            model, inputs, targets, devices.Precision(device, dtype, block), config
        )
    except loading.ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise loading.ModelError(loading.describe(error, file)) from error
    return {
        "n_params": sum(p.numel() for p in model.parameters()),
        "flops_per_token": flops.get_total_flops() // block,
        "seconds_per_iter": seconds,
    }


def check_answer(answer: Any, file: Path, vocab_size: int, block: int) -> None:
    """ModelError unless ``forward(idx, targets)`` gave (logits, loss) of the right kinds and
    shapes."""
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise loading.ModelError(
            f"{file}: GPT.forward(idx, targets) must return (logits, loss), not {kind(answer)}"
        )
    logits, loss = answer
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise loading.ModelError(
            f"{file}: with targets, GPT.forward must return one loss, not {kind(loss)}"
        )
    if not isinstance(logits, torch.Tensor) or logits.shape[-1] != vocab_size:
        raise loading.ModelError(
            f"{file}: GPT.forward's logits must end in vocab_size = {vocab_size}, not "
            f"{kind(logits)}"
        )


def kind(value: Any) -> str:
    return (
        f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
    )


def time_steps(
    model: torch.nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    precision: devices.Precision,
    cfg: Any,
) -> float:
    """Seconds for one training step with the load that the machine has: the median of a few, behind
    one that starts cold."""
    buffers = flat.flatten(model)
    adamw = torch_private.AdamW(
        buffers.groups(cfg["weight_decay"]), lr=1e-4, fused=inputs.device.type != "mps"
    )
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        with precision.products():
            _, loss = model(inputs, targets)
        buffers.grads.zero_()
        precision.backward(loss)
        precision.clip(buffers.grads, cfg["grad_clip"], adamw)
        precision.step(adamw)
        loss.item()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    sys.exit(main())
