"""Texts for the channels on which a post is shared, each within its limit. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.facts import StudyFacts
from q1lab.documents.post import Post
from q1lab.documents.templates import render
from q1lab.errors import Problem
from q1lab.formats import cut_at_word

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
    """What to post on ``channel`` (a key of LIMITS), within its limit. Problem for a channel that
    has no text."""
    if channel not in LIMITS:
        raise Problem(f"there is no text for {channel!r}; there is one for {', '.join(LIMITS)}")
    limit, counted = LIMITS[channel]
    study = record.study
    title = record.title
    if channel == "hn":
        # A post is a plain submission: Show HN is for what people can try. HN cuts nothing for you.
        title = cut_at_word(title, limit)
    lead = ""
    if channel == "r-machinelearning":  # its readers expect the result in the title
        lead = cut_at_word(_result(record) or title, limit - len("[P] "))
    values = {
        "title": title,
        "url": url,
        "variant_title": record.heading,
        "study": study,
        "difference": study.difference if study else "",
        "interval": _interval_words(study),
        "verdict_words": study.in_a_sentence if study else "",
        "scale": study.scale if study else "",
        "lead": lead,
    }
    if channel == "x":
        room = limit - SHORT_ADDRESS - 1
        values["lead"] = cut_at_word(_lead(record), room)
    text = render(f"share-{channel}.txt.j2", values, root).text.strip("\n")
    if channel == "x":
        length = len(text.replace(url, "")) + SHORT_ADDRESS
    elif channel in ("hn", "r-machinelearning", "r-localllama"):
        length = len(text.split("\n", 1)[0])
    else:
        length = len(text)
    if length > limit:
        raise Problem(
            f"the text for {channel} has {length} characters, at most {limit}: shorten its template"
        )
    return ChannelText(channel, text, length, limit, counted)


def _interval_words(study: StudyFacts | None) -> str:
    return (study.interval if study else "") or "no interval"


def _name(record: Post) -> str:
    return record.heading.split(",")[0]


def _result(record: Post) -> str:
    """What was measured, in a line; empty without a difference."""
    study = record.study
    if study is None or not study.difference:
        return ""
    return (
        f"{_name(record)} in a small GPT, {study.n} seeds each: {study.difference} nats, "
        f"{_interval_words(study)}"
    )


def _lead(record: Post) -> str:
    study = record.study
    if study is None or not study.difference:
        return f"{record.title}."
    return (
        f"I put {_name(record)} into a small GPT and trained it against the baseline, "
        f"{study.n} seeds each: "
        f"{study.difference} nats, {_interval_words(study)}. {study.in_a_sentence}"
    )
