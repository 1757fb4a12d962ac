"""The checks on files that were written without looking at them: right ones in many styles pass,
wrong ones are caught, whichever check catches them."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import loading
from labs.checks import suite
from labs.checks.property_check import Result
from labs.checks.subject import Subject
from tests.labs.zoo import VARIANTS, Case
from tests.labs.zoo_right import OTHER_KINDS, RIGHT
from tests.labs.zoo_whole import WHOLE
from tests.labs.zoo_wrong import ALIBI, WRONG

pytestmark = [
    pytest.mark.sample(6),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),  # no_grad's
]


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
    checks_of_variant = [r for r in results if r.judged and r.name.startswith(case.variant + ":")]
    assert len(checks_of_variant) >= (0 if case.variant == "baseline" else 1)


@pytest.mark.parametrize(("variant", "text"), WHOLE.values(), ids=WHOLE)
def test_a_whole_file_of_another_style_passes(variant: str, text: str, tmp_path: Path) -> None:
    model = subject(text, tmp_path)
    results = list(suite.run_all(model, variant))
    assert [f"{r.name}: {r.seen}" for r in results if r.failed or r.warning] == []


@pytest.mark.parametrize(("words", "case"), OTHER_KINDS.items(), ids=OTHER_KINDS)
def test_a_right_file_of_another_kind_passes_and_is_called_so(
    words: str, case: Case, tmp_path: Path
) -> None:
    kinds = [r.seen for r in judged(case, tmp_path) if r.seen.startswith("another kind: ")]
    assert [words in seen for seen in kinds] == [True]


@pytest.mark.parametrize("case", WRONG, ids=name)
def test_the_first_message_about_a_wrong_file_does_not_mislead(case: Case, tmp_path: Path) -> None:
    """It names the mistake or shows a symptom of it, as the case declares, and speaks of no other
    property."""
    first, *others = (r for r in judged(case, tmp_path) if r.failed)
    assert case.says
    assert case.says in first.seen, f"misleads: {first.name}: {first.seen}"
    assert [r.name for r in others if not r.follows] == []  # one mistake, one report


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
    checks = {result.name: result for result in judged(RAW_KEYS, tmp_path)}
    attention = checks["attention"]
    assert not attention.judged
    assert "queries and keys" in attention.seen


def test_a_file_whose_weights_are_all_frozen_is_told_so(tmp_path: Path) -> None:
    frozen = """
make = GPT.__init__

def make_frozen(self, config):
    make(self, config)
    self.requires_grad_(False)

GPT.__init__ = make_frozen
"""
    model = subject(Case("as it is", "baseline").text() + frozen, tmp_path)
    failed = {r.name: r.seen for r in suite.run_all(model, "baseline") if r.failed}
    assert {*failed} == {"gradients"}
    assert failed["gradients"].startswith("tok.weight is frozen, and ")


INIT = "def __init__(self, config):\n        super().__init__()\n        self.config"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    n_head: int = 6\n", "", "GPTConfig has no field n_head: add it, as n_head: int = 1"),
        ("    n_head: int = 6\n", "    heads: int = 6\n", "no field n_head: rename the one that means it (heads), or add it, as n_head: int = 1"),
        ("return logits, F.cross", "return F.cross", "forward returned Tensor, not the pair"),
        ("logits = self.head(x)", "logits = F.pad(self.head(x), (0, 3))", "padded, return logits[..., :vocab_size]"),
        ("idx, targets=None)", "idx)", "forward(self, idx) can't be called as forward(idx, targets): give forward a second"),
        ("idx, targets=None)", "idx, *, targets=None)", "a second argument targets=None"),
        ("idx, targets=None)", "idx, cache=None)", "forward's second argument is cache, and is given targets: give forward a second"),
        ("idx, targets=None)", "idx, targets)", "can't be called as forward(idx): give targets the default None"),
        (INIT, INIT.replace("config)", "config, vocab)", 1), "GPT(config, vocab) can't be called as GPT(config)"),
        ("    n_head: int", "    d_ff: int = field(kw_only=True)\n    n_head: int", "GPTConfig needs d_ff"),
        ("bias: bool = False\n", "bias: bool = False\n    more: dict = field(default_factory={})\n", "TypeError: 'dict' object is not callable"),
        ("def forward(self, idx, targets=None)", "def predict(self, idx, targets=None)", "NotImplementedError"),
        (INIT, INIT.replace("self.config", "raise ValueError('odd')\n        self.config"), "ValueError: odd at mine.py:"),
        ("        B, T = idx.shape\n", "        raise ValueError('odd')\n", "ValueError: odd at mine.py:"),
        ("class GPT(nn.Module)", "class GPT", "at mine.py:"),
    ],
)  # fmt: skip
def test_a_file_of_another_interface_is_told_what_is_missing(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    text = (
        Case("as it is", "baseline").text().replace("import dataclass", "import dataclass, field")
    )
    assert old in text
    text = text.replace(old, new)
    results = list(suite.run_all(subject(text, tmp_path), "baseline"))
    assert [r.name for r in results] == ["interface"]  # nothing else could be told
    assert results[0].failed
    assert says in results[0].seen


def test_a_modification_that_no_check_could_judge_fails(tmp_path: Path) -> None:
    """Norms that are no modules, in front of logits that are not a product of two matrices."""
    norm = """
class Gain(nn.Module):
    def __init__(self, dim, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))


def unit(x, gain):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * gain.weight
"""
    text = Case("as it is", "rmsnorm", {"norm": norm}).text()
    text = text.replace("Norm(config.n_embd, config.bias)", "Gain(config.n_embd)")
    text = re.sub(r"self\.(norm\d?)\(x\)", r"unit(x, self.\1)", text)
    text = re.sub(r"self\.head\((.*)\)(, None)?$", r"((\1)[..., None, :] * self.head.weight).sum(-1)\2", text, flags=re.MULTILINE)  # fmt: skip
    results = {r.name: r for r in suite.run_all(subject(text, tmp_path), "rmsnorm")}
    checks_of_variant = [results[check.name] for check in suite.OWN["rmsnorm"].CHECKS]
    assert not any(r.judged for r in checks_of_variant)


def test_a_padded_vocabulary_whose_logits_are_cut_back_passes(tmp_path: Path) -> None:
    text = Case("as it is", "baseline").text()
    for old, new in (
        ("nn.Embedding(config.vocab_size,", "nn.Embedding(-(-config.vocab_size // 64) * 64,"),
        ("config.n_embd, config.vocab_size,", "config.n_embd, -(-config.vocab_size // 64) * 64,"),
        ("self.head(x)", "self.head(x)[..., : self.config.vocab_size]"),
        ("self.head(x[:, [-1], :])", "self.head(x[:, [-1], :])[..., : self.config.vocab_size]"),
        ("logits.view(-1", "logits.reshape(-1"),
    ):
        text = text.replace(old, new)
    results = [*suite.run_all(subject(text, tmp_path), "baseline")]
    assert [f"{r.name}: {r.seen}" for r in results if r.failed] == []


CHUNKS = """
        outs = []
        for n in range(0, T, 4):
            rows = q[:, :, n : n + 4] @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
            late = torch.arange(T) > torch.arange(n, n + rows.size(-2))[:, None]
            outs.append(rows.masked_fill(late, float("-inf")).softmax(-1) @ v)
        y = torch.cat(outs, dim=2)
"""
UNSEEN = [
    Case("a bias by distance in place of a rotation", "rope", {"rotate": "", "attend": ALIBI}),
    Case("values rotated, too, and a bias by distance", "rope", {
        "rotate": "        v, _ = rotate(v, self.cos[:T], self.sin[:T]), None\n", "attend": ALIBI}),
    Case("query chunks", "gqa", {"attend": CHUNKS}),
]  # fmt: skip


@pytest.mark.parametrize("case", UNSEEN, ids=name)
def test_a_modification_that_its_checks_can_not_see_does_not_pass(
    case: Case, tmp_path: Path
) -> None:
    results = list(judged(case, tmp_path))
    own = [r for r in results if r.name.startswith(f"{case.variant}: ")]
    assert any(r.failed or not r.judged for r in own), "it passes, as if it had been seen"


def cached(past: str, mask: str) -> Case:
    """RoPE whose blocks take the keys and values of the tokens before."""
    return Case(
        "a cache", "rope",
        {
            "rotate": f"""
        start = {past}
        cos, sin = self.cos[start : start + T], self.sin[start : start + T]
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if past_kv is not None:
            k, v = torch.cat([past_kv[0], k], 2), torch.cat([past_kv[1], v], 2)
""",
            "attend": f"""
        y = F.scaled_dot_product_attention(q, k, v, is_causal={mask})
""",
            "back": """
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.drop(self.proj(y)), (k, v)
""",
            "block": """
        y, kept = self.attn(self.norm1(x), past_kv)
        x = x + y
        x = x + self.ffn(self.norm2(x))
        return (x, kept) if use_cache else x
""",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("start", "seen"),
    [
        ("0 if past_kv is None else past_kv[0].size(2)", "3 modules: 11 tokens agree"),
        ("0", "do positions start again"),
    ],
)
@pytest.mark.parametrize("more", ["", ", x.mean()", ", (x.mean(), None)"])
def test_generation_with_a_cache_is_looked_at(
    start: str, seen: str, more: str, tmp_path: Path
) -> None:
    """Also where a loss of another kind is returned beside it, as a mixture of experts does."""
    text = cached(start, "past_kv is None").text()
    text = text.replace("return (x, kept) if", f"return (x, kept{more}) if")
    text = text.replace("def forward(self, x):\n        B, T, C", "def forward(self, x, past_kv=None):\n        B, T, C")  # fmt: skip
    text = text.replace("def forward(self, x):\n        y, kept", "def forward(self, x, past_kv=None, use_cache=False):\n        y, kept")  # fmt: skip
    results = {r.name: r for r in suite.run_all(subject(text, tmp_path), "rope")}
    assert [name for name, r in results.items() if r.failed] == (
        [] if "agree" in seen else ["generation with a cache"]
    )
    assert seen in results["generation with a cache"].seen


def test_a_norm_of_zeros_that_gives_nan_passes_with_a_warning(tmp_path: Path) -> None:
    case = Case("no eps", "rmsnorm", edits=(("norm", " + self.eps)", ")"),))
    (formula,) = (r for r in judged(case, tmp_path) if r.name == "rmsnorm: the formula")
    assert formula.passed
    assert formula.warning
    assert "NaN" in formula.seen
