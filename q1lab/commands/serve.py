"""`q1lab serve`: the app in a browser on this machine, through textual-serve (an extra)."""

from __future__ import annotations

import asyncio
import secrets
import shlex
from pathlib import Path
from typing import Any

import click

from q1lab.commands.textual_serve_private import behind
from q1lab.errors import FAILED, Problem
from q1lab.study import children

HOST = "127.0.0.1"
COOKIE = "q1lab"


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--session", metavar="ID", help="Open the app at this session.")
@click.option(
    "--content", type=click.Path(path_type=Path), metavar="DIR", help="Another week's content."
)
def serve(port: int, session: str | None, content: Path | None) -> None:
    """Serve the app to a browser on this machine, and to no other.

    Whoever can open the page can do what you can do in the app, so it listens on 127.0.0.1 only,
    and answers only requests that a page of its own made. From another machine, forward the port
    over ssh.

    \b
    Examples: q1lab serve
              ssh -L 8000:127.0.0.1:8000 you@machine
    """
    try:
        from textual_serve.server import Server
    except ImportError:
        raise Problem("`q1lab serve` needs an extra: pip install 'q1lab[serve]'", FAILED) from None
    from q1lab.commands.app import prepare

    prepare(session, content)  # what is wrong is said here, not in the browser
    argv = children.tied_to_input("q1lab")
    if session:
        argv += ["--session", session]
    if content:
        argv += ["--content", str(content)]
    server = guarded(Server)(shlex.join(argv), host=HOST, port=port, title="q1lab")
    try:
        server.serve()
    except OSError as error:
        raise Problem(
            f"cannot listen on {HOST}:{port} ({error.strerror}); give another --port", FAILED
        ) from None


def guarded(server: type[Any]) -> type[Any]:
    """``Server`` that answers only the page it gave out, to the person who started it.

    Three doors are closed. Another web site could make the browser connect here: by a WebSocket of
    its own (its Origin gives it away) or by a DNS name that was pointed at this machine (its Host
    does). Another user of this machine could open the port: the address that is printed carries a
    token, kept in a cookie afterwards.
    """

    class Guarded(behind(server)):  # type: ignore[misc]
        token = secrets.token_urlsafe(24)

        def middleware(self) -> Any:
            from aiohttp import web

            @web.middleware
            async def own_page(request: web.Request, handler: Any) -> Any:
                given = request.query.get("token") or request.cookies.get(COOKIE, "")
                if not allowed(
                    request.headers.get("Host"), request.headers.get("Origin"), self.port
                ):
                    return web.Response(
                        status=403, text="q1lab answers only its own page on this machine.\n"
                    )
                if not secrets.compare_digest(as_sent(given), self.token.encode()):
                    return web.Response(
                        status=403, text="Open the address that `q1lab serve` printed.\n"
                    )
                response = await handler(request)
                if "token" in request.query and not response.prepared:
                    response.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict")
                return response

            return own_page

        def initialize_logging(self) -> None:
            """Without the log of every request, which would print the token again and again."""

        async def on_startup(self, app: Any) -> None:
            self.announcing = asyncio.ensure_future(self._announce())

        async def _announce(self) -> None:
            """Say where it is, once it answers there (a port that is taken ends the server
            instead)."""
            while True:
                await asyncio.sleep(0.05)
                try:
                    _, writer = await asyncio.open_connection(HOST, self.port)
                except OSError:
                    continue
                writer.close()
                break
            click.echo(f"q1lab is at {self.public_url}/?token={self.token}")
            click.echo("For this machine only. Ctrl+C ends it; training goes on.")

    return Guarded


def as_sent(text: str) -> bytes:
    """The bytes of a cookie or a query: a browser may send any, UTF-8 or not."""
    return text.encode("utf-8", "surrogatepass")


def allowed(host: str | None, origin: str | None, port: int) -> bool:
    """Whether a request with these headers comes from a page that this server gave out."""
    names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    if port == 80:
        names |= {"127.0.0.1", "localhost"}
    return host in names and (origin is None or origin in {f"http://{name}" for name in names})
