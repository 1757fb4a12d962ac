"""A blind test as one HTML page for others: pairs of passages, a score, a line to copy.

Nothing is loaded and nothing is sent. All results are in the page, worded as the terminal's blind
test words them; the script only counts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import read_text
from q1lab.ground.text_formats import signed
from q1lab.judgment.label_text import short_name
from q1lab.plugins.sample.blind_text import CONCLUSIONS, result_line, share_text
from q1lab.plugins.sample.hit_rate import hit_rate

if TYPE_CHECKING:
    from q1lab.plugins.sample.blind_tests import BlindTest
    from q1lab.study.studies import Study

MOST_BYTES = 200_000
FIRST_PASSAGE = 2_000_001
"""The number of a page's first passage: the tests in the terminal have others."""
TITLE = "How many nats can you hear?"


def blind_page(study: Study, test: BlindTest, losses: tuple[float, float] | None) -> bytes:
    """The page of a test. ``losses`` are the final val losses of its baseline and its modified
    model, told after the last answer. Problem where it is larger than MOST_BYTES."""
    modified, baseline = short_name(study.variant), short_name(study.baseline)
    record = json.dumps(_record(study, test, losses), ensure_ascii=False)
    question = (
        "Two small language models continued the same text with the same random numbers: "
        f"{baseline}, and {modified}, a changed version of it. Which passage did {modified} "
        f"write? You are asked {len(test.pairs)} times; the score comes at the end."
    )
    style, script = _file("css"), _file("js")
    page = Template(_file("html")).substitute(
        title=TITLE,
        question=escape(question),
        policy=_policy(style, script),
        style=style,
        script=script,
        record=record.replace("<", "\\u003c"),
    )
    data = f"{page}\n".encode()
    if len(data) > MOST_BYTES:
        raise Problem(
            f"the page would be {len(data) // 1000:,} kB; the most is {MOST_BYTES // 1000:,} kB",
            FAILED,
            next="shorter passages (--tokens) make it smaller",
        )
    return data


def _record(study: Study, test: BlindTest, losses: tuple[float, float] | None) -> dict[str, Any]:
    """The record that the script reads. ``code`` holds the answers, where no glance finds them."""
    count = len(test.pairs)
    texts = [(test.pairs[pair].prompt, *test.passages(pair)) for pair in range(count)]
    rates = [hit_rate(hits, count) for hits in range(count + 1)]
    notes = _told(study, test, losses)
    arms = f"{short_name(study.variant)} against {short_name(study.baseline)}"
    return {
        "pairs": texts,
        "code": "".join(_code(test.place_of_modified(pair)) for pair in range(count)),
        "results": [
            f"{result_line(rate)}, so {CONCLUSIONS[rate.verdict]}. {notes}".strip()
            for rate in rates
        ],
        "lines": [
            f"{TITLE} {arms}, blind: right {share_text(rate)}, so {rate.verdict}. {notes}".strip()
            for rate in rates
        ],
    }


def _code(place: int) -> str:
    """Four hexadecimal digits: an even number where the modified model's passage is the first."""
    return f"{2 * secrets.randbelow(1 << 15) + place - 1:04x}"


def _told(study: Study, test: BlindTest, losses: tuple[float, float] | None) -> str:
    if losses is None:
        return ""
    metric, (base, modified) = study.metric, losses
    return (
        f"{metric.name.capitalize()}: {short_name(study.baseline)} {metric.written(base)}, "
        f"{short_name(study.variant)} {metric.written(modified)}{metric.suffix}, a difference of "
        f"{signed(modified - base)} (seed {test.seed})."
    )


@cache
def _file(suffix: str) -> str:
    return read_text(Path(__file__).with_suffix(f".{suffix}")).strip()


def _policy(style: str, script: str) -> str:
    """The content security policy: the page's own style and script, and nothing from elsewhere."""
    own_style, own_script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{own_style}'; script-src 'sha256-{own_script}'; "
        "base-uri 'none'; form-action 'none'"
    )
