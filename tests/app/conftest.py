"""Pictures of screens, for the tests of the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.kit import pictures


@pytest.fixture(autouse=True, scope="session")
def a_style_sheet_is_parsed_once() -> Iterator[None]:
    """The same text with the same variables gives the same rules, which nothing changes; each app
    would parse them again."""
    parse, rules_by_source = Stylesheet._parse_rules, dict[object, list[RuleSet]]()

    def parsed_once(self: Stylesheet, *source: Any, **options: Any) -> list[RuleSet]:
        key = (*source, *options.values(), *self._variables.items())
        if key not in rules_by_source:
            rules_by_source[key] = parse(self, *source, **options)
        return rules_by_source[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parsed_once)
        yield


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Awaitable[None]]:
    """``await picture(name, app, size, go)``: see `pictures.compare`."""

    async def compare(
        name: str, app: pictures.Q1Lab, size: tuple[int, int], go: pictures.Go
    ) -> None:
        accept = bool(request.config.getoption("--accept"))
        await pictures.compare(name, app, size, go, accept, tmp_path)

    return compare
