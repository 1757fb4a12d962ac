"""`q1lab serve`: the app reaches its own page, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from q1lab import paths
from q1lab.commands.serve import allowed
from q1lab.index.store import Store
from q1lab.week import content, progress


@pytest.fixture
def address() -> Iterator[str]:
    """The address that `q1lab serve` prints, while it runs."""
    with Store() as store:
        progress.keep(store, content.load(paths.content_dir()).label, "welcomed", True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, "-m", "q1lab", "serve", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line.startswith(f"q1lab is at http://127.0.0.1:{port}/?token="), line
        yield line.removeprefix("q1lab is at ").strip()
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        rest, _ = child.communicate(timeout=20)
        assert "token" not in rest, rest


async def status(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status


async def test_only_the_printed_address_opens_and_only_from_this_machine(address: str) -> None:
    parts = urlsplit(address)
    bare = f"http://{parts.netloc}/"
    assert await status(bare) == 403
    assert await status(bare + "?token=guessed") == 403
    assert await status(address, Host="rebound.example:80") == 403
    assert await status(address, Origin="http://evil.example") == 403
    jar = aiohttp.CookieJar(unsafe=True)  # (unsafe: it keeps cookies of an address without a name)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(address) as page:
            assert page.status == 200
            assert "q1lab" in await page.text()
        async with session.get(bare) as page:
            assert page.status == 200, "the cookie was not taken"
    # a server on all addresses would answer on this one, too
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", parts.port or 0), timeout=5)


async def test_the_app_draws_itself_and_takes_keys_in_the_browser(address: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    seen = b""
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(address) as page:
            assert page.status == 200
        socket_url = f"ws://{urlsplit(address).netloc}/ws?width=100&height=30"
        async with session.ws_connect(socket_url) as ws:

            async def until(words: bytes) -> None:
                nonlocal seen
                while words not in seen:
                    message = await ws.receive(timeout=30)
                    assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), seen[
                        -500:
                    ]
                    seen += (
                        message.data if isinstance(message.data, bytes) else message.data.encode()
                    )

            await until(b"palette")
            await ws.send_json(["stdin", "2"])
            await until(b"No study yet.")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(socket_url, headers={"Origin": "http://evil.example"})
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("host", "origin", "port", "good"),
    [
        ("127.0.0.1:8000", None, 8000, True),
        ("localhost:8000", "http://127.0.0.1:8000", 8000, True),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", 8000, False),
        ("127.0.0.1:9000", None, 8000, False),
        ("example.org:8000", None, 8000, False),
        (None, None, 8000, False),
        ("localhost", "http://localhost", 80, True),
        ("127.0.0.1:8000", "null", 8000, False),
    ],
)
def test_hosts_and_origins(host: str | None, origin: str | None, port: int, good: bool) -> None:
    assert allowed(host, origin, port) is good
