"""Texts for the channels on which a post is shared, each within its limit. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.post import Post
from q1lab.documents.templates import render_template
from q1lab.ground.errors import Problem

SHORT_ADDRESS = 23
"""X counts every address as this many characters."""
LIMITS: Mapping[str, tuple[int, str]] = {
    "hn": (80, "the title"),
    "r-machinelearning": (300, "the title (first line)"),
    "r-localllama": (300, "the title (first line)"),
    "x": (280, "everything, the address counted as 23"),
    "linkedin": (3000, "everything"),
}


@dataclass(frozen=True)
class ChannelText:
    """A text to copy: ``length`` counts what the channel limits, which ``counted`` says in
    words."""

    channel: str
    text: str
    length: int
    limit: int
    counted: str


def channel_text(channel: str, record: Post, url: str, root: Path | None = None) -> ChannelText:
    """The text for ``channel`` (a key of LIMITS), from the templates of the week's folder ``root``
    where it has them. Problem for another channel, and for a text over its limit: nothing is
    cut."""
    if channel not in LIMITS:
        raise Problem(
            f"there is no text for {channel!r}", next=f"there is one for {', '.join(LIMITS)}"
        )
    limit, counted = LIMITS[channel]
    study = record.study
    values = {
        "course": record.course,
        "title": record.title,
        "url": url,
        "variant_title": record.heading,
        "name": record.heading.split(",")[0],
        "study": study,
    }
    text = render_template(f"share-{channel}.txt.j2", values, root).text.strip("\n")
    if channel == "x":
        length = len(text.replace(url, "")) + SHORT_ADDRESS
    elif channel in ("hn", "r-machinelearning", "r-localllama"):
        length = len(text.split("\n", 1)[0])
    else:
        length = len(text)
    if length > limit:
        raise Problem(
            f"the text for {channel} has {length} characters, at most {limit}: ",
            next="shorten its template",
        )
    return ChannelText(channel, text, length, limit, counted)
