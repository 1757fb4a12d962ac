"""The result of blind tests in words."""

from __future__ import annotations

from collections.abc import Iterator

from q1lab.ground.text_formats import plural
from q1lab.index.store import Store
from q1lab.plugins.sample.blind_tests import BlindTest, read_tests, total
from q1lab.plugins.sample.hit_rate import BlindVerdict, HitRate
from q1lab.study.studies import Study

CONCLUSIONS = {
    BlindVerdict.CAN_TELL: "reading can tell the two models apart",
    BlindVerdict.CANNOT_TELL: "reading cannot tell the two models apart",
    BlindVerdict.SWAPPED: "reading tells the two models apart, and takes one for the other",
}


def test_line(test: BlindTest) -> str:
    """One test, in a line."""
    pairs = len(test.pairs)
    if test.unanswered:
        return f"test {test.number}, seed {test.seed}: {len(test.answers)} of {pairs} answered"
    return f"test {test.number}, seed {test.seed}: {test.hits} of {pairs} right"


def result_line(rate: HitRate) -> str:
    """The verdict of answers to pairs."""
    return f"{str(rate.verdict).upper()}: {share_text(rate)}; guessing gets 50%"


def rate_sentence(rate: HitRate) -> str:
    """The result in the first person, for the author's document."""
    return (
        "A sample is an anecdote, so I counted how often I was right: shown two passages from one "
        f"prompt, I picked the one that the modified model wrote {share_text(rate)}. Guessing gets "
        f"50%, so {CONCLUSIONS[rate.verdict]}."
    )


def facts(store: Store, study: Study) -> Iterator[str]:
    """The sentence that documents tell of a study: the result of its finished blind tests."""
    rate = total(read_tests(store, study))
    if rate is not None:
        yield rate_sentence(rate)


def share_text(rate: HitRate) -> str:
    """``14 times out of 20``, with the interval."""
    return (
        f"{plural(rate.hits, 'time')} out of {rate.n} ({rate.share:.0%}; 95% interval "
        f"{rate.low:.0%} to {rate.high:.0%})"
    )
