"""Texts for the channels on which a post is shared, each within its limit. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.facts import StudyFacts
from q1lab.documents.post import Post
from q1lab.documents.templates import render
from q1lab.errors import Problem
from q1lab.journal.predictions import signed

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
        # The prefix belongs to the title, and HN cuts nothing for you.
        title = shorten(f"Show HN: {title}", limit)
    if channel in ("r-machinelearning",):
        title = shorten(title, limit - len("[P] "))
    values = {
        "title": title,
        "url": url,
        "variant_title": record.variant_title,
        "study": study,
        "difference": signed(study.difference) if study else "",
        "interval": _interval_words(study),
        "verdict_words": _verdict_words(study),
        "scope_short": shorten(str(study.scope).removeprefix("Scope: ").split(". ")[0], 200)
        if study
        else "",
        "lead": "",
    }
    if channel == "x":
        room = limit - SHORT_ADDRESS - 1
        values["lead"] = shorten(_lead(record), room)
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


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, cut at a word, with an ellipsis."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    if " " in cut[limit // 2 :]:
        cut = cut[: cut.rindex(" ")]
    return cut.rstrip(" ,;:.–-") + "…"


def _interval_words(study: StudyFacts | None) -> str:
    if study is None or study.interval is None:
        return "no interval"
    low, high = study.interval
    return f"95% interval ({study.interval_name}) {signed(low)} to {signed(high)}"


def _verdict_words(study: StudyFacts | None) -> str:
    words = {
        "helps": "It lowers the loss at this size and budget; I would not claim more.",
        "hurts": "It raises the loss at this size and budget, and I publish that as it is.",
        "too small to matter": "Whatever the difference is, it is too small to matter to me.",
        "cannot tell": "My runs cannot tell the two apart, and the post says what it would take.",
        "no verdict": "There is no verdict, and the post says why.",
    }
    return words.get(study.verdict, "") if study else ""


def _lead(record: Post) -> str:
    study = record.study
    if study is None or study.difference is None:
        return f"{record.title}."
    return (
        f"I put {record.variant} into a small GPT and trained it against the baseline, {study.n} seeds each: "
        f"{signed(study.difference)} nats, {_interval_words(study)}. {_verdict_words(study)}"
    )
