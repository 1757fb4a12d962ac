"""A text becomes a syntax tree, in several threads at once; anything else is a SyntaxError."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from q1lab.ground.python_source import parse_python

pytestmark = pytest.mark.sample


class _Garbage:
    """Garbage whose finalizer lets another thread run in the middle of a parse."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(50))


@pytest.fixture
def busy_collector() -> Iterator[None]:
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("busy_collector")
def test_threads_parse_at_once() -> None:
    text = Path(__file__).read_text()

    def parse(_: int) -> int:
        for _ in range(30):
            _Garbage()
        return len(parse_python(text).body)

    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(parse, range(100)))) == 1


@pytest.mark.parametrize("text", ["x = (", "x = 1\0", "(" * 5000, "-" * 100_000 + "1"])
def test_what_is_not_python_is_a_syntax_error(text: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        parse_python(text)
    assert caught.value.lineno == 1
