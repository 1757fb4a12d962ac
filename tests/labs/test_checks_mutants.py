"""The property checks: wrong implementations they must catch and name, right ones in other styles
they must pass."""

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

pytestmark = pytest.mark.sample

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
EXPONENT = "    freqs = theta ** (-torch.arange(0, dim, 2).float() / dim)"
PAIRS = "    pairs = (torch.view_as_complex(x.float().unflatten(-1, (-1, 2))) for x in (xq, xk))\n"
BACK = "    xq_out, xk_out = (torch.view_as_real(p * rotations).flatten(-2) for p in pairs)  # (B, T, H, D)\n"
RETURN = "    return xq_out.type_as(xq), xk_out.type_as(xk)\n"
BUFFER = '        self.register_buffer("freqs_cis", freqs_cis, persistent=False)\n'
HALVES = """    cos, sin = rotations.real.repeat(1, 1, 2), rotations.imag.repeat(1, 1, 2)

    def rotated(x):
        a, b = x.float().chunk(2, dim=-1)
        return (x.float() * cos + torch.cat([-b, a], dim=-1) * sin).type_as(x)

    return rotated(xq), rotated(xk)
"""
REPEAT = (
    "        k, v = (t.repeat_interleave(self.n_head // self.n_kv_head, dim=2) for t in (k, v))\n"
)
NORM = """        mean_square = x.float().pow(2).mean(-1, keepdim=True)  # (B, T, 1), in float32 whatever x is
        return (x * torch.rsqrt(mean_square + 1e-5)).type_as(x) * self.weight
"""
GATE = "        x = F.silu(self.c_gate(x)) * self.c_fc(x)  # (B, T, hidden)\n"


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
class Mutant:
    name: str
    variant: str
    edits: Edits
    caught_by: str
    words: str  # in what was seen


MUTANTS = [
    # RoPE
    Mutant("pairs and angles that don't belong together", "rope",
           [(PAIRS, ""), (BACK, ""), (RETURN, HALVES.replace("rotations.real.repeat(1, 1, 2), rotations.imag.repeat(1, 1, 2)",
             "rotations.real.repeat_interleave(2, -1), rotations.imag.repeat_interleave(2, -1)"))],
           "rope: relative position", "laid out for neighbors"),
    Mutant("keys rotate the other way", "rope",
           [(BACK, BACK.replace("p * rotations", "p * t").replace("for p in pairs", "for p, t in zip(pairs, (rotations, rotations.conj()))"))],
           "rope: relative position", "sum of the positions"),
    Mutant("keys are not rotated", "rope", [(TURN, TURN.replace("q, k =", "q, _ ="))],
           "rope: relative position", "query's position alone"),
    Mutant("queries are not rotated", "rope", [(TURN, TURN.replace("q, k =", "_, k ="))],
           "rope: relative position", "key's position alone"),
    Mutant("values are rotated", "rope", [(TURN, TURN + TURN.replace("q, k = apply_rotary_emb(q, k", "v, _ = apply_rotary_emb(v, v"))],
           "rope: relative position", "differ from position to position"),
    Mutant("one angle for all pairs", "rope", [(EXPONENT, "    freqs = theta ** (-torch.zeros(dim // 2))")],
           "rope: angles", "one angle for all pairs"),
    Mutant("the exponent divides by n_embd", "rope",
           [(EXPONENT, EXPONENT.replace("/ dim)", "/ 32)"))], "rope: angles", "n_embd"),
    Mutant("the exponent lacks its 2", "rope",
           [(EXPONENT, "    freqs = theta ** (-torch.arange(dim // 2).float() / dim)")], "rope: angles", "missing its factor 2"),
    Mutant("rotated before the split into heads, neighbors", "rope",
           [("precompute_freqs_cis(config.n_embd // config.n_head,", "precompute_freqs_cis(config.n_embd,"),
            (TURN, "        q, k = (t.reshape(B, T, 1, C) for t in (q, k))\n" + TURN
             + "        q, k = (t.reshape(B, T, self.n_head, -1) for t in (q, k))\n")],
           "rope: angles", "before the split into heads"),
    Mutant("rotated before the split into heads, halves", "rope",
           [("precompute_freqs_cis(config.n_embd // config.n_head,", "precompute_freqs_cis(config.n_embd,"),
            (PAIRS, ""), (BACK, ""), (RETURN, HALVES),
            (TURN, "        q, k = (t.reshape(B, T, 1, C) for t in (q, k))\n" + TURN
             + "        q, k = (t.reshape(B, T, self.n_head, -1) for t in (q, k))\n")],
           "rope: relative position", "within one head"),
    Mutant("rotated along the heads", "rope",
           [(TURN, "        q, k = (t.transpose(1, 2) for t in (q, k))\n" + TURN + "        q, k = (t.transpose(1, 2) for t in (q, k))\n")],
           "rope: relative position", "another axis"),
    Mutant("the learned table stays", "rope",
           [("        x = self.transformer.drop(self.transformer.wte(idx))",
             "        x = self.transformer.drop(self.transformer.wte(idx) + self.transformer.wpe(torch.arange(idx.size(1))))"),
            ('                "drop"', '                "wpe": nn.Embedding(config.block_size, config.n_embd),\n                "drop"')],
           "rope: no position table", "wpe"),
    Mutant("no rotation but a mirror", "rope",
           [(BACK, "    xq_out, xk_out = (torch.view_as_real(torch.complex(p.real * rotations.real + p.imag * rotations.imag, "
             "p.real * rotations.imag + p.imag * rotations.real)).flatten(-2) for p in pairs)\n")],
           "rope: relative position", "have the same sign"),
    Mutant("detached", "rope", [(TURN, "        with torch.no_grad():\n    " + TURN)], "gradients", "row 0 and 63 more"),
    Mutant("a cache of the first length", "rope",
           [(TURN, "        if not hasattr(self, 'kept'):\n            self.kept = self.freqs_cis[:T].flip(0)\n"
             "        q, k = apply_rotary_emb(q, k, self.kept if T <= len(self.kept) else self.freqs_cis)\n")],
           "causality", "something is kept from the calls before"),
    Mutant("angles in bf16", "rope",
           [("    angles = torch.outer(torch.arange(end).float(), freqs)",
             "    angles = torch.outer(torch.arange(end).bfloat16(), freqs.bfloat16()).float()")],
           "rope: relative position", "low precision"),
    Mutant("keys are not rotated, attention unseen", "rope", [(TURN, TURN.replace("q, k =", "q, _ =")), (ATTENTION, UNSEEN)],
           "rope: relative position", "query's position alone"),
    Mutant("keys rotate the other way, attention unseen", "rope",
           [(BACK, BACK.replace("p * rotations", "p * t").replace("for p in pairs", "for p, t in zip(pairs, (rotations, rotations.conj()))")),
            (ATTENTION, UNSEEN)],
           "rope: relative position", "sum of the positions"),
    Mutant("values are rotated, attention unseen", "rope",
           [(TURN, TURN + TURN.replace("q, k = apply_rotary_emb(q, k", "v, _ = apply_rotary_emb(v, v")), (ATTENTION, UNSEEN)],
           "rope: relative position", "are they rotated, too?"),
    Mutant("one angle for all pairs, attention unseen", "rope",
           [(EXPONENT, "    freqs = theta ** (-torch.zeros(dim // 2))"), (ATTENTION, UNSEEN)], "rope: angles", "one angle for all pairs"),
    Mutant("the exponent lacks its 2, attention unseen", "rope",
           [(EXPONENT, "    freqs = theta ** (-torch.arange(dim // 2).float() / dim)"), (ATTENTION, UNSEEN)],
           "rope: angles", "missing its factor 2"),
    Mutant("cosines and sines in bf16", "rope",
           [(BUFFER, BUFFER.replace("freqs_cis, ", "torch.complex(freqs_cis.real.bfloat16().float(), freqs_cis.imag.bfloat16().float()), "))],
           "rope: relative position", "low precision"),
    # RMSNorm
    Mutant("still centered", "rmsnorm", [(NORM, "        x = x - x.mean(-1, keepdim=True)\n" + NORM)],
           "rmsnorm: the formula", "mean is still taken out"),
    Mutant("mean over time", "rmsnorm", [(".mean(-1, keepdim=True)", ".mean(1, keepdim=True)")],
           "rmsnorm: the formula", "time"),
    Mutant("mean over the batch", "rmsnorm", [(".mean(-1, keepdim=True)", ".mean(0, keepdim=True)")],
           "rmsnorm: the formula", "batch"),
    Mutant("divided by the length", "rmsnorm", [(".mean(-1, keepdim=True)", ".sum(-1, keepdim=True)")],
           "rmsnorm: the formula", "divided by its length"),
    Mutant("no root", "rmsnorm", [("torch.rsqrt(mean_square + 1e-5)", "(1 / (mean_square + 1e-5))")],
           "rmsnorm: the formula", "the root is missing"),
    Mutant("the mean of absolute values", "rmsnorm",
           [("x.float().pow(2).mean(-1, keepdim=True)", "x.float().abs().mean(-1, keepdim=True).pow(2)")],
           "rmsnorm: the formula", "by the mean of |x|"),
    Mutant("the gain comes before the norm", "rmsnorm",
           [(NORM, "        x = x * self.weight\n" + NORM.replace(" * self.weight", ""))], "rmsnorm: the formula", "the gain is inside"),
    Mutant("the gain is added", "rmsnorm", [(".type_as(x) * self.weight", ".type_as(x) + self.weight - 1")],
           "rmsnorm: the formula", "the gain is added"),
    Mutant("the final norm forgotten", "rmsnorm",
           [('"ln_f": RMSNorm(config.n_embd)', '"ln_f": nn.LayerNorm(config.n_embd, bias=config.bias)')],
           "rmsnorm: the formula", "ln_f: the mean is still taken out"),
    Mutant("one norm forgotten", "rmsnorm",
           [("self.ln_2 = RMSNorm(config.n_embd)", "self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)")],
           "rmsnorm: the formula", "ln_2: the mean is still taken out"),
    Mutant("an eps that is felt", "rmsnorm", [("+ 1e-5", "+ 1.0")], "rmsnorm: the formula", "eps is 1, inside"),
    # SwiGLU
    Mutant("ReLU", "swiglu", [("F.silu", "F.relu")], "swiglu: gate and value", "ReGLU"),
    Mutant("sigmoid", "swiglu", [("F.silu", "torch.sigmoid")], "swiglu: gate and value", "that is GLU"),
    Mutant("GELU", "swiglu", [("F.silu", "F.gelu")], "swiglu: gate and value", "GEGLU"),
    Mutant("no activation", "swiglu", [("F.silu(self.c_gate(x))", "self.c_gate(x)")], "swiglu: gate and value", "bilinear"),
    Mutant("gate added", "swiglu", [(GATE, GATE.replace(" * self", " + self"))], "swiglu: gate and value", "added"),
    Mutant("SiLU on the product", "swiglu", [(GATE, "        x = F.silu(self.c_gate(x) * self.c_fc(x))\n")],
           "swiglu: gate and value", "of the product"),
    Mutant("SiLU on both", "swiglu", [(GATE, "        x = F.silu(self.c_gate(x)) * F.silu(self.c_fc(x))\n")],
           "swiglu: gate and value", "both"),
    Mutant("no value", "swiglu", [(GATE, "        x = F.silu(self.c_gate(x))\n")], "swiglu: gate and value", "no gate"),
    Mutant("the gate is its own value", "swiglu", [("self.c_fc(x)", "self.c_gate(x)")], "swiglu: gate and value", "not a product"),
    Mutant("no cut", "swiglu", [("round(2 / 3 * 4 * config.n_embd)", "4 * config.n_embd")], "swiglu: hidden size", "+50.0%"),
    Mutant("a bias where none is asked for", "swiglu",
           [("self.c_gate = nn.Linear(config.n_embd, hidden, bias=config.bias)", "self.c_gate = nn.Linear(config.n_embd, hidden)")],
           "swiglu: no bias without bias", "bias"),
    # GQA
    Mutant("keys and values repeated in different orders", "gqa",
           [(REPEAT, "        times = self.n_head // self.n_kv_head\n"
             "        k, v = k.repeat_interleave(times, dim=2), v.repeat(1, 1, times, 1)\n")],
           "gqa: groups share keys and values", "its keys with head 0, its values with head 3"),
    Mutant("full projections, then an average", "gqa",
           [("        self.kv_size = self.n_kv_head * (config.n_embd // config.n_head)", "        self.kv_size = config.n_embd"),
            ("k.view(B, T, self.n_kv_head, -1)", "k.view(B, T, self.n_kv_head, -1, C // self.n_head).mean(3)"),
            ("v.view(B, T, self.n_kv_head, -1)", "v.view(B, T, self.n_kv_head, -1, C // self.n_head).mean(3)")],
           "gqa: fewer parameters", "nothing was saved"),
    Mutant("only keys are shared", "gqa",
           [("config.n_embd + 2 * self.kv_size", "2 * config.n_embd + self.kv_size"),
            ("split([C, self.kv_size, self.kv_size]", "split([C, self.kv_size, C]"),
            ("v.view(B, T, self.n_kv_head, -1)", "v.view(B, T, self.n_head, -1)"),
            (REPEAT, REPEAT.replace("k, v = (t", "k = next(t").replace("in (k, v)", "in (k,)"))],
           "gqa: groups share keys and values", "values are not"),
    Mutant("scaled by the width", "gqa", [(ATTENTION, BY_HAND.replace("q.size(-1)", "C"))], "attention", "scale"),
    Mutant("different orders, attention unseen", "gqa",
           [(REPEAT, "        times = self.n_head // self.n_kv_head\n"
             "        k, v = k.repeat_interleave(times, dim=2), v.repeat(1, 1, times, 1)\n"), (ATTENTION, UNSEEN)],
           "gqa: groups share keys and values", "shares its keys with"),
    Mutant("ordinary attention, unseen", "gqa",
           [("        if self.n_kv_head is None:\n", "        self.n_kv_head = None\n        if self.n_kv_head is None:\n"),
            ("self.n_head // 2 if self.n_head % 2 == 0 else self.n_head", "self.n_head"), (ATTENTION, UNSEEN)],
           "gqa: groups share keys and values", "nothing is shared"),
    Mutant("no scale", "gqa", [(ATTENTION, BY_HAND.replace("q.size(-1)", "1"))], "attention", "scale"),
    Mutant("a mask that is off by one", "gqa", [(ATTENTION, BY_HAND.replace("triu(1)", "triu(2)"))],
           "causality", "off by one"),
    Mutant("a mask that hides the token itself", "gqa",
           [(ATTENTION, BY_HAND.replace("triu(1)", "triu(0)").replace('float("-inf")', "-1e9"))],
           "causality", "moved the logits at 0"),
    Mutant("heads and time mixed up on the way back", "gqa",
           [("y.transpose(1, 2).reshape(B, T, C)", "y.reshape(B, T, C)")], "causality", "moved"),
    Mutant("one key head for all", "gqa", [(REPEAT, REPEAT + "        k = k[:, :, :1].expand(-1, -1, self.n_head, -1)\n")],
           "gqa: groups share keys and values", "shares its keys"),
    Mutant("ordinary attention", "gqa",
           [("        if self.n_kv_head is None:\n", "        self.n_kv_head = None\n        if self.n_kv_head is None:\n"),
            ("self.n_head // 2 if self.n_head % 2 == 0 else self.n_head", "self.n_head")],
           "gqa: groups share keys and values", "nothing is shared"),
    # what every file must do
    Mutant("dropout in evaluation", "baseline", [("drop = self.dropout if self.training else 0.0", "drop = self.dropout")],
           "training mode", "two calls differ"),
    Mutant("blocks in a plain list", "baseline", [('                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),\n', ""),
           ("        self.lm_head =", "        self.blocks = [Block(config) for _ in range(config.n_layer)]\n        self.lm_head ="),
           ("in self.transformer.h:", "in self.blocks:")], "interface", "ModuleList"),
    Mutant("a start far from uniform", "baseline", [("if residual else 0.02", "if residual else 1.0")], "loss at the start", "ln(65)"),
    Mutant("an unused layer", "baseline", [("        self.mlp = MLP(config)\n", "        self.mlp = MLP(config)\n        self.spare = nn.Linear(4, 4)\n")],
           "gradients", "spare.weight has none"),
    Mutant("a norm over the batch", "baseline",
           [("F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-5)",
             "(x - x.mean((0, 1), keepdim=True)) / (x.std((0, 1), keepdim=True) + 1e-5) * self.weight + (0 if self.bias is None else self.bias)")],
           "batch independence", "row"),
    Mutant("a dtype fixed by hand", "baseline", [("        return self.resid_dropout(self.c_proj(y))", "        return self.resid_dropout(y.float() @ self.c_proj.weight.half())")],
           "interface", "mine.py"),
    Mutant("attention over the heads", "baseline", [("        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # each (B, H, T, D)\n", ""),
           ("y.transpose(1, 2).reshape(B, T, C)", "y.reshape(B, T, C)")], "context", "moved nothing"),
    Mutant("the wrong targets", "baseline", [("targets.flatten()", "targets.roll(1, 1).flatten()")], "interface", "cross-entropy"),
    # ── what the more basic check has to name first
    Mutant("something kept between calls", "baseline",
           [("        pos = torch.arange(idx.size(1)", "        self.calls = getattr(self, \"calls\", 0) + 1\n        pos = torch.arange(idx.size(1)"),
            ("        x = self.transformer.wte(idx) +", "        x = self.transformer.wte(idx) * self.calls +")],
           "interface", "the same call twice gives other logits"),
    Mutant("positions counted from the end", "baseline", [("torch.arange(idx.size(1), device=idx.device)", "torch.arange(idx.size(1), device=idx.device).flip(0)")],
           "causality", "give other logits alone"),
    Mutant("one hidden unit cut off", "baseline", [("        return self.dropout(self.c_proj(x))", "        x = torch.cat([0 * x[..., :1], x[..., 1:]], dim=-1)\n        return self.dropout(self.c_proj(x))")],
           "gradients", "has none in row 0"),
    Mutant("a slice of a weight of three axes unused", "baseline",
           [("        self.c_fc = nn.Linear", "        self.spare = nn.Parameter(torch.randn(2, 3, config.n_embd))\n        self.c_fc = nn.Linear"),
            ("        x = F.gelu(self.c_fc(x))", "        x = F.gelu(self.c_fc(x * (1 + self.spare[0].sum(0))))")],
           "gradients", "has none in index 0 = 1"),
    Mutant("a layer's feed-forward layer beside its attention", "baseline",
           [("        self.mlp = MLP(config)\n", "        self.mlp = MLP(config)\n        Block.made = getattr(Block, \"made\", 0) + 1\n        self.odd = Block.made % 3 == 0\n"),
            ("        x = x + self.attn(self.ln_1(x))\n", "        if self.odd:\n            return x + self.attn(self.ln_1(x)) + self.mlp(self.ln_2(x))\n        x = x + self.attn(self.ln_1(x))\n")],
           "residual stream", "those of other layers don't"),
    Mutant("a gate through z · sigmoid(−z)", "swiglu", [("F.silu(self.c_gate(x))", "self.c_gate(x) * torch.sigmoid(-self.c_gate(x).detach() * 0 - self.c_gate(x))")],
           "swiglu: gate and value", "z · sigmoid(−z)"),
    Mutant("two matrices that are one", "swiglu", [("        x = F.silu", "        self.c_proj.weight = self.c_fc.weight\n        x = F.silu"),
           ("self.c_proj(x)", "F.linear(x, self.c_fc.weight.T)"), ("        self.c_proj = nn.Linear(hidden, config.n_embd, bias=config.bias)\n", ""),
           ("        self.c_proj.weight = self.c_fc.weight\n", "")],
           "swiglu: hidden size", "share theirs"),
    Mutant("an eps of a tenth", "rmsnorm", [("+ 1e-5", "+ 0.1")], "rmsnorm: the formula", "eps is 0.1"),
    Mutant("a function that applies the gain twice", "rmsnorm", [*FUNCTION, ("RETURN", "w * w")], "rmsnorm: the formula", "the gain is applied twice"),
    Mutant("a function that divides by C − 1", "rmsnorm", [*FUNCTION, ("RETURN", "w * ((x.size(-1) - 1) / x.size(-1)) ** 0.5")],
           "rmsnorm: the formula", "divided by C − 1"),
    Mutant("sinusoids added", "rope", [("        x = self.transformer.drop(self.transformer.wte(idx))", "        waves = torch.outer(torch.arange(idx.size(1)).float(), 10000.0 ** -torch.linspace(0, 1, self.lm_head.in_features)).sin()\n        x = self.transformer.drop(self.transformer.wte(idx) + waves)")],
           "rope: no position table", "such as sinusoids"),
    Mutant("learned frequencies", "rope",
           [("        freqs_cis = precompute", "        self.freqs = nn.Parameter(10000.0 ** (-torch.arange(0, config.n_embd // config.n_head, 2).float() / (config.n_embd // config.n_head)))\n        freqs_cis = precompute"),
            ("self.freqs_cis)\n        q, k, v", "torch.polar(torch.ones(T, self.freqs.numel()), torch.outer(torch.arange(T).float(), self.freqs)))\n        q, k, v")],
           "rope: angles", "is learned"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.variant}: {m.name}")
def test_a_wrong_file_is_caught_and_named(mutant: Mutant, tmp_path: Path) -> None:
    checks = results(
        edited(mutant.variant, mutant.edits), mutant.variant, tmp_path, mutant.caught_by
    )
    failed = {r.name: r.seen for r in checks if r.failed}
    assert mutant.caught_by in failed, failed
    assert mutant.words in failed[mutant.caught_by]


def test_each_modification_has_five_wrong_ones() -> None:
    for variant in suite.OWN:
        assert len([m for m in MUTANTS if m.variant == variant]) >= 5


# ── right ones, in other styles

SEPARATE = [
    ("        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)  # q, k, v\n",
     "        self.wq, self.wk, self.wv = (nn.Linear(config.n_embd, config.n_embd, bias=config.bias) for _ in range(3))\n"),
    ("        q, k, v = self.c_attn(x).split(C, dim=-1)  # each (B, T, C)\n",
     "        q, k, v = self.wq(x), self.wk(x), self.wv(x)\n"),
]  # fmt: skip
GROUPED = [
    (REPEAT, ""),
    ("        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # each (B, H, T, D)\n",
     "        q = q.unflatten(2, (self.n_kv_head, -1))\n"),
    (ATTENTION, """        scores = torch.einsum("btgrd,bsgd->bgrts", q, k) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(~torch.ones(T, T, dtype=torch.bool, device=x.device).tril(), float("-inf"))
        y = torch.einsum("bgrts,bsgd->btgrd", torch.softmax(scores, dim=-1), v)
"""),
    ("y.transpose(1, 2).reshape(B, T, C)", "y.reshape(B, T, C)"),
]  # fmt: skip


@dataclass(frozen=True)
class Right:
    name: str
    variant: str
    edits: Edits
    check: str = ""  # a convention is named by this check …
    words: str = ""  # … in these words


RIGHT = [
    Right("halves, in real numbers", "rope", [(PAIRS, ""), (BACK, ""), (RETURN, HALVES)], "rope: relative position", "halves"),
    Right("no helpers, by hand, no cache, the other way round, separate projections", "rope",
          [*SEPARATE, ("precompute_freqs_cis", "angles_of"), ("apply_rotary_emb", "spin"), (ATTENTION, BY_HAND),
           (BACK, BACK.replace("p * rotations", "p * rotations.conj()")), (BUFFER, ""),
           ("        freqs_cis = angles_of(config.n_embd // config.n_head, config.block_size)\n", ""),
           ("q, k = spin(q, k, self.freqs_cis)", "q, k = spin(q, k, angles_of(C // self.n_head, T).to(x.device))")],
          "rope: relative position", "neighbors"),
    Right("positions from 1, heads before time, einsum", "rope",
          [("torch.arange(end).float(), freqs", "torch.arange(1, end + 1).float(), freqs"),
           ("freqs_cis[: xq.size(1), None, :]", "freqs_cis[None, None, : xq.size(2), :]"),
           (TURN, ""), ("        drop = ", TURN + "        drop = "),
           (ATTENTION, BY_HAND.replace("(q @ k.transpose(-2, -1))", 'torch.einsum("bhtd,bhsd->bhts", q, k)'))]),
    Right("one table for all layers, twice as long, as cosines and sines", "rope",
          [(PAIRS, ""), (BACK, ""), (RETURN, HALVES.replace("rotations.real.repeat(1, 1, 2), rotations.imag.repeat(1, 1, 2)",
            "rotations.real.to(xq.dtype).repeat(1, 1, 2), rotations.imag.to(xq.dtype).repeat(1, 1, 2)")),
           ("        freqs_cis = precompute_freqs_cis(config.n_embd // config.n_head, config.block_size)\n"
            + BUFFER, ""),
           ("    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)\n        B, T, C",
            "    def forward(self, x, freqs_cis):\n        B, T, C"),
           ("self.freqs_cis)\n", "freqs_cis)\n"),
           ("    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)\n        x = x + self.attn(self.ln_1(x))",
            "    def forward(self, x, freqs_cis):\n        x = x + self.attn(self.ln_1(x), freqs_cis)"),
           ("            x = block(x)", "            x = block(x, self.freqs_cis)"),
           ("        self.lm_head =", '        self.register_buffer("freqs_cis", precompute_freqs_cis(config.n_embd // config.n_head, 2 * config.block_size))\n        self.lm_head =')]),
    Right("attention that can't be seen", "rope", [(ATTENTION, UNSEEN)], "rope: angles", "all 4 heads fit"),
    Right("another base, attention unseen", "rope", [("theta: float = 10000.0", "theta: float = 500000.0"), (ATTENTION, UNSEEN)],
          "rope: angles", "base 5e+05"),
    Right("the dtype is not kept", "rope", [(RETURN, "    return xq_out, xk_out\n")], "rope: relative position", "into float32"),
    Right("another base", "rope", [("theta: float = 10000.0", "theta: float = 500000.0")], "rope: angles", "base 5e+05"),
    Right("PyTorch's own", "rmsnorm", [("RMSNorm(config.n_embd)", "nn.RMSNorm(config.n_embd)")],
          "rmsnorm: the formula", "eps 1.19e-07 inside the root"),
    Right("a gain of 1 + g", "rmsnorm", [("torch.ones(width)", "torch.zeros(width)"), ("* self.weight\n", "* (1 + self.weight)\n")],
          "rmsnorm: the formula", "1 + g"),
    Right("eps outside the root, length over √C", "rmsnorm",
          [(NORM, "        return self.weight * x / (x.norm(dim=-1, keepdim=True) * x.size(-1) ** -0.5 + 1e-8)\n")],
          "rmsnorm: the formula", "outside the root"),
    Right("a function, no module, no gain", "rmsnorm",
          [("        self.ln_1 = RMSNorm(config.n_embd)\n", ""), ("        self.ln_2 = RMSNorm(config.n_embd)\n", ""),
           ('                "ln_f": RMSNorm(config.n_embd),\n', ""),
           ("self.ln_1(x)", "F.rms_norm(x, (x.size(-1),))"), ("self.ln_2(x)", "F.rms_norm(x, (x.size(-1),))"),
           ("self.transformer.ln_f(x)", "F.rms_norm(x, (x.size(-1),))")]),
    Right("one fused projection, value first", "swiglu",
          [("        self.c_gate = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", ""),
           ("self.c_fc = nn.Linear(config.n_embd, hidden, ", "self.c_fc = nn.Linear(config.n_embd, 2 * hidden, "),
           (GATE, "        value, gate = self.c_fc(x).chunk(2, dim=-1)\n        x = value * F.silu(gate)\n")],
          "swiglu: gate and value", "value first"),
    Right("other names, z · sigmoid(z) by hand", "swiglu",
          [("c_gate", "w1"), ("self.c_fc", "self.w3"), ("F.silu(self.w1(x)) * self.w3(x)", "(self.w3(x) * self.w1(x)) * torch.sigmoid(self.w1(x))")],
          "swiglu: gate and value", "two projections"),
    Right("matrices without modules", "swiglu",
          [("        self.c_gate = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", "        self.v = nn.Parameter(torch.randn(config.n_embd, hidden) * 0.02)\n"),
           ("        self.c_fc = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", "        self.w = nn.Parameter(torch.randn(config.n_embd, hidden) * 0.02)\n"),
           (GATE, "        x = F.silu(x @ self.w) * (x @ self.v)\n")]),
    Right("hidden size in multiples of 64", "swiglu",
          [("round(2 / 3 * 4 * config.n_embd)", "(int(8 * config.n_embd / 3) + 63) // 64 * 64")], "swiglu: hidden size", "the rounding makes it another"),
    Right("PyTorch's grouped call", "gqa", [(REPEAT, ""), ("is_causal=True)", "is_causal=True, enable_gqa=True)")],
          "gqa: groups share keys and values", "neighbors"),
    Right("the other order of heads", "gqa",
          [(REPEAT, "        k, v = (t.repeat(1, 1, self.n_head // self.n_kv_head, 1) for t in (k, v))\n")],
          "gqa: groups share keys and values", "j + G form a group (in the paper, and in the third test of B1, neighbors do)"),
    Right("separate projections, by hand, expanded", "gqa",
          [("        self.c_attn = nn.Linear(config.n_embd, config.n_embd + 2 * self.kv_size, bias=config.bias)\n",
            "        self.q = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)\n        self.kv = nn.Linear(config.n_embd, 2 * self.kv_size, bias=config.bias)\n"),
           ("        q, k, v = self.c_attn(x).split([C, self.kv_size, self.kv_size], dim=-1)\n", "        q, (k, v) = self.q(x), self.kv(x).chunk(2, dim=-1)\n"),
           (REPEAT, "        k, v = (t[:, :, :, None].expand(-1, -1, -1, self.n_head // self.n_kv_head, -1).flatten(2, 3) for t in (k, v))\n"),
           (ATTENTION, BY_HAND)]),
    Right("einsum over groups, nothing repeated", "gqa", GROUPED),
    Right("attention that can't be seen", "gqa", [(ATTENTION, UNSEEN)], "gqa: groups share keys and values", "neighbors form a group"),
    Right("attention that can't be seen, the other order", "gqa",
          [(REPEAT, "        k, v = (t.repeat(1, 1, self.n_head // self.n_kv_head, 1) for t in (k, v))\n"), (ATTENTION, UNSEEN)],
          "gqa: groups share keys and values", "j + G"),
    Right("queries scaled instead of scores, heads in another order", "gqa",
          [*GROUPED[:-1], ("/ math.sqrt(q.size(-1))", ""), ("        scores = torch.einsum", "        q = q / math.sqrt(q.size(-1))\n        scores = torch.einsum"),
           ("y.transpose(1, 2).reshape(B, T, C)", "y.transpose(2, 3).reshape(B, T, C)")]),
    Right("time before rows, a softmax over the second axis", "baseline",
          [(ATTENTION, """        scores = torch.einsum("bhid,bhjd->ijbh", q, k) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(~torch.ones(T, T, dtype=torch.bool, device=x.device).tril()[:, :, None, None], float("-inf"))
        y = torch.einsum("ijbh,bhjd->bhid", torch.softmax(scores, dim=1), v)
""")]),
    Right("targets and logits by view", "rope",
          [("targets.flatten()", "targets.view(-1)"), ("logits.flatten(0, 1)", "logits.view(-1, logits.size(-1))"),
           ("        if idx.size(1) > self.config.block_size:\n            raise ValueError(f\"{idx.size(1)} tokens exceed block_size {self.config.block_size}\")\n", ""),
           ("config.n_embd // config.n_head, config.block_size)", "config.n_embd // config.n_head, 4 * config.block_size)")]),
    Right("a remainder is dropped", "gqa",
          [('            raise ValueError(f"{self.n_head} heads don\'t split into {self.n_kv_head} groups")\n', "            pass\n"),
           (REPEAT, "        k, v = (t.repeat_interleave(-(-self.n_head // self.n_kv_head), dim=2)[:, :, : self.n_head] for t in (k, v))\n")],
          "gqa: groups share keys and values", "are accepted"),
    Right("another field name with a number as its default", "gqa",
          [("n_kv_head: int | None = None", "num_key_value_heads: int = 8"), ("config.n_kv_head", "config.num_key_value_heads")],
          "gqa: fewer parameters", "is 8 where nothing else is said"),
    Right("another field name, without a hint in it", "gqa",
          [("n_kv_head: int | None = None", "memories: int = 8"), ("config.n_kv_head", "config.memories")]),
    Right("norms that are functions", "rmsnorm", [*FUNCTION, ("RETURN", "w")], "rmsnorm: the formula", "in front of 7 projections"),
    Right("a norm without a gain", "rmsnorm", [(".type_as(x) * self.weight", ".type_as(x)"), ("        self.weight = nn.Parameter(torch.ones(width))\n", "")],
          "rmsnorm: the formula", "no learned gain"),
    Right("a parallel block", "baseline", [("        x = x + self.attn(self.ln_1(x))\n", "        x, y = x + self.attn(self.ln_1(x)), x\n"), ("self.mlp(self.ln_2(x))", "self.mlp(self.ln_2(y))")],
          "residual stream", "as in GPT-J and PaLM"),
    Right("by hand", "baseline", [(ATTENTION, BY_HAND)]),
    Right("all four", "llama", []),
    Right("all four, by hand", "llama", [(ATTENTION, BY_HAND)]),
]  # fmt: skip


@pytest.mark.parametrize("right", RIGHT, ids=lambda r: f"{r.variant}: {r.name}")
def test_a_right_file_passes_whatever_its_style(right: Right, tmp_path: Path) -> None:
    checks = results(edited(right.variant, right.edits), right.variant, tmp_path)
    assert [f"{r.name}: {r.seen}" for r in checks if r.failed] == []
    assert len([r for r in checks if not r.judged]) <= 5
    if right.check:
        assert right.words in next(r.seen for r in checks if r.name == right.check)


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
