"""The claim lint of a draft: words that the data do not support, and numbers that no run produced.

Pure: a text and the known numbers in, findings out. It reminds, and stops nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from q1lab.compare.comparison import Comparison, comparison_json
from q1lab.documents import managed_regions
from q1lab.documents.word_count import lines_by_kind
from q1lab.judgment import arrange
from q1lab.judgment.metric import VAL_LOSS
from q1lab.judgment.prediction_score import predicted_difference
from q1lab.study import variants

_BETTER = (
    r"improv(?:e|es|ed|ing|ements?)|outperform(?:s|ed|ing)?|better|best|beat(?:s|en|ing)?|superior|"
    r"wins?|won|boost(?:s|ed|ing)?|surpass(?:es|ed|ing)?|helps|state[- ]of[- ]the[- ]art"
)
_WORSE = r"worse|worst|hurts?|harm(?:s|ed|ful)|degrad(?:e|es|ed|ing|ation)|inferior"
_NOTHING = (
    r"no (?:effect|difference|impact|change|gain|benefit)|(?:makes?|made) no difference|identical|"
    r"equivalent|does nothing|did nothing"
)
_PROOF = r"prov(?:e|es|ed|en)|proof|significant(?:ly)?|clearly|dramatic(?:ally)?|huge(?:ly)?"

# A claim word counts where the sentence is about the experiment; elsewhere "better" may be about
# sleep.
_ABOUT = (
    r"\b(?:loss(?:es)?|val(?:idation)?|modified|modification|variant|models?|transformers?|seeds?|runs?|nats|"
    r"perplexity|rotary|layernorm|attention)\b"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|can't|isn't|doesn't|didn't|don't|wasn't|won't|if|whether|would|could|"
    r"might|may|should|unclear|expect(?:ed)?|predict(?:ed)?|hop(?:e|ed|ing)|claim(?:s|ed)?|asks?|question)\b"
    r"(?:\W+\w+){0,6}\W*\Z",
    re.IGNORECASE,
)
_NOT_NOTHING = re.compile(r"\bnot\b[^.]{0,30}\Z", re.IGNORECASE)
_DIRECTION = re.compile(r"\b(?:lower|smaller|less|higher|more)(?: is|:| =)\s*\Z", re.IGNORECASE)
"""``lower is better`` says how to read a number, and claims nothing."""
_NUMBER = re.compile(r"(?<![\w.,])([+−-]?\d[\d,]*\.\d+)(\s?%)?(?!\.?\d|\w)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"“*\[])")
_NOT_OURS = re.compile(
    r"doi|v\d|version|section|chapter|rung|equation|eq\.|figure|table \d|python|torch", re.I
)
ANSWERS = ("surprises",)
"""Regions of the draft that hold the learner's own words."""
CONSTANTS = (0.05, 0.025, 0.95, 0.975, 0.8, 0.5, 0.25, 95.0, 97.5, 80.0, 4.1744, 98.75, 1.96, 4.303)
"""Numbers of the method itself: levels, power, the factors of an interval, and the loss of a
uniform guess over 65 characters, ln 65."""


@dataclass(frozen=True, order=True)
class ClaimFinding:
    """``line`` is from 1. ``kind``: claim, number."""

    line: int
    kind: str
    message: str


def lint_draft(
    data: bytes,
    verdict: str,
    known_numbers: Iterable[float],
    *,
    metric: str = VAL_LOSS.name,
    where: str = "the draft",
) -> list[ClaimFinding]:
    """Everything in a draft that the data do not support, in line order.

    ``verdict`` is the study's ("" before one), ``known_numbers`` those that are in the store,
    ``metric`` the name of the metric. Text that q1lab wrote itself and that is unchanged is passed
    over. Sections whose title has the word experiment are read strictly.
    """
    numbers = list(filter(math.isfinite, known_numbers))
    text = data.decode(errors="replace")
    ours = _lines_by_q1lab(data, where)
    paragraphs = _paragraphs(text, ours)
    findings: list[ClaimFinding] = []
    names = "|".join(variants.variant_names())
    about = re.compile(rf"{_ABOUT}|\b(?:{names})\b|{re.escape(metric)}", re.IGNORECASE)
    for paragraph in paragraphs:
        strict = "experiment" in paragraph.section.lower()
        findings += _claims(paragraph, verdict, strict, about)
        if "arxiv" not in paragraph.text.lower():  # else the numbers are a paper's
            findings += _numbers(paragraph, numbers, strict, about)
    return sorted(set(findings))


def decimals_in(text: str) -> list[float]:
    """The decimal numbers that a text states."""
    found = (match[1].replace(",", "").replace("−", "-") for match in _NUMBER.finditer(text))
    return list(map(float, found))


def numbers_in(value: Any) -> list[float]:
    """All numbers in a record, however deep, with those that follow from it: differences in
    percent, and the like."""
    match value:
        case bool() | str() | bytes():
            return []
        case int() | float():
            return [float(value)]
        case Comparison():
            off = value.score.off if value.score is not None else None
            return numbers_in([comparison_json(value), off])
        case Mapping():
            arms = value.get("arms")
            are_two = isinstance(arms, Mapping) and len(arms) == 2
            derived = _derived(*value["arms"].values()) if are_two else []
            predicted = predicted_difference(value) if "direction" in value else None
            return numbers_in([*value.values(), *derived, predicted])
        case Sequence():
            return [number for item in value for number in numbers_in(item)]
    return []


def _derived(*arms: Any) -> list[float]:
    """Changes in percent between the arms, perplexities, and sizes in millions."""
    derived: list[float] = []
    for key in ("mean", *arrange.COSTS):
        values = [arm.get(key) for arm in arms if isinstance(arm, Mapping)]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if len(numbers) == 2 and numbers[0]:
            derived.append(100 * (numbers[1] / numbers[0] - 1))
        for number in numbers:
            derived += [number / 1e3, number / 1e6, number / 60]
            if key == "mean" and number < 50:
                derived.append(math.exp(number))
    return derived


@dataclass(frozen=True)
class _Paragraph:
    section: str
    lines: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        return " ".join(line for _, line in self.lines)

    def line_at(self, position: int) -> int:
        for number, line in self.lines:
            if position <= len(line):
                return number
            position -= len(line) + 1
        return self.lines[-1][0]


def _lines_by_q1lab(data: bytes, where: str) -> set[int]:
    """The numbers of the lines in q1lab's own words: those inside regions that are as it wrote
    them."""
    ours: set[int] = set()
    for region in managed_regions.find_regions(data, where):
        if not region.edited and region.name not in ANSWERS:
            ours |= set(range(region.line, region.line + len(region.body.splitlines()) + 2))
    return ours


def _paragraphs(text: str, ours: set[int]) -> list[_Paragraph]:
    paragraphs: list[_Paragraph] = []
    section = ""
    current: list[tuple[int, str]] = []
    previous = 0

    def flush() -> None:
        if current:
            paragraphs.append(_Paragraph(section, tuple(current)))
            current.clear()

    for number, kind, line in lines_by_kind(text):
        if kind == "heading":
            flush()
            if line.startswith("## ") or line.startswith("# "):
                section = line.lstrip("# ")
        elif kind in ("text", "table") and line.strip() and number not in ours:
            if (
                number > previous + 1
                or re.match(r"\s*(?:[-*+]|\d+[.)])\s", line)
                or kind == "table"
            ):
                flush()
            # Code spans and addresses hold no claims; blanks keep the columns.
            current.append(
                (number, re.sub(r"`[^`]{0,1999}`|\]\([^)]{0,1999}\)|https?://\S+", _blank, line))
            )
        elif kind != "comment":
            flush()
        previous = number
    flush()
    return paragraphs


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _claims(
    paragraph: _Paragraph, verdict: str, strict: bool, about: re.Pattern[str]
) -> list[ClaimFinding]:
    result = f"but the verdict is {verdict.upper()}" if verdict else "but no study has finished"
    groups = [
        (_BETTER, verdict == "helps", f"says that it helps, {result}"),
        (_WORSE, verdict == "hurts", f"says that it hurts, {result}"),
        (_NOTHING, verdict == "too small to matter", f"says that there is no difference, {result}"),
        (_PROOF, False, "says more than an interval can: name the interval instead"),
    ]
    findings = []
    position = 0
    for sentence in _SENTENCE.split(paragraph.text):
        start = paragraph.text.index(sentence, position)
        position = start + len(sentence)
        if not strict and not about.search(sentence):
            continue
        for words, supported, says in groups:
            if supported:
                continue
            for match in re.finditer(rf"\b(?:{words})\b", sentence, re.IGNORECASE):
                before = sentence[: match.start()]
                if words == _BETTER and _DIRECTION.search(before):
                    continue
                if (_NOT_NOTHING if words == _NOTHING else _NEGATION).search(before):
                    continue
                message = f"“{match[0]}” {says}"
                findings.append(
                    ClaimFinding(paragraph.line_at(start + match.start()), "claim", message)
                )
    return findings


def _numbers(
    paragraph: _Paragraph, known_numbers: Sequence[float], strict: bool, about: re.Pattern[str]
) -> list[ClaimFinding]:
    findings = []
    text = paragraph.text
    for match in _NUMBER.finditer(text):
        if _is_known(match, known_numbers):
            continue
        before = text[max(0, match.start() - 24) : match.start()]
        around = text[max(0, match.start() - 90) : match.end() + 60]
        if _NOT_OURS.search(before) or not (strict or about.search(around)):
            continue
        findings.append(
            ClaimFinding(
                paragraph.line_at(match.start()),
                "number",
                f"{match[0].strip()} is not among the numbers of your runs and of MODIFICATION.md",
            )
        )
    return findings


def _is_known(match: re.Match[str], known_numbers: Sequence[float]) -> bool:
    """True if some known number rounds to this one, with its sign where it has one; without, the
    words around it may say which way."""
    (value,) = decimals_in(match[1])
    signed = match[1][0] in "+−-"
    slack = 0.5 * 10.0 ** -len(match[1].split(".")[1]) * 1.0001
    for number in (*known_numbers, *CONSTANTS):
        for candidate in (number, 100 * number) if match[2] else (number,):
            if abs(abs(candidate) - abs(value)) <= slack and (not signed or candidate * value >= 0):
                return True
    return False
