"""The checks on files that were written without looking at them: right ones in many styles pass,
wrong ones are caught, whichever check catches them."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import loading
from labs.checks import suite
from labs.checks.check import Result
from labs.checks.probe import Subject
from tests.labs.zoo import VARIANTS, Case
from tests.labs.zoo_right import RIGHT
from tests.labs.zoo_whole import WHOLE
from tests.labs.zoo_wrong import WRONG


def subject(text: str, tmp_path: Path) -> Subject:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return Subject(loading.load(path), path)


def judged(case: Case, tmp_path: Path) -> Iterator[Result]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield from suite.run_all(subject(case.text(), tmp_path), case.variant)


def name(case: Case) -> str:
    return f"{case.variant}: {case.name}"


@pytest.mark.parametrize("case", [*(Case("as it is", v) for v in VARIANTS), *RIGHT], ids=name)
def test_a_right_file_passes(case: Case, tmp_path: Path) -> None:
    results = list(judged(case, tmp_path))
    assert [f"{r.name}: {r.seen}" for r in results if r.failed] == []
    own = [r for r in results if r.judged and r.name.startswith(case.variant + ":")]
    assert len(own) >= (0 if case.variant == "baseline" else 1)


@pytest.mark.parametrize(("variant", "text"), WHOLE.values(), ids=WHOLE)
def test_a_whole_file_of_another_style_passes(variant: str, text: str, tmp_path: Path) -> None:
    one = subject(text, tmp_path)
    results = list(suite.run_all(one, variant))
    assert [f"{r.name}: {r.seen}" for r in results if r.failed or r.warning] == []
    assert suite.guess(one) == variant


@pytest.mark.parametrize("case", WRONG, ids=name)
def test_the_first_message_about_a_wrong_file_does_not_mislead(case: Case, tmp_path: Path) -> None:
    """It names the mistake or shows a symptom of it, as the case declares, and speaks of no other
    property."""
    first = next(result for result in judged(case, tmp_path) if result.failed)
    assert case.says
    assert case.says in first.seen, f"misleads: {first.name}: {first.seen}"


def test_so_many_messages_name_the_mistake() -> None:
    kinds = Counter("symptom" if case.symptom else "names" for case in WRONG)
    assert kinds == {"names": 118, "symptom": 34}


MIXED = (
    "over time",
    "over time and features",
    "plain functions, over time",
    "the heads split along time",
)


@pytest.mark.parametrize("case", [c for c in WRONG if c.name in MIXED], ids=name)
def test_tokens_that_something_else_mixes_are_not_laid_to_the_mask(
    case: Case, tmp_path: Path
) -> None:
    first = next(result for result in judged(case, tmp_path) if result.failed)
    assert first.name == "causality"
    assert "does a norm over time or a wrong view mix tokens?" in first.seen


def test_there_are_enough_of_each() -> None:
    right, wrong = (Counter(case.variant for case in cases) for cases in (RIGHT, WRONG))
    assert sum(right.values()) >= 25
    assert sum(wrong.values()) >= 80
    assert all(right[v] >= 4 and wrong[v] >= 15 for v in VARIANTS)


RAW_KEYS = Case(
    "keys that are not projected",
    "baseline",
    {
        "attn_init": """
        self.qv = nn.Linear(config.n_embd, 2 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
""",
        "heads": """
        q, v = self.qv(x).chunk(2, dim=-1)
        q, k, v = (t.view(B, T, self.n_head, self.head_dim).transpose(1, 2) for t in (q, x, v))
""",
    },
)


def test_an_attention_of_another_kind_is_not_judged_and_so_not_passed(tmp_path: Path) -> None:
    found = {result.name: result for result in judged(RAW_KEYS, tmp_path)}
    attention = found["attention"]
    assert not attention.judged
    assert "queries and keys" in attention.seen


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    n_head: int = 6\n", "", "GPTConfig has no field n_head"),
        ("return logits, F.cross", "return F.cross", "forward returned Tensor, not the pair"),
    ],
)
def test_a_file_of_another_interface_is_told_what_is_missing(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    text = Case("as it is", "baseline").text()
    assert old in text
    text = text.replace(old, new)
    first = next(r for r in suite.run_all(subject(text, tmp_path), "baseline") if r.failed)
    assert first.name == "interface"
    assert says in first.seen
