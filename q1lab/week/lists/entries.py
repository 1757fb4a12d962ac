"""Helpers that the learner's lists share: a title in one line, a web address, an item found by its
number or words."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.ground.secret_text import refuse_secret
from q1lab.journal.store import Store


def find_item(store: Store, table: str, which: str, listing: str) -> dict[str, Any]:
    """The row of ``table`` (a fixed name) that ``which`` names by number, title or words of the
    title. Problem if no row or several match; ``listing`` is the command that shows them."""
    rows = [dict(row) for row in store.db.execute(f"SELECT * FROM {table} ORDER BY id")]
    wanted_title = which.strip().lower()
    matches = [
        row
        for row in rows
        if str(row["id"]) == wanted_title or row["title"].lower() == wanted_title
    ]
    matches = matches or [
        row for row in rows if wanted_title and wanted_title in row["title"].lower()
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise Problem(
            f"nothing in your list matches {which!r}", next=f"`{listing}` shows what is there"
        )
    raise Problem(
        f"{which!r} matches {len(matches)} entries", next=f"give a number from `{listing}`"
    )


def web_address(url: str) -> str:
    """``url`` when it is an http(s) address that holds no secret, else Problem."""
    refuse_secret(url, "this address")
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and ("." in (parts.hostname or "") or parts.hostname == "localhost")
            and not any(
                character.isspace() or character in "<>\"'`" or ord(character) < 32
                for character in url
            )
        )
    except ValueError:
        good = False
    if not good:
        raise Problem(
            f"{printable(url)!r} is not a web address",
            next="it looks like https://example.org/my-post",
        )
    return url


def public_address(url: str) -> str:
    """``url`` when others can open it, too, else Problem."""
    host = (urlsplit(web_address(url)).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".local")) or host.startswith("127."):
        raise Problem(
            f"{printable(url)} is on this machine only",
            next="give the address that others can open",
        )
    return url


def clean_title(text: str, field: str) -> str:
    """``text`` in one line of at most 300 characters, without a secret; ``field`` names it in the
    Problem otherwise."""
    cleaned = refuse_secret(" ".join(printable(text).split()), field)
    if not cleaned:
        raise Problem(f"{field} can't be empty")
    if len(cleaned) > 300:
        raise Problem(f"{field} is too long ({len(cleaned)} characters; at most 300)")
    return cleaned
