"""The checks in their order, and the way one is run, timed and reported.

A modification is known by its files: `labs/models/NAME.py`, and `labs/checks/NAME.py`, which has

    CHECKS      its checks, each called "NAME: …"; or, of one made of others,
    PARTS       the names of those
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import re
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from labs import checks, loading, models
from labs.checks import cache, generic
from labs.checks.limits import TookTooLong, Unusable
from labs.checks.property_check import (
    Check,
    NotJudged,
    Result,
    Vague,
    Warned,
    Wrong,
)

Limit = Callable[[str], contextlib.AbstractContextManager[None]]

MODIFICATIONS: dict[str, ModuleType] = {
    name: importlib.import_module(f"labs.checks.{name}")
    for name in sorted(
        {module.name for module in pkgutil.iter_modules(checks.__path__)}
        & {module.name for module in pkgutil.iter_modules(models.__path__)}
    )
}
"""The modules of checks by the name of the modification."""
PARTS: dict[str, tuple[str, ...]] = {
    name: getattr(module, "PARTS", (name,)) for name, module in MODIFICATIONS.items()
}
"""The modifications that each one consists of: itself, or several."""
OWN = {name: module for name, module in MODIFICATIONS.items() if PARTS[name] == (name,)}
"""Those that have checks of their own."""


MOST_LATE = 3
"""Checks that may run out of time; those after them are not run, or a slow file would take many
minutes."""


def split(for_: str) -> list[str]:
    """The modifications with checks of their own that a --for names: "rope", "rope+gqa", "llama"
    (its parts), "baseline" (none)."""
    requested = for_.lower().replace(",", "+").split("+")
    parts = {part for name in requested for part in PARTS.get(name, ())}
    return [name for name in OWN if name in parts]


def checks_for(for_: str) -> list[Check]:
    """The checks for a --for value, in the order in which the first that fails shows the cause."""
    own_checks = [check for name in split(for_) for check in OWN[name].CHECKS]
    return sorted([*generic.CHECKS, *own_checks], key=lambda check: check.rank)


@torch.no_grad()
def run_check(check: Check, subject: Any, limit: Limit = contextlib.nullcontext) -> Result:
    """Run one check under a limit. Only the learner's own errors fail it."""
    began = time.perf_counter()
    is_interface = check is generic.interface
    facts: dict[str, Any] = {"passed": False}
    try:
        with limit(f"checking {check.name}"):
            seen = check.run(subject)
        facts = {"passed": True, "warning": isinstance(seen, Warned)}
    except (NotJudged, TookTooLong) as reason:
        seen, facts["judged"], facts["late"] = str(reason), False, isinstance(reason, TookTooLong)
    except (Wrong, Unusable) as wrong:
        seen, facts["vague"] = str(wrong), isinstance(wrong, Vague)
    except Exception as error:
        at = own_line(error, subject.path)
        seen = ": ".join(part for part in (type(error).__name__, first_line(error)) if part)
        seen += f" at {at}{fields_in(at, subject)}" if at else ""
        seen += loading.cure(error)
        # the interface check calls the file as the trainer does, and nothing else: what comes of it
        # stops a training, too. Any other check may be to blame itself where no line is met
        facts["judged"] = is_interface or at is not None
    seconds = round(time.perf_counter() - began, 3)
    return Result(
        check.name, expected=check.expected, seen=str(seen), why=check.why, seconds=seconds, **facts
    )


@torch.no_grad()
def run_all(
    subject: Any,
    for_: str,
    begin: Callable[[str], None] = lambda name: None,
    limit: Limit = contextlib.nullcontext,
    only: Collection[str] | None = None,
) -> Iterator[Result]:
    """Run the checks one by one, all or `only` those with these names; `begin` hears each step
    first, and `limit` surrounds each. Ends
    after the interface check when that fails: nothing else could be told.

    A failure that follows from one before it says so. One that is vague is held back to the end:
    another check may know its name."""
    due = [check for check in checks_for(for_) if only is None or check.name in only]
    results: list[Result] = []
    vague: list[Result] = []

    def told(result: Result) -> Result:
        if result.failed:
            result = replace(result, follows=cause_of(result.name, results))
        results.append(result)
        return result

    for check in due:
        begin(f"checking {check.name}")
        if sum(result.late for result in results) >= MOST_LATE:
            check = replace(check, run=out_of_time)
        result = run_check(check, subject, limit)
        if result.vague:
            vague.append(result)
            continue
        yield told(result)
        if check is generic.interface:
            if result.failed:
                return
            with contextlib.suppress(TookTooLong, Unusable), limit("looking for a cache"):
                if cache.cached_calls(subject.shared()):
                    due.append(cache.generation)
    yield from map(told, vague)


def cause_of(name: str, results: list[Result]) -> str:
    """The check whose failure a later one follows from, as a rule; "" if there is none. The checks
    of two modifications fail each for a cause of its own."""
    own = modification(name)
    failed = [result.name for result in results if result.failed]
    causes = (cause for cause in failed if not own or modification(cause) in ("", own))
    return next(causes, "")


def modification(check_name: str) -> str:
    """The modification that a check belongs to; "" for one that every file must pass."""
    before, colon, _ = check_name.partition(": ")
    return before if colon and before in OWN else ""


def out_of_time(subject: Any) -> str:
    raise TookTooLong(f"not run, since {MOST_LATE} checks before it ran out of time")


def own_line(error: BaseException, path: Path) -> str | None:
    """The line of the learner's file that an error came through: "rope.py:57: the line"; None if it
    came through no such line."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not frames:
        return None
    return f"{path.name}:{frames[-1].lineno}: {(frames[-1].line or '').strip()}"


def fields_in(line: str, subject: Any) -> str:
    """The fields of the config that a line names, with what the checks gave them."""
    fields = [
        f"{name}={value}"
        for name in subject.fields
        if re.search(rf"\b{re.escape(name)}\b", line)
        and (value := subject.value_of(name)) is not None
    ]
    return f", with {', '.join(fields)}" if fields else ""


def first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300]
