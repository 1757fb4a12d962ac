"""Load a model file, any model file with nanoGPT's interface, and build its model.

The interface: a class ``GPTConfig`` that takes keyword fields (block_size, vocab_size, n_layer,
n_head, n_embd, dropout, bias, and more with defaults) and ``GPT(config)`` whose ``forward(idx,
targets=None)`` returns ``(logits, loss)``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

SIZES = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")
STANDARD = (*SIZES, "dropout", "bias")
"""The fields that every model file is built with, as far as it knows them."""


class ModelError(Exception):
    """The file can't be used; the message says where and why, in the file's own lines."""


def load(path: Path, sha256: str | None = None) -> ModuleType:
    """Run the file and return its module. ModelError when it raises or lacks GPT or GPTConfig, and
    when it isn't the file with this hash."""
    if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ModelError(
            f"{path} has changed since the study was planned; put it back, or ask with --fresh"
        )
    name = "model_" + "".join(c if c.isalnum() else "_" for c in path.stem)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:
        raise ModelError(f"{where(error, path)}: it calls exit while it is imported") from error
    except Exception as error:
        raise ModelError(describe(error, path)) from error
    for wanted in ("GPTConfig", "GPT"):
        if not isinstance(getattr(module, wanted, None), type):
            raise ModelError(
                f"{path}:1: no class {wanted}; a model file defines GPTConfig and GPT, as "
                "nanoGPT does"
            )
    return module


def fields(module: ModuleType) -> list[str]:
    """The keyword fields that the file's GPTConfig takes."""
    return list(inspect.signature(module.GPTConfig).parameters)


def takes_any(module: ModuleType) -> bool:
    """True if the file's GPTConfig takes any name (``**kwargs``)."""
    given = inspect.signature(module.GPTConfig).parameters.values()
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given)


def build(module: ModuleType, config: dict[str, Any], vocab_size: int) -> nn.Module:
    """``GPT(GPTConfig(...))`` with those of ``config``'s values that the file knows."""
    known = {*fields(module), *(STANDARD if takes_any(module) else ())}
    values = {key: value for key, value in config.items() if key in known}
    model = module.GPT(module.GPTConfig(**{**values, "vocab_size": vocab_size}))
    if not isinstance(model, nn.Module):
        raise TypeError("GPT must be a torch.nn.Module")
    return model


def deaf_to(make: Callable[..., nn.Module], sizes: Mapping[str, Any]) -> list[str]:
    """The sizes among n_layer, n_embd and vocab_size that change nothing in what ``make(**sizes)``
    builds when they change: a config can take a name and leave it aside."""

    def shapes(**other: int) -> list[torch.Size]:
        return [p.shape for p in make(**{**sizes, **other}).parameters()]

    usual = shapes()
    others = {
        "n_layer": sizes["n_layer"] + 1,
        "n_embd": 2 * sizes["n_embd"],
        "vocab_size": sizes["vocab_size"] + 256,  # some round it up
    }
    return [name for name, other in others.items() if shapes(**{name: other}) == usual]


def where(error: BaseException, path: Path) -> str:
    """``file:line`` of the last line of ``path`` that the error came through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def describe(error: BaseException, path: Path) -> str:
    """One line: file, line, kind and message of an error in a model file."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    first = next(iter(message.strip().splitlines()), "")
    if isinstance(error, MemoryError):
        first = first or "out of memory"
    if isinstance(error, SystemExit):
        return f"{where(error, path)}: it calls exit: take that out"
    return f"{where(error, path)}: {type(error).__name__}: {first[:400]}{cure(error)}"


def cure(error: BaseException) -> str:
    """What to do about an error that a machine gives cause for, to put behind its message; "" for
    any other."""
    message = str(error)
    if not torch.cuda.is_available() and re.search("CUDA|NVIDIA", message):
        return "; there is no GPU here: leave out .cuda() and device='cuda', use device=idx.device"
    if isinstance(error, MemoryError) or "allocate memory" in message:
        return "; it asks for more than there is: do its sizes follow GPTConfig?"
    return ""
