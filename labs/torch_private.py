"""The names of PyTorch that carry no promise, all in one place. Each is looked up rather than
imported, and a release without it gets what public names can do: slower, with the same numbers.
``q1lab doctor`` says which are missing, and which releases were tested.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

TESTED = ("2.6", "2.9", "2.13", "2.15")
"""The releases that the tests of labs passed with, on a processor of x86-64."""


def _look_up(module: str, name: str) -> Any:
    """The attribute of a module under this name, or None."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


_DispatchMode = _look_up("torch.utils._python_dispatch", "TorchDispatchMode")
_FlopCounter = _look_up("torch.utils.flop_counter", "_FlopCounterMode")
_top_hooks = _look_up("torch._C._autograd", "_top_saved_tensors_default_hooks")
_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


class _CallMode(TorchFunctionMode):
    """Hears the calls that Python makes of PyTorch, where the operations below can't be heard."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.__torch_dispatch__(func, types, args, kwargs)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError


def spare(*functions: Any) -> None:
    """Have these functions called without PyTorch's compiler, which nothing here asks for.

    PyTorch imports it, 1.5 s of processor time and as much as all the rest of a start, when a
    function that must not be compiled is called for the first time, and then notes at the function
    what to call instead. Here that is noted first: the function itself.
    """
    for function in functions:
        plain = inspect.unwrap(function)
        plain.__dynamo_disable = plain


if _DispatchMode:

    class _OperationMode(_DispatchMode):  # type: ignore[misc, valid-type]
        """Hears the operations themselves, without the compiler (see ``spare``)."""

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False


class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, without the compiler (see ``spare``)."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


spare(AdamW.add_param_group, AdamW.state_dict, AdamW.load_state_dict)
if _FlopCounter:
    spare(_FlopCounter.__torch_dispatch__)

OperationMode: Any = _OperationMode if _DispatchMode else _CallMode
"""While active, its ``__torch_dispatch__(func, types, args, kwargs)`` answers each operation that
PyTorch executes, or each call from Python where operations can't be heard."""


def run(mode: Any, function: Callable[..., Any], *tensors: Tensor) -> Any:
    """``function(*tensors)`` while ``mode`` hears the operations themselves, in any release: where
    they can't be heard, they are recorded first, and then executed one by one."""
    if _DispatchMode:
        with mode:
            return function(*tensors)
    from torch.fx import Interpreter
    from torch.fx.experimental.proxy_tensor import make_fx

    class Steps(Interpreter):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            return mode.__torch_dispatch__(target, (), args, kwargs)

    return Steps(make_fx(function)(*tensors)).run(*tensors)


def computes_again() -> bool:
    """True if what is computed now may be computed again by a backward pass, as in a checkpoint of
    torch.utils; False where that can't be told."""
    return _top_hooks is not None and _top_hooks(True) is not None


def name_of(operation: Any) -> str:
    """The name of what a mode is handed, without its overload: "copy_"."""
    return str(getattr(operation, "__name__", "")).partition(".")[0]


def leaves(nested: Any) -> list[Tensor]:
    """The tensors in the arguments or the result of an operation."""
    if isinstance(nested, Tensor):
        return [nested]
    tensors: list[Tensor] = []
    if isinstance(nested, (tuple, list, dict)):
        for part in nested.values() if isinstance(nested, dict) else nested:
            if isinstance(part, Tensor):
                tensors.append(part)
            elif part.__class__ not in _PLAIN:  # most arguments, of thousands of operations
                tensors += leaves(part)
    return tensors


_PLAIN = (int, float, bool, str, type(None))


def draws(operation: Any) -> bool:
    """True if the operation that a mode is handed takes random numbers."""
    tags = getattr(operation, "tags", None)
    return _draws(name_of(operation)) if tags is None else _random(tags)


@functools.cache
def _draws(call: str) -> bool:
    """The same of a call by its name, by the operations of that name."""
    operations = getattr(torch.ops.aten, call.removeprefix("kaiming_"), None)
    overloads = [] if operations is None or call.startswith("__") else operations.overloads()
    return any(_random(getattr(operations, overload).tags) for overload in overloads)


def _random(tags: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in tags


@functools.cache
def has_linear() -> bool:
    """True if oneDNN's linear layer can be called, and answers as it is asked here."""
    if _linear is None or not torch.backends.mkldnn.is_available():
        return False
    a = torch.arange(6.0).view(2, 3)
    try:
        return torch.allclose(linear(a, a, a[0, :2]), a @ a.t() + a[0, :2])
    except (RuntimeError, TypeError):  # its arguments have changed
        return False


def linear(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a bᵀ + bias for (M, K) and (N, K) in fp32, by oneDNN."""
    product: Tensor = _linear(a, b, bias, "none", [], "")
    return product


def missing() -> list[str]:
    """The names that this PyTorch lacks, and what that costs."""
    lost = []
    if _DispatchMode is None:
        lost.append("TorchDispatchMode (q1lab check is slower)")
    if torch.backends.mkldnn.is_available() and not has_linear():
        lost.append("mkldnn._linear_pointwise (fp32 is slower on AMD's processors)")
    if _top_hooks is None:
        lost.append(
            "_top_saved_tensors_default_hooks (no bf16 on a CPU for files with checkpoints)"
        )
    return lost
