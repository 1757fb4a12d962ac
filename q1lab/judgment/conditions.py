"""The conditions of runs that are not the same in all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from q1lab.ground.text_formats import printable


def differing(
    starts: Sequence[tuple[str, Mapping[str, object]]], first: Sequence[str] = ()
) -> dict[str, dict[str, tuple[str, ...]]]:
    """The conditions that are not the same in all runs, of those that each began with: condition →
    value → runs, by their names. The ``first`` conditions come first."""
    values_by_name: dict[str, dict[str, tuple[str, ...]]] = {}
    for key in dict.fromkeys((*first, *(key for _, start in starts for key in start))):
        values: dict[str, tuple[str, ...]] = {}
        for name, start in starts:
            value = start.get(key)
            if value is not None and isinstance(value, str | int | float):
                shown = printable(str(value))[:40]
                values[shown] = (*values.get(shown, ()), name)
        if len(values) > 1:
            values_by_name[key] = values
    return values_by_name


def differing_steps(
    lasts: Sequence[tuple[str, int | None]],
) -> dict[str, dict[str, tuple[str, ...]]]:
    """The last step of each run with a number, where they are not all the same."""
    steps = {last for _, last in lasts if last is not None}
    if len(steps) < 2:
        return {}
    runs = {str(at): tuple(name for name, last in lasts if last == at) for at in sorted(steps)}
    return {"last step": runs}
