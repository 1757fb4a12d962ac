"""The retrospective post: the draft, its word budgets, and texts for the channels. Pure functions.

A draft is Markdown. Its sections are the ``##`` headings; ``<!-- q1lab:budget 300 -->`` below one
is its budget in words. Comments never reach the reader. What stands between region marks is filled
from the runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.facts import StudyFacts
from q1lab.documents.modification import Answer, Prediction
from q1lab.documents.templates import Rendered, render
from q1lab.errors import Problem
from q1lab.journal.predictions import signed

TEMPLATE = "post.md.j2"
WORDS_PER_MINUTE = 150
"""Reading aloud."""
WITHIN = 0.15
"""A section is on budget within this share of it."""
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
class Post:
    """Everything that the draft is made of."""

    title: str
    variant: str
    variant_title: str
    study: StudyFacts | None = None
    verdict: str = ""
    prediction: Prediction | None = None
    diff: str = ""
    diff_lines: Mapping[str, int] | None = None
    figure: str | None = None
    hook: str = ""
    surprises: tuple[Answer, ...] = ()
    plan: tuple[Answer, ...] = ()
    outline: tuple[Answer, ...] = ()

    @property
    def outline_comment(self) -> str:
        """The outline as the body of a comment: what would end the comment is disarmed."""
        from q1lab.documents.markdown import Md

        text = "\n\n".join(item.text for item in self.outline)
        return Md(text.replace("--", "—").replace("<!", "<").replace("q1lab:", "q1lab "))


def document(record: Post, root: Path | None = None) -> Rendered:
    """The draft and its regions."""
    values = {**{name: getattr(record, name) for name in record.__dataclass_fields__}}
    values["outline_comment"] = record.outline_comment
    values["figure"] = _figure(record.figure)
    return render(TEMPLATE, values, root)


def _figure(path: str | None) -> str | None:
    from q1lab.documents.markdown import Md

    return None if path is None else Md(f"<{path}>" if re.search(r"[\s()]", path) else path)


# ── words
# ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Section:
    """A section of the draft: ``words`` of prose, ``budget`` from its mark (None without), ``line`` from
    1."""

    title: str
    line: int
    words: int
    budget: int | None

    @property
    def state(self) -> str:
        """``empty``, ``short``, ``long`` or ``ok``; ``""`` without a budget."""
        if self.budget is None:
            return ""
        if not self.words:
            return "empty"
        if self.words < self.budget * (1 - WITHIN):
            return "short"
        return "long" if self.words > self.budget * (1 + WITHIN) else "ok"


_BUDGET = re.compile(r"<!--\s*q1lab:budget\s+(\d+)\s*-->")
_WORD = re.compile(r"[^\W_]+(?:['’.,\-/][^\W_]+)*")


def sections(text: str) -> list[Section]:
    """The sections with their words. Code blocks, tables, comments, addresses and marks are not
    read aloud."""
    found: list[Section] = []
    title, start, budget, words = "", 1, None, 0
    for number, kind, line in lines(text):
        if kind == "heading" and line.startswith("## "):
            if title or words:
                found.append(Section(title or "(before the first heading)", start, words, budget))
            title, start, budget, words = line[3:].strip(), number, None, 0
            continue
        if kind == "comment":
            mark = _BUDGET.search(line)
            if mark:
                budget = int(mark[1])
            continue
        if kind in ("text", "heading") and not (kind == "heading" and line.startswith("# ")):
            words += count_words(line)
    if title or words:
        found.append(Section(title or "(before the first heading)", start, words, budget))
    return found


def count_words(line: str) -> int:
    """Words as they are read aloud: link addresses and image targets are not."""
    line = re.sub(r"!\[([^\]]*)\]\([^)]*\)", "", line)
    line = re.sub(r"\]\(<?[^)>]*>?\)", "]", line)
    line = re.sub(r"<?https?://\S+", "", line)
    return len(_WORD.findall(line))


def lines(text: str) -> Iterator[tuple[int, str, str]]:
    """(number from 1, kind, line) with kind ``text``, ``heading``, ``code``, ``table`` or
    ``comment``.

    A comment that begins in mid-line is cut out of its line; inside code it is code.
    """
    fence, in_comment = "", False
    for number, line in enumerate(split_lines(text), 1):
        if in_comment:
            head, closed, tail = line.partition("-->")
            yield number, "comment", head
            in_comment = not closed
            line = tail
            if not line.strip():
                continue
        match = re.match(r" {0,3}(`{3,}|~{3,})(.*)", line)
        if fence:
            yield number, "code", line
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            continue
        if match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            yield number, "code", line
            continue
        kept, comments, in_comment = _cut_comments(line)
        for comment in comments:
            yield number, "comment", comment
        if comments and not kept.strip():
            continue
        if re.match(r" {0,3}#{1,6}(\s|$)", kept):
            yield number, "heading", kept.strip()
        elif kept.lstrip().startswith("|"):
            yield number, "table", kept
        else:
            yield number, "text", kept


def split_lines(text: str) -> list[str]:
    """Lines as an editor counts them: a form feed or a Unicode separator ends none."""
    return re.split(r"\r\n|\n|\r", text)


def _cut_comments(line: str) -> tuple[str, list[str], bool]:
    """(the line without its comments, the comments, whether the last one goes on in the next
    line)."""
    kept = ""
    comments: list[str] = []
    while True:
        # A comment inside a code span is code: skip spans first.
        match = re.search(r"(`+)(?:(?!\1).)+\1|<!--", line)
        if match is None:
            return kept + line, comments, False
        if match[0] != "<!--":
            kept += line[: match.end()]
            line = line[match.end() :]
            continue
        kept += line[: match.start()]
        end = line.find("-->", match.start())
        if end < 0:
            return kept, [*comments, line[match.start() :]], True
        comments.append(line[match.start() : end + 3])
        line = line[end + 3 :]


# ── channels
# ─────────────────────────────────────────────────────────────────────────────────────────────


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
