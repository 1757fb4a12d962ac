"""JSON that a stranger gave: only what can be worked with is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from q1lab.ground import json_records


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_json_is_nested_as_deep_as_said_and_no_deeper(wrap: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(json_records.DEEPEST):
        value = wrap(value)
    assert json_records.bounded_json(value) == value
    with pytest.raises(ValueError, match="nested too deeply"):
        json_records.bounded_json(wrap(value))


def test_an_int_too_large_for_a_float_is_no_number() -> None:
    with pytest.raises(ValueError, match="finite"):
        json_records.bounded_json(10**400)
