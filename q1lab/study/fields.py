"""What study.json may hold: every field's type and range, in one place.

The file is data: it may come from another machine or another person, or from a bad disk. Whoever
reads a plan reads it through ``checked``, so nothing behind it has to ask again. A check returns
the value to use (texts lose escape sequences and what can't be stored) or raises ValueError with
what is wrong, in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from q1lab.files import plain

Check = Callable[[Any], Any]

LARGEST = 1 << 53
"""Whole numbers from here on are none: other programs read JSON's numbers as floats."""

MOST_SEEDS = 10_000
"""Seeds that a study may plan."""

MOST_VALUES, DEEPEST = 20_000, 8
"""How much JSON a field that holds anything may have: values, and levels of nesting."""


def checked(table: Mapping[str, Check], part: Any) -> dict[str, Any]:
    """The fields of ``table`` that ``part`` holds, each as its check returns it. Fields that the
    table doesn't know are left out, so that a newer file still opens."""
    if not isinstance(part, dict):
        raise ValueError(f"is {_kind(part)}, not an object")
    found = {}
    for name, check in table.items():
        if name in part:
            try:
                found[name] = check(part[name])
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return found


# ── kinds of values


def text(most: int, pattern: str | None = None) -> Check:
    """Text of ``most`` characters, of one line, matching ``pattern`` in whole."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"is {_kind(value)}, not a text")
        if len(value) > most:
            raise ValueError(f"has {len(value):,} characters, {most:,} at most")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise ValueError(f"is {value[:60]!r}")
        return storable(value).replace("\n", " ")

    return check


def one_of(*words: str) -> Check:
    """One of these words."""

    def check(value: Any) -> str:
        if value not in words:
            shown = repr(value[:60]) if isinstance(value, str) else _kind(value)
            raise ValueError(f"is {shown}; it is one of {', '.join(words)}")
        return str(value)

    return check


def whole(least: int = 0, below: int = LARGEST) -> Check:
    """A whole number from ``least`` up, smaller than ``below``."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"is {_kind(value)}, not a whole number")
        if not least <= value < below:
            raise ValueError(f"is out of range ({least:,} to {below - 1:,})")
        return value

    return check


def number(value: Any) -> float:
    """A finite number that leaves room to compute with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {_kind(value)}, not a number")
    if not abs(value) < 1e100:  # nor NaN; an int may be too large for a float
        raise ValueError("is not a finite number")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {_kind(value)}, not true or false")
    return value


def inside(value: Any) -> str:
    """The name of a file inside the folder; it never leads elsewhere. Empty: there is none."""
    name: str = text(1000)(value)
    parts = PurePath(name)
    if parts.is_absolute() or ".." in parts.parts or "\0" in str(value):
        raise ValueError(f"names a file outside its folder: {name[:60]!r}")
    return name


def or_none(check: Check) -> Check:
    """What ``check`` allows, or null."""
    return lambda value: None if value is None else check(value)


def texts(most: int, length: int) -> Check:
    """A list of ``most`` texts."""
    one = text(length)

    def check(value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"is {_kind(value)}, not a list of at most {most:,} texts")
        return [one(item) for item in value]

    return check


def anything(value: Any) -> Any:
    """Any JSON of a bounded size: objects, lists, texts, finite numbers, true, false and null."""
    left = MOST_VALUES

    def copy(item: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if depth > DEEPEST or left < 0:
            raise ValueError("holds too much")
        if isinstance(item, dict):
            return {copy(str(key), depth): copy(one, depth + 1) for key, one in item.items()}
        if isinstance(item, list):
            return [copy(one, depth + 1) for one in item]
        if isinstance(item, str):
            if len(item) > 100_000:
                raise ValueError("holds a text that is too long")
            return storable(item)
        if item is None or isinstance(item, bool):
            return item
        if isinstance(item, int) and abs(item) < 1 << 63:
            return item
        return number(item)

    return copy(value, 0)


def some(table: Mapping[str, Check]) -> Check:
    """An object whose fields are those of ``table``, where they are there; others may be
    anything."""

    def check(value: Any) -> dict[str, Any]:
        found = checked(table, value)
        rest = anything({key: item for key, item in value.items() if key not in table})
        return {storable(key): found.get(key, rest.get(storable(key))) for key in value}

    return check


def storable(value: str) -> str:
    """Without escape sequences, and without halves of characters (they can't be written)."""
    return plain(value).encode(errors="replace").decode()


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)


def seeds(value: Any) -> tuple[tuple[int, ...], ...]:
    """Batches of seeds: at least one seed, none twice."""
    if not isinstance(value, list) or not all(isinstance(batch, list) for batch in value):
        raise ValueError(f"is {_kind(value)}, not lists of seeds")
    if sum(map(len, value)) > MOST_SEEDS:
        raise ValueError(f"holds more than {MOST_SEEDS:,} seeds")
    one = whole()
    try:
        found = tuple(tuple(one(seed) for seed in batch) for batch in value)
    except ValueError as error:
        raise ValueError(f"holds a seed that {error}") from None
    flat = [seed for batch in found for seed in batch]
    if not flat or len(set(flat)) != len(flat):
        raise ValueError("holds no seed, or one of them twice")
    return found


def config(value: Any) -> dict[str, Any]:
    """Hyperparameters: those that q1lab computes with have their kind, others may be anything."""
    found: dict[str, Any] = some(CONFIG)(value)
    if "max_iters" not in found:
        raise ValueError("has no max_iters")
    return found


# ── the fields

SHA = text(64, "[0-9a-f]{0,64}")

CONFIG: dict[str, Check] = {
    **dict.fromkeys(
        (
            "max_iters",
            "batch_size",
            "block_size",
            "n_layer",
            "n_head",
            "n_embd",
            "eval_interval",
            "eval_windows",
            "log_interval",
        ),
        whole(1),
    ),
    **dict.fromkeys(("warmup_iters", "lr_decay_iters"), number),
    **dict.fromkeys(
        ("learning_rate", "min_lr", "weight_decay", "beta1", "beta2", "grad_clip", "dropout"),
        number,
    ),
}

PREDICTION: dict[str, Check] = {
    **dict.fromkeys(("size", "matters", "confidence"), or_none(number)),
    **dict.fromkeys(
        ("direction", "variant", "week", "created", "locked", "locked_by", "after"),
        or_none(text(1000)),
    ),
    "reasoning": or_none(text(200_000)),
}

IMPORTED: dict[str, Check] = {
    "from": text(10_000),
    "study": text(1000),
    "time": text(64),
    **dict.fromkeys(("allowed", "notes", "runs"), texts(20_000, 100_000)),
}

SHIFTS: dict[str, Check] = {"baseline": whole(below=1 << 40), "modified": whole(below=1 << 40)}

EXTRA: dict[str, Check] = {
    "imported": some(IMPORTED),
    "seed_shift": some(SHIFTS),
    "shared_at_start": or_none(number),
    "fresh_seeds": whole(1, 1001),
    **dict.fromkeys(("data", "dtype"), text(4096)),
    "overruled": texts(1000, 1000),
    "overrides": or_none(some({})),
}

ARM: dict[str, Check] = {
    "variant": text(200, r"(?s).*\S.*"),
    "title": text(1000),
    "source": inside,
    "sha256": SHA,
    "origin": text(10_000),
    "n_params": whole(),
    "flops_per_token": whole(below=1 << 63),
    "code": SHA,
}

DATA: dict[str, Check] = {
    "name": text(1000),
    "sha256": SHA,
    "training": SHA,
    "file": inside,
    **dict.fromkeys(("characters", "vocab_size", "train_tokens", "val_tokens"), whole()),
}

STUDY: dict[str, Check] = {
    "id": text(100),
    "created": text(64, "[0-9T:.+Z -]+"),
    "arms": lambda value: value,  # each is read by ARM
    "looks": seeds,
    "preset": text(200),
    "config": config,
    "data": lambda value: value,  # read by DATA
    "device": text(200),
    "dtype": text(200),
    "jobs": whole(1, 1025),
    "threads": whole(1, 4097),
    "headline": one_of("paired", "welch"),
    "versions": some({}),
    "prediction": or_none(some(PREDICTION)),
    "repo": or_none(some({})),
    "unchecked": flag,
    "wandb": one_of("disabled", "offline", "online"),
    "extra": some(EXTRA),
}
