"""The property checks on edits of labs/models: mistakes and styles that no file of the zoo shows, each
told by one check alone."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labs import loading, probe
from labs.checks import suite
from labs.checks.property_check import Result
from labs.checks.subject import Subject
from tests.kit.places import MODELS

pytestmark = pytest.mark.sample(6)

Edits = list[tuple[str, str]]


def edited(variant: str, edits: Edits) -> str:
    text = (MODELS / f"{variant}.py").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, f"{variant}.py no longer has: {old}"
        text = text.replace(old, new)
    return text


def results(text: str, for_: str, tmp_path: Path, only: str = "") -> list[Result]:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        subject = Subject(loading.load(path), path)
        if only:
            return [
                r
                for c in suite.checks_for(for_)
                if c.name == only and (r := suite.run_check(c, subject))
            ]
        return list(suite.run_all(subject, for_))


# ── edits that several cases share

ATTENTION = "        y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)  # (B, H, T, D)\n"
BY_HAND = """        scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1), float("-inf"))
        y = F.dropout(F.softmax(scores, dim=-1), drop, self.training) @ v
"""
UNSEEN = """        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.size(-1))
        scores = scores.exp() * torch.ones(T, T, device=x.device).tril()  # no softmax to look at
        y = torch.einsum("bhij,bhjd->bhid", scores / scores.sum(-1, keepdim=True), v)
"""
TURN = "        q, k = apply_rotary_emb(q, k, self.freqs_cis)\n"
PAIRS = "    pairs = (torch.view_as_complex(x.float().unflatten(-1, (-1, 2))) for x in (xq, xk))\n"
BACK = "    xq_out, xk_out = (torch.view_as_real(p * rotations).flatten(-2) for p in pairs)  # (B, T, H, D)\n"
RETURN = "    return xq_out.type_as(xq), xk_out.type_as(xk)\n"
HALVES = """    cos, sin = rotations.real.repeat(1, 1, 2), rotations.imag.repeat(1, 1, 2)

    def rotated(x):
        a, b = x.float().chunk(2, dim=-1)
        return (x.float() * cos + torch.cat([-b, a], dim=-1) * sin).type_as(x)

    return rotated(xq), rotated(xk)
"""
REPEAT = (
    "        k, v = (t.repeat_interleave(self.n_head // self.n_kv_head, dim=2) for t in (k, v))\n"
)

FUNCTION = [
    ("class RMSNorm(nn.Module):", """def rms_norm(x: Tensor, w: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * RETURN


class Unused(nn.Module):"""),
    ("RMSNorm(config.n_embd)", "Gain(config.n_embd)"),
    ("class CausalSelfAttention", """class Gain(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class CausalSelfAttention"""),
    ("self.attn(self.ln_1(x))", "self.attn(rms_norm(x, self.ln_1.weight))"),
    ("self.mlp(self.ln_2(x))", "self.mlp(rms_norm(x, self.ln_2.weight))"),
    ("self.transformer.ln_f(x)", "rms_norm(x, self.transformer.ln_f.weight)"),
]  # fmt: skip


@dataclass(frozen=True)
class Edited:
    name: str
    variant: str
    edits: Edits
    check: str
    words: str  # in what that check saw

    def text(self) -> str:
        return edited(self.variant, self.edits)


WRONG = [
    Edited("rotated before the split into heads, halves", "rope",
           [("precompute_freqs_cis(config.n_embd // config.n_head,", "precompute_freqs_cis(config.n_embd,"),
            (PAIRS, ""), (BACK, ""), (RETURN, HALVES),
            (TURN, "        q, k = (t.reshape(B, T, 1, C) for t in (q, k))\n" + TURN
             + "        q, k = (t.reshape(B, T, self.n_head, -1) for t in (q, k))\n")],
           "rope: relative position", "within one head"),
    Edited("the learned table stays", "rope",
           [("        x = self.transformer.drop(self.transformer.wte(idx))",
             "        x = self.transformer.drop(self.transformer.wte(idx) + self.transformer.wpe(torch.arange(idx.size(1))))"),
            ('                "drop"', '                "wpe": nn.Embedding(config.block_size, config.n_embd),\n                "drop"')],
           "rope: no position table", "wpe"),
    Edited("keys are not rotated, attention unseen", "rope", [(TURN, TURN.replace("q, k =", "q, _ =")), (ATTENTION, UNSEEN)],
           "rope: relative position", "query's position alone"),
    Edited("the final norm forgotten", "rmsnorm",
           [('"ln_f": RMSNorm(config.n_embd)', '"ln_f": nn.LayerNorm(config.n_embd, bias=config.bias)')],
           "rmsnorm: the formula", "ln_f: the mean is still taken out"),
    Edited("one norm forgotten", "rmsnorm",
           [("self.ln_2 = RMSNorm(config.n_embd)", "self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)")],
           "rmsnorm: the formula", "ln_2: the mean is still taken out"),
    Edited("an eps that is felt", "rmsnorm", [("+ 1e-5", "+ 1.0")], "rmsnorm: the formula", "eps is 1, inside"),
    Edited("different orders, attention unseen", "gqa",
           [(REPEAT, "        times = self.n_head // self.n_kv_head\n"
             "        k, v = k.repeat_interleave(times, dim=2), v.repeat(1, 1, times, 1)\n"), (ATTENTION, UNSEEN)],
           "gqa: groups share keys and values", "shares its keys with"),
    Edited("a mask that is off by one", "gqa", [(ATTENTION, BY_HAND.replace("triu(1)", "triu(2)"))],
           "causality", "t see t + 1, in "),
    Edited("a start far from uniform", "baseline", [("if residual else 0.02", "if residual else 1.0")], "loss at the start", "ln 65 = 4.174"),
    Edited("an unused layer", "baseline", [("        self.mlp = MLP(config)\n", "        self.mlp = MLP(config)\n        self.spare = nn.Linear(4, 4)\n")],
           "gradients", "spare.weight has none"),
    Edited("a dtype fixed by hand", "baseline", [("        return self.resid_dropout(self.c_proj(y))", "        return self.resid_dropout(y.float() @ self.c_proj.weight.half())")],
           "interface", "mine.py"),
    Edited("attention over the heads", "baseline", [("        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # each (B, H, T, D)\n", ""),
           ("y.transpose(1, 2).reshape(B, T, C)", "y.reshape(B, T, C)")], "context", "moved nothing"),
    Edited("something kept between calls", "baseline",
           [("        pos = torch.arange(idx.size(1)", "        self.calls = getattr(self, \"calls\", 0) + 1\n        pos = torch.arange(idx.size(1)"),
            ("        x = self.transformer.wte(idx) +", "        x = self.transformer.wte(idx) * self.calls +")],
           "interface", "the same call twice gives other logits"),
    Edited("a slice of a weight of three axes unused", "baseline",
           [("        self.c_fc = nn.Linear", "        self.spare = nn.Parameter(torch.randn(2, 3, config.n_embd))\n        self.c_fc = nn.Linear"),
            ("        x = F.gelu(self.c_fc(x))", "        x = F.gelu(self.c_fc(x * (1 + self.spare[0].sum(0))))")],
           "gradients", "has none in index 0 = 1"),
    Edited("a layer's feed-forward layer beside its attention", "baseline",
           [("        self.mlp = MLP(config)\n", "        self.mlp = MLP(config)\n        Block.made = getattr(Block, \"made\", 0) + 1\n        self.odd = Block.made % 3 == 0\n"),
            ("        x = x + self.attn(self.ln_1(x))\n", "        if self.odd:\n            return x + self.attn(self.ln_1(x)) + self.mlp(self.ln_2(x))\n        x = x + self.attn(self.ln_1(x))\n")],
           "residual stream", "those of other layers don't"),
    Edited("a gate through z · sigmoid(−z)", "swiglu", [("F.silu(self.c_gate(x))", "self.c_gate(x) * torch.sigmoid(-self.c_gate(x).detach() * 0 - self.c_gate(x))")],
           "swiglu: gate and value", "z · sigmoid(−z)"),
    Edited("two matrices that are one", "swiglu", [("        x = F.silu", "        self.c_proj.weight = self.c_fc.weight\n        x = F.silu"),
           ("self.c_proj(x)", "F.linear(x, self.c_fc.weight.T)"), ("        self.c_proj = nn.Linear(hidden, config.n_embd, bias=config.bias)\n", ""),
           ("        self.c_proj.weight = self.c_fc.weight\n", "")],
           "swiglu: hidden size", "share theirs"),
    Edited("a function that applies the gain twice", "rmsnorm", [*FUNCTION, ("RETURN", "w * w")], "rmsnorm: the formula", "the gain is applied twice"),
    Edited("a function that divides by C − 1", "rmsnorm", [*FUNCTION, ("RETURN", "w * ((x.size(-1) - 1) / x.size(-1)) ** 0.5")],
           "rmsnorm: the formula", "divided by C − 1"),
    Edited("learned frequencies", "rope",
           [("        freqs_cis = precompute", "        self.freqs = nn.Parameter(10000.0 ** (-torch.arange(0, config.n_embd // config.n_head, 2).float() / (config.n_embd // config.n_head)))\n        freqs_cis = precompute"),
            ("self.freqs_cis)\n        q, k, v", "torch.polar(torch.ones(T, self.freqs.numel()), torch.outer(torch.arange(T).float(), self.freqs)))\n        q, k, v")],
           "rope: angles", "is learned"),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case.variant}: {case.name}")
def test_a_wrong_file_is_caught_and_named(case: Edited, tmp_path: Path) -> None:
    failed = {
        r.name: r.seen for r in results(case.text(), case.variant, tmp_path, case.check) if r.failed
    }
    assert case.words in failed.get(case.check, ""), f"{case.name} is not named: {failed}"


# ── right ones, in other styles

RIGHT = [
    Edited("another base, attention unseen", "rope", [("theta: float = 10000.0", "theta: float = 500000.0"), (ATTENTION, UNSEEN)],
          "rope: angles", "base 5e+05"),
    Edited("hidden size in multiples of 64", "swiglu",
          [("round(2 / 3 * 4 * config.n_embd)", "(int(8 * config.n_embd / 3) + 63) // 64 * 64")], "swiglu: hidden size", "the rounding makes it another"),
    Edited("attention that can't be seen, the other order", "gqa",
          [(REPEAT, "        k, v = (t.repeat(1, 1, self.n_head // self.n_kv_head, 1) for t in (k, v))\n"), (ATTENTION, UNSEEN)],
          "gqa: groups share keys and values", "j + G"),
    Edited("another field name with a number as its default", "gqa",
          [("n_kv_head: int | None = None", "num_key_value_heads: int = 8"), ("config.n_kv_head", "config.num_key_value_heads")],
          "gqa: fewer parameters", "is 8 where nothing else is said"),
    Edited("a norm without a gain", "rmsnorm", [(".type_as(x) * self.weight", ".type_as(x)"), ("        self.weight = nn.Parameter(torch.ones(width))\n", "")],
          "rmsnorm: the formula", "no learned gain"),
    Edited("a parallel block", "baseline", [("        x = x + self.attn(self.ln_1(x))\n", "        x, y = x + self.attn(self.ln_1(x)), x\n"), ("self.mlp(self.ln_2(x))", "self.mlp(self.ln_2(y))")],
          "residual stream", "as in GPT-J and PaLM"),
]  # fmt: skip


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: f"{case.variant}: {case.name}")
def test_a_right_file_passes_whatever_its_style(case: Edited, tmp_path: Path) -> None:
    checks = results(case.text(), case.variant, tmp_path)
    assert [f"{r.name}: {r.seen}" for r in checks if r.failed] == [], "a right file is refused"
    assert len([r for r in checks if not r.judged]) <= 5
    assert case.words in next(r.seen for r in checks if r.name == case.check)


@pytest.mark.parametrize("variant", [*suite.MODIFICATIONS, "baseline"])
def test_the_reference_passes_all_of_its_checks_and_none_is_left_out(
    variant: str, tmp_path: Path
) -> None:
    checks = results(edited(variant, []), variant, tmp_path)
    assert [r.name for r in checks] == [c.name for c in suite.checks_for(variant)]
    assert all(r.passed and not r.warning for r in checks)


def test_a_file_that_changes_nothing_is_told_so(tmp_path: Path) -> None:
    """The start of the week: a copy of the baseline, checked as each modification, fails at the
    heart of the matter."""
    heart = {
        "rope": {"rope: no position table"},
        "rmsnorm": {"rmsnorm: the formula"},
        "swiglu": {"swiglu: gate and value"},
        "gqa": {"gqa: groups share keys and values"},
    }
    for variant, names in heart.items():
        checks = results(edited("baseline", []), variant, tmp_path)
        assert {r.name for r in checks if r.failed and not r.follows} == names


@pytest.mark.skipif("NANOGPT" not in os.environ, reason="NANOGPT names no checkout of nanoGPT")
def test_nanogpt_itself_passes(tmp_path: Path) -> None:
    text = (Path(os.environ["NANOGPT"]) / "model.py").read_text(encoding="utf-8")
    checks = results(text, "baseline", tmp_path)
    assert len(checks) == len(suite.checks_for("baseline"))
    assert [f"{r.name}: {r.seen}" for r in checks if not r.passed] == []


CONFIG = """

class GPTConfig:
    def __init__(self, vocab_size, block_size, **given):
        self.vocab_size, self.block_size = vocab_size, block_size
        self.n_layer, self.n_head, self.n_embd, self.dropout, self.bias = 3, 4, 32, 0.0, False
        TAKE


class CausalSelfAttention"""


SMALL = {"n_layer": 2, "n_head": 4, "n_embd": 64, "block_size": 16, "batch_size": 2}
PROBED: dict[str, Any] = {
    "vocab_size": 29,
    "config": {**SMALL, "weight_decay": 0.1, "grad_clip": 1.0},
}


@pytest.mark.parametrize("takes", [True, False])
def test_a_config_that_takes_any_name_is_asked_what_it_built(takes: bool, tmp_path: Path) -> None:
    """minGPT's form: its sizes were left out, and the default ones were checked and trained."""
    text = edited("baseline", [("\n\nclass CausalSelfAttention", CONFIG)])
    text = text.replace("TAKE", "self.__dict__.update(given)" if takes else "pass")
    (interface,) = results(text, "baseline", tmp_path, "interface")
    assert interface.failed == (not takes)
    if not takes:
        assert "whatever n_layer and n_embd GPTConfig is given, the model stays" in interface.seen
    request = PROBED | {"files": {"baseline": str(tmp_path / "mine.py")}}
    if takes:
        assert probe.probe(request)["arms"]["baseline"]["n_params"] > 100_000
    else:
        with pytest.raises(loading.ModelError, match="another size"):
            probe.probe(request)


def test_a_forward_without_targets_is_told_its_cure_by_the_probe_too(tmp_path: Path) -> None:
    """The look before a study, where a baseline is unchecked."""
    file = tmp_path / "mine.py"
    file.write_text(
        (MODELS / "baseline.py").read_text().replace(", targets: Tensor | None = None", "")
    )
    with pytest.raises(loading.ModelError, match=r"mine\.py: .*second argument"):
        probe.probe(PROBED | {"files": {"baseline": str(file)}})
