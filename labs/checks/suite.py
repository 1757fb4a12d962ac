"""The checks in their order, and how one is run, timed and reported."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIANTS = ("rmsnorm", "rope", "swiglu", "gqa")
LLAMA = "llama"  # all four


@dataclass(frozen=True)
class Check:
    """One property. `run` takes a Subject and returns what was seen, or raises Wrong or
    NotApplicable."""

    name: str
    expected: str
    why: str
    run: Callable[[Any], str]


@dataclass(frozen=True)
class Result:
    """What a person reads about one check; times in seconds."""

    name: str
    passed: bool
    expected: str
    seen: str
    why: str
    seconds: float


def check(name: str, expected: str, why: str) -> Callable[[Callable[[Any], str]], Check]:
    """Turn a function into a Check."""
    return lambda run: Check(name, expected, why, run)


def split(for_: str) -> list[str]:
    """The modifications that a --for names: "rope", "rope+gqa", "llama" (all four), "baseline"
    (none)."""
    parts = [part for part in for_.lower().replace(",", "+").split("+") if part]
    return [v for v in VARIANTS if v in parts or LLAMA in parts]


def checks_for(for_: str) -> list[Check]:
    """The checks for a --for value, the quick and basic ones first."""
    from labs.checks import generic, gqa, rmsnorm, rope, swiglu

    own = {"rmsnorm": rmsnorm, "rope": rope, "swiglu": swiglu, "gqa": gqa}
    first = [generic.interface, generic.start, generic.causality, generic.context, generic.batch]
    last = [
        generic.gradients,
        generic.repeatable,
        generic.device_and_dtype,
        generic.parameters,
        generic.overfit,
    ]
    mine = [one for name in split(for_) for one in own[name].CHECKS]
    return [*first, *mine, *last]


def run_one(one: Check, subject: Any) -> Result | None:
    """Run one check. None when it has nothing to look at in this file. Only the learner's own
    errors fail it."""
    from labs.checks.probe import NotApplicable, Wrong

    began = time.perf_counter()
    try:
        passed, seen = True, one.run(subject)
    except NotApplicable:
        return None
    except Wrong as wrong:
        passed, seen = False, str(wrong)
    except Exception as error:
        at = own_line(error, subject.path)
        if at is None:  # not the file's doing: say so instead of blaming it
            passed, seen = True, f"not judged: {type(error).__name__}: {first_line(error)}"
        else:
            passed, seen = False, f"{type(error).__name__}: {first_line(error)} at {at}"
    return Result(
        one.name, passed, one.expected, seen, one.why, round(time.perf_counter() - began, 3)
    )


def run_all(
    subject: Any, for_: str, begin: Callable[[str], None] = lambda name: None
) -> Iterator[Result]:
    """Run the checks one by one. Ends after the interface check when that fails: nothing else could
    be told."""
    for one in checks_for(for_):
        begin(one.name)
        result = run_one(one, subject)
        if result is None:
            continue
        yield result
        if one.name == "interface" and not result.passed:
            return


def own_line(error: BaseException, path: Path) -> str | None:
    """Where in the learner's file an error came through: "rope.py:57: the line", or None if it
    didn't."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not frames:
        return None
    return f"{path.name}:{frames[-1].lineno}: {(frames[-1].line or '').strip()}"


def first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300]


def guess(subject: Any) -> str:
    """What a file modifies: by the line that `q1lab new` puts on top, by its name, else by what it
    does.

    "baseline" when it does nothing of the four.
    """
    made_for = re.search(
        r"^# q1lab: (\w+), made from", subject.path.read_text(encoding="utf-8")[:2000], re.MULTILINE
    )
    if made_for and made_for[1] in (*VARIANTS, LLAMA):
        return made_for[1]
    stem = subject.path.stem.lower()
    by_name = {
        "rope": "rope",
        "rotary": "rope",
        "rms": "rmsnorm",
        "glu": "swiglu",
        "gqa": "gqa",
        "mqa": "gqa",
    }
    by_name |= {"grouped": "gqa", "llama": LLAMA}
    found = [variant for part, variant in by_name.items() if part in stem]
    if LLAMA in found:
        return LLAMA
    if found:
        return "+".join(v for v in VARIANTS if v in found)
    from labs.checks import gqa, rmsnorm, rope, swiglu

    looks = {"rmsnorm": rmsnorm.looks, "rope": rope.looks, "swiglu": swiglu.looks, "gqa": gqa.looks}
    present = []
    for variant, look in looks.items():
        try:
            if look(subject):
                present.append(variant)
        except Exception:  # a file that fails here fails a check soon, with a better message
            continue
    if len(present) == len(VARIANTS):
        return LLAMA
    return "+".join(present) or "baseline"
