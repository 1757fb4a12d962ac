"""textual-serve still has the name without a promise that `q1lab serve` relies on."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from textual_serve.server import Server

from q1lab.commands.textual_serve_private import behind


async def test_requests_pass_through_a_middleware() -> None:
    assert callable(Server._make_app)

    @web.middleware
    async def one(request: Any, handler: Any) -> Any:
        return await handler(request)

    class Guarded(behind(Server)):  # type: ignore[misc]
        def middleware(self) -> Any:
            return one

    app = await Guarded("true")._make_app()
    assert isinstance(app, web.Application)
    assert one in app.middlewares
