"""The draft: words against budgets, claims against data, texts for the channels."""

from __future__ import annotations

import dataclasses
import functools
import re

import pytest

from q1lab.documents import channel_posts, modification, post, word_count
from q1lab.documents.claim_lint import decimals_in, lint_draft, numbers_in
from q1lab.documents.managed_regions import region_block
from q1lab.ground.errors import Problem
from q1lab.week.content import load_week
from q1lab.week.syllabus import Text
from tests.kit import document_records as records
from tests.kit.places import CONTENT

DRAFT = """# A title here

<!-- q1lab:budget 5 -->

## One

<!-- q1lab:budget 10 -->
<!-- a prompt of
several lines -->
Five words are right here. <!-- not this -->

```py
code is not read aloud
## nor is this a heading
```

| tables | neither |
|---|---|

## Two, with `a <!-- span -->`

![a picture](x.svg) See [the link text](https://example.org/a-b-c) and https://example.org now.
- don't count twenty-one as two
"""


def test_words_by_section() -> None:
    sections = word_count.draft_sections(DRAFT)
    assert [(item.title, item.words, item.budget, item.state) for item in sections] == [
        ("One", 5, 10, "short"),
        ("Two, with `a <!-- span -->`", 11, None, ""),
    ]


def test_crlf_does_not_matter() -> None:
    windows = DRAFT.replace("\n", "\r\n")
    assert [i.words for i in word_count.draft_sections(windows)] == [
        i.words for i in word_count.draft_sections(DRAFT)
    ]


@functools.cache
def known_numbers() -> list[float]:
    return numbers_in(records.comparison("cannot tell"))


def findings(
    text: str, verdict: str = "cannot tell", section: str = "The experiment"
) -> list[tuple[int, str]]:
    claims = lint_draft(f"## {section}\n\n{text}\n".encode(), verdict, known_numbers())
    return [(item.line - 2, item.kind) for item in claims]


@pytest.mark.parametrize(
    "text",
    [
        "RoPE improves the loss.",
        "The modified model outperforms the baseline.",
        "It is better.",
        "We see an improvement.",
        "RoPE beats\nthe baseline.",
    ],
)
def test_claims_need_the_verdict(text: str) -> None:
    assert [kind for _, kind in findings(text)] == ["claim"]
    assert findings(text, "helps") == []


@pytest.mark.parametrize(
    "text",
    [
        "I cannot say that it improves anything.",
        "It is not better.",
        "I asked whether it improves the loss.",
        "The paper claims that it outperforms BERT.",
        "`improves` is a word.",
        "<!-- it improves -->",
        "```\nit improves\n```",
    ],
)
def test_what_claims_nothing_is_not_flagged(text: str) -> None:
    assert findings(text) == []


def test_elsewhere_better_may_be_about_something_else() -> None:
    assert findings("I slept better.", section="Where I started") == []
    assert [kind for _, kind in findings("My model got better.", section="Where I started")] == [
        "claim"
    ]


def test_no_effect_is_a_claim_too() -> None:
    assert [kind for _, kind in findings("RoPE has no effect.")] == ["claim"]
    assert findings("RoPE has no effect.", "too small to matter") == []
    assert findings("That is not the same as no effect.") == []
    assert [kind for _, kind in findings("RoPE hurts.")] == ["claim"]
    assert findings("RoPE hurts.", "hurts") == []
    assert [kind for _, kind in findings("The difference is significant.", "helps")] == ["claim"]


def test_numbers_must_come_from_the_runs() -> None:
    assert findings("The loss fell from 1.4710 to 1.4617, by 0.0093 or 0.6%.") == []
    assert findings("The difference is −0.009 nats at 95% (α = 0.05).") == []
    assert findings("It fell to 1.3999.") == [(1, "number")]
    assert findings("A drop of 12.5%.") == [(1, "number")]
    assert findings("See arXiv 2104.09864, section 3.1, torch 2.9.") == []
    assert findings("The paper (arXiv 2305.13245) has 47.1\nwhere the full one scores 47.2.") == []
    assert findings("It rose by +0.0093 nats.") == [(1, "number")]


def test_lines_are_named() -> None:
    claims = lint_draft(b"# T\r\n\r\n## The experiment\r\n\r\nA line.\r\nIt improves.\r\n", "", [])
    assert [(claim.line, claim.kind) for claim in claims] == [(6, "claim")]
    assert "“improves”" in claims[0].message


def test_what_q1lab_wrote_is_passed_over_until_it_is_edited() -> None:
    draft = "## The experiment\n\n" + region_block("result", "It improves by 9.999.")
    assert lint_draft(draft.encode(), "", []) == []
    edited = draft.replace("by 9.999", "by 8.888")
    assert {item.kind for item in lint_draft(edited.encode(), "", [])} == {"claim", "number"}


@pytest.mark.parametrize("outcome", ["helps", "hurts", "too small to matter", "diverged", None])
def test_the_shipped_draft_passes_its_own_lint_with_the_marks_taken_out(
    outcome: str | None,
) -> None:
    """The wording that q1lab proposes must not claim what it flags in others."""
    record = records.post_record(outcome)
    text = "\n".join(
        line for line in post.post_document(record).text.split("\n") if "q1lab:begin" not in line
    )
    text = "\n".join(line for line in text.split("\n") if "q1lab:end" not in line)
    measured = numbers_in(records.comparison(outcome)) if outcome else []
    measured += [*numbers_in(records.PREDICTION), 74.2]
    told = modification.modification_document(record.modification)
    measured += decimals_in(told.text)  # as for a learner's draft
    assert lint_draft(text.encode(), record.verdict, measured) == []


def test_a_post_without_a_verdict_says_so_before_it_says_that_every_run_is_shown() -> None:
    """After a small try the section began with "I show every run all the same"."""
    section = post.post_document(records.post_record("no verdict")).text
    section = section.split("### What this shows", 1)[1]
    claims, shows = (section.index(words) for words in ("no verdict on these runs", "every run"))
    assert claims < shows


@pytest.mark.parametrize("channel", channel_posts.LIMITS)
def test_channel_texts_keep_their_limits(channel: str) -> None:
    url = "https://example.org/" + "long/" * 30
    for outcome, title in (
        ("helps", "A title with far too many words " * 20),
        (None, "x" * 500),
        ("diverged", "{{ evil }} <b> *stars*"),
    ):
        record = dataclasses.replace(records.post_record(outcome), title=title)
        text = channel_posts.channel_text(channel, record, url)
        assert text.length <= text.limit
        assert url in text.text
        if title.startswith("{{") and channel in ("hn", "r-machinelearning"):
            assert title in text.text


def test_the_texts_say_the_result_where_readers_expect_it() -> None:
    """And nothing of what the post does not have: the command to run it again is not in it."""
    record = records.post_record("helps")
    url = "https://example.org"
    text = {
        name: channel_posts.channel_text(name, record, url).text for name in channel_posts.LIMITS
    }
    title = text["r-machinelearning"].split("\n")[0]
    assert "RoPE's val loss is 0.0266 to 0.0315 nats below" in title
    assert SETTING in text["r-localllama"].split("\n")[0]
    assert not any("q1lab run" in channel_text for channel_text in text.values())


SETTING = "baseline 804k and RoPE 796k parameters, 3 pairs"
FINDINGS = {
    "helps": ("mean −0.0291 nats", "0.0266 to 0.0315 nats below the baseline's (95% interval)"),
    "cannot tell": ("mean −0.009 nats", "could be −0.033 to +0.015 nats (95% interval)"),
}


@pytest.mark.parametrize("outcome", ["helps", "cannot tell"])
def test_a_result_that_goes_out_has_its_mean_its_interval_and_its_setting(outcome: str) -> None:
    """“On average, rope ended 0.0266 to 0.0315 nats lower (95% interval)” was all that X got."""
    record, url = records.post_record(outcome), "https://example.org"
    on_x = channel_posts.channel_text("x", record, url).text
    title = channel_posts.channel_text("r-machinelearning", record, url).text.split("\n")[0]
    for text in (on_x, title):
        assert all(part in text for part in FINDINGS[outcome])
        assert "3 pairs" in text
        assert "after 2,000 iters on Tiny Shakespeare" in text
        assert "…" not in text
    for channel in ("r-machinelearning", "r-localllama", "linkedin"):
        body = channel_posts.channel_text(channel, record, url).text
        assert FINDINGS[outcome][1] in body.partition("\n")[2]
        assert (
            "This holds after 2,000 iters on Tiny Shakespeare; other settings may differ." in body
        )
        assert re.search(r"\brope\b", body) is None
        assert "led there" not in body


def test_a_text_without_a_verdict_makes_no_claim() -> None:
    for outcome in ("diverged", "no verdict"):
        text = channel_posts.channel_text("x", records.post_record(outcome), "https://a.org").text
        assert text == "Twelve weeks from no backprop to a modified transformer. https://a.org"


def test_an_unknown_channel() -> None:
    with pytest.raises(Problem, match="there is one for hn"):
        channel_posts.channel_text("myspace", records.post_record(None), "https://example.org")


def test_answers_in_the_draft_are_read_like_the_rest_of_it() -> None:
    text = region_block("surprises", "RoPE beats the baseline in every run.") + region_block(
        "honest", "The baseline beats nothing."
    )
    claims = lint_draft(text.encode(), "cannot tell", [])
    assert [(item.line, item.kind) for item in claims] == [(2, "claim")]


@pytest.mark.parametrize("course", [True, False])
def test_the_budgets_are_the_length_that_the_week_names(course: bool) -> None:
    draft = post.post_document(dataclasses.replace(records.post_record(None), course=course))
    assert sum(section.budget or 0 for section in word_count.draft_sections(draft.text)) == 3000
    overview = "".join(
        section.markdown
        for section in load_week(CONTENT, course=course).overview
        if isinstance(section, Text)
    )
    assert "about 3,000 words" in overview
