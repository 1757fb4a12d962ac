"""The process of `q1lab speak`: SmolLM2 writes, with a learner's part in it, or with a part broken.

`python -m labs.speak < request`, as JSON: "weights"; "prompt"; "tokens", how many to write; "data",
a text for the loss, of its first 512 tokens; "file" and "for", the learner's model file and its
modification, or "" for none; "break", a name of `BREAKS`, or "".

Results go to standard output as they come, one JSON object per line; whatever the file prints goes
to standard error. Its lines, by "event": begin {"who"}, text {"text"}, loss {"who", "loss"}, fits
{"how"}, unusable {"message"}, end. Who is "model", "yours" or "broken".
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.checks import limits
from labs.checks.limits import Unusable

LOSS_TOKENS = 512
MOST_PROMPT = 1024  # tokens; with what is written they stay below the 2,048 that it was trained on


def main() -> int:
    request = json.load(sys.stdin)
    out = limits.take_output()

    def say(event: str, **fields: Any) -> None:
        out.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        out.flush()

    try:
        speak(request, say)
    except (Unusable, limits.TookTooLong) as error:
        say("unusable", message=str(error))
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        say("unusable", message="the model needs 1 GB of memory, which is not there")
        return 2
    say("end")
    return 0


def speak(request: dict[str, Any], say: Callable[..., None]) -> None:
    """Let the model alone speak, then with the learner's part or the break. Unusable for what a
    person can mend."""
    sys.dont_write_bytecode = True
    from labs.torch_import import torch

    # isort: split
    torch.set_num_threads(request["threads"])
    from labs import smol

    try:
        model = smol.Smol(request["weights"])
    except (KeyError, IndexError, ValueError, OSError) as error:
        raise Unusable(f"{request['weights']}: not a Llama in GGUF ({error})") from error
    prompt, data = request["prompt"], request["data"]
    length = len(model.tokenizer.encode(prompt).ids)
    if length > MOST_PROMPT:
        raise Unusable(f"the prompt has {length:,} tokens, and may have {MOST_PROMPT:,} at most")
    ids = model.tokenizer.encode(data).ids[: LOSS_TOKENS + 1]
    if len(ids) < 2:
        raise Unusable("the text for the loss has fewer than two tokens")

    def tell(who: str, cached: bool) -> None:
        say("begin", who=who)
        written: list[int] = []
        told = ""
        for token in smol.write(model, prompt, request["tokens"], cached):
            written.append(token)
            text = model.tokenizer.decode(written)
            if not text.endswith("\ufffd"):  # half a letter
                say("text", text=text[len(told) :])
                told = text
        say("loss", who=who, loss=smol.loss(model, ids), tokens=len(ids) - 1)

    tell("model", cached=True)
    if request["break"]:
        break_part(smol, model, request["break"])
        tell("broken", cached=request["break"] != "mask")
    if request["file"]:
        from labs import transplant

        path = Path(request["file"])
        step = limits.TimedSteps(path, request["step_seconds"])
        with step("looking for its part"):
            say("fits", how=transplant.put_in(smol, model, path, request["for"]))
        with step("writing"):
            tell("yours", cached=request["for"] in ("rmsnorm", "swiglu"))


def break_part(smol: Any, model: Any, name: str) -> None:
    """Break one part of the model, in all blocks."""
    if name == "mask":
        for block in model.blocks:
            block.causal = False
        return
    where, broken = _broken(smol)[name]
    setattr(smol, where, broken)


def _broken(smol: Any) -> dict[str, tuple[str, Callable[..., Any]]]:
    """By the name of a break: the marked function that it replaces, and what stands there then."""
    import torch
    from torch.nn import functional as F

    norm, rotate = smol.rms_norm, smol.rotate
    return {
        "shift": ("rotate", lambda x, at, theta: rotate(x, at + 1000, theta)),
        "unrotated": ("rotate", lambda x, at, theta: x),
        "frequency": ("rotate", lambda x, at, theta: rotate(x, at, 1.0)),
        "theta": ("rotate", lambda x, at, theta: rotate(x, at, theta / 10)),
        "mean": ("rms_norm", lambda x, g, eps: norm(x - x.mean(-1, keepdim=True), g, eps)),
        "eps": ("rms_norm", lambda x, g, eps: norm(x, g, 1e-2)),
        "gain": ("rms_norm", lambda x, g, eps: norm(x, torch.ones_like(g), eps)),
        "branch": ("swiglu", lambda gate, up: F.silu(up) * gate),
        "gelu": ("swiglu", lambda gate, up: F.gelu(gate) * up),
        "relu": ("swiglu", lambda gate, up: F.relu(gate) * up),
        "tiled": ("share", lambda kv, n: kv.repeat(1, 1, n // kv.size(2), 1)),
        "single": ("share", lambda kv, n: kv[:, :, :1].expand(-1, -1, n, -1)),
    }


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # no thread or exit handler of the file keeps this process alive
