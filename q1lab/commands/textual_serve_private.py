"""Names of textual-serve that carry no promise: tests/commands/test_serve_private.py notices when a
release drops one."""

from __future__ import annotations

from typing import Any


def behind(server: Any) -> Any:
    """A class of servers whose requests all pass through ``self.middleware()``, one of
    aiohttp's."""

    class Behind(server):  # type: ignore[misc]
        async def _make_app(self) -> Any:
            app = await super()._make_app()
            app.middlewares.append(self.middleware())
            return app

    return Behind
