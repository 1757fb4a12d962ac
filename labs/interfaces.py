"""Check that a model file's classes can be called as the trainer calls them."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable


def takes_targets(gpt: type) -> None:
    """Raise TypeError, with what to do, when a file's GPT has a ``forward`` without targets."""
    cure = "give forward a second argument targets=None, and return (logits, loss)"
    binds(gpt.forward, ("self", "idx", "targets"), "forward", cure)  # type: ignore[attr-defined]
    names = list(inspect.signature(gpt.forward).parameters)  # type: ignore[attr-defined]
    if len(names) > 2 and re.search(r"cache|past|mask|pos|start", names[2], re.IGNORECASE):
        raise TypeError(f"forward's second argument is {names[2]}, and is given targets: {cure}")


def binds(call: Callable[..., object], values: tuple[str, ...], name: str, cure: str) -> None:
    """Raise TypeError, with what to do, when a call takes no such values by position."""
    declared = inspect.signature(call)
    try:
        declared.bind(*values)
    except TypeError as error:
        bare = [p.replace(annotation=p.empty) for p in declared.parameters.values()]
        call_values = ", ".join(value for value in values if value != "self")
        raise TypeError(
            f"{name}{inspect.Signature(bare)} can't be called as {name}({call_values}): {cure}"
        ) from error


def with_asserted_line(message: str) -> str:
    """A message of ``labs.loading``, with the line that was asserted where it says nothing else."""
    bare = re.fullmatch(r"(.+):(\d+): AssertionError:\s*", message)
    line = linecache.getline(bare[1], int(bare[2])).strip() if bare else ""
    return f"{message.rstrip()} {line}" if line else message
