"""The model files: what the baseline computes, and what each variant changes about it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labs import loading
from q1lab.study import variants
from tests.kit.places import MODELS

VARIANTS = variants.variant_names()
SMALL = {"block_size": 16, "vocab_size": 65, "n_layer": 2, "n_head": 4, "n_embd": 32}


def module(name: str) -> ModuleType:
    return importlib.import_module(f"labs.models.{name}")


def build(name: str, seed: int = 0, **config: Any) -> Any:
    torch.manual_seed(seed)
    m = module(name)
    return m.GPT(m.GPTConfig(**{**SMALL, **config}))


def shaken(model: Any) -> Any:
    """The model with every parameter off its start, gains and offsets too: nothing hides behind a 1
    or 0."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
    return model


def tokens(B: int, T: int, V: int = 65, seed: int = 3) -> torch.Tensor:
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))


def n_params(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


# ---------------------------------------------------------------- the interface, for each file


@pytest.mark.parametrize("name", VARIANTS)
def test_interface(name: str) -> None:
    m = module(name)
    config = m.GPTConfig()
    seven = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "dropout", "bias")
    assert tuple(getattr(config, field) for field in seven) == (1024, 50304, 12, 12, 768, 0.0, True)
    model = build(name)
    x, y = tokens(3, 16), tokens(3, 16, seed=4)
    logits, loss = model(x, y)
    assert logits.shape == (3, 16, 65)
    assert loss.item() == pytest.approx(
        F.cross_entropy(logits.view(-1, 65), y.view(-1)).item(), rel=1e-6
    )
    last, none = model(x)
    assert none is None
    torch.testing.assert_close(last, logits[:, -1:], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="17 tokens exceed block_size 16"):
        model(tokens(1, 17))
    out = model.generate(x, 5)
    assert out.shape == (3, 21)
    assert torch.equal(out[:, :16], x)


@pytest.mark.parametrize("name", VARIANTS)
def test_docstring_gives_a_title(name: str) -> None:
    doc = ast.get_docstring(ast.parse((MODELS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, idea = doc.splitlines()[0].partition(": ")
    assert title
    assert idea
    assert "Shapes:" in doc


@pytest.mark.parametrize("name", VARIANTS)
def test_targets_of_minus_one_do_not_count(name: str) -> None:
    model, x, y = build(name), tokens(2, 16), tokens(2, 16, seed=4)
    y[:, 8:] = -1
    logits, loss = model(x, y)
    expected = F.cross_entropy(logits[:, :8].reshape(-1, 65), y[:, :8].reshape(-1))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_runs_in_bf16_at_every_length(name: str) -> None:
    model = build(name)
    for T in range(1, 17):
        with torch.autocast("cpu", torch.bfloat16):
            _, loss = model(tokens(2, T), tokens(2, T, seed=4))
        loss.backward()
        assert torch.isfinite(loss)


@pytest.mark.parametrize("name", VARIANTS)
def test_saved_state_holds_the_parameters_alone(name: str) -> None:
    model = build(name)
    state = model.state_dict()
    assert set(state) == {key for key, _ in model.named_parameters()} | {
        "transformer.wte.weight",
        "lm_head.weight",
    }
    other = build(name, seed=5)
    other.load_state_dict(state, strict=True)
    x = tokens(2, 16)
    assert torch.equal(model(x)[0], other(x)[0])


# ---------------------------------------------------------------- parameters, as worked out by hand


@pytest.mark.parametrize(
    ("name", "small", "large"),
    [
        ("baseline", 804_096, 10_745_088),
        ("rmsnorm", 804_096, 10_745_088),
        ("rope", 795_904, 10_646_784),
        ("swiglu", 803_584, 10_745_088),
        ("gqa", 738_560, 9_860_352),
    ],
)
def test_parameter_counts(name: str, small: int, large: int) -> None:
    m = module(name)
    with torch.device("meta"):
        small_model = m.GPT(m.GPTConfig(64, 65, 4, 4, 128, bias=False))
        large_model = m.GPT(m.GPTConfig(256, 65, 6, 6, 384, bias=False))
    assert (n_params(small_model), n_params(large_model)) == (small, large)


def test_projections_into_the_stream_start_smaller() -> None:
    for name in VARIANTS:
        model = build(name, n_layer=8, n_embd=128)
        for key, p in model.named_parameters():
            if p.dim() == 2:
                std = 0.02 / 4 if key.endswith("c_proj.weight") else 0.02
                assert p.std().item() == pytest.approx(std, rel=0.05), key
            else:
                assert torch.all(p == (0 if key.endswith("bias") else 1)), key


# ---------------------------------------------------------------- the baseline: a formula, and nanoGPT


def reference(
    weights: dict[str, torch.Tensor], idx: torch.Tensor, n_layer: int, n_head: int
) -> torch.Tensor:
    """A GPT-2's logits in float64 from plain tensor algebra: no module, no fused function."""
    w = {key: value.double() for key, value in weights.items()}

    def norm(x: torch.Tensor, at: str) -> torch.Tensor:
        centered = x - x.mean(-1, keepdim=True)
        scaled = centered / ((centered**2).mean(-1, keepdim=True) + 1e-5) ** 0.5
        return scaled * w[f"{at}.weight"] + w.get(f"{at}.bias", torch.zeros(()))

    def linear(x: torch.Tensor, at: str) -> torch.Tensor:
        return torch.einsum("btc,oc->bto", x, w[f"{at}.weight"]) + w.get(
            f"{at}.bias", torch.zeros(())
        )

    T, C = idx.size(1), w["transformer.wte.weight"].size(1)
    x = w["transformer.wte.weight"][idx] + w["transformer.wpe.weight"][:T]
    for layer in range(n_layer):
        at, D = f"transformer.h.{layer}", C // n_head
        qkv = linear(norm(x, f"{at}.ln_1"), f"{at}.attn.c_attn")
        mixed = torch.zeros_like(x)
        for head in range(n_head):
            q, k, v = (
                qkv[..., part * C + head * D : part * C + (head + 1) * D] for part in range(3)
            )
            scores = torch.einsum("bmd,bnd->bmn", q, k) / D**0.5
            scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf).exp()
            mixed[..., head * D : (head + 1) * D] = (scores / scores.sum(-1, keepdim=True)) @ v
        x = x + linear(mixed, f"{at}.attn.c_proj")
        h = linear(norm(x, f"{at}.ln_2"), f"{at}.mlp.c_fc")
        x = x + linear(0.5 * h * (1 + torch.erf(h / 2**0.5)), f"{at}.mlp.c_proj")
    return torch.einsum("btc,vc->btv", norm(x, "transformer.ln_f"), w["transformer.wte.weight"])


@pytest.mark.parametrize("bias", [True, False])
def test_baseline_computes_the_formula(bias: bool) -> None:
    model, x = shaken(build("baseline", bias=bias)), tokens(3, 13)
    expected = reference(model.state_dict(), x, n_layer=2, n_head=4)
    torch.testing.assert_close(model.double()(x, x)[0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in VARIANTS if hasattr(module(name), "LayerNorm")])
def test_layer_norm_is_the_baselines(name: str) -> None:
    norm, plain = shaken(module(name).LayerNorm(24, True)), nn.LayerNorm(24, eps=1e-5)
    plain.load_state_dict(norm.state_dict())
    x = 0.01 * torch.randn(5, 24, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(norm(x), plain(x), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- RMSNorm


@pytest.mark.parametrize("name", ["rmsnorm", "llama"])
def test_rmsnorm_is_the_formula(name: str) -> None:
    norm = shaken(module(name).RMSNorm(24))
    x = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(1)) * 3 + 1
    x64 = x.double()
    expected = x64 / ((x64**2).mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight.double()
    torch.testing.assert_close(norm(x).double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(norm(1000 * x), norm(x), rtol=1e-4, atol=1e-4)
    assert (norm(x + 10) - norm(x)).abs().max() > 0.1
    assert norm(1e3 * x.half()).isfinite().all(), (
        "a sum of squares beyond half precision has to be taken in float32"
    )
    assert not [
        key for key, _ in build(name).named_parameters() if "ln_" in key and key.endswith("bias")
    ]


# ---------------------------------------------------------------- RoPE


@pytest.mark.parametrize("name", ["rope", "llama"])
def test_turns_are_unit_length_and_start_at_none(name: str) -> None:
    turns = module(name).precompute_freqs_cis(64, 100)
    assert turns.shape == (100, 32)
    assert turns.is_complex()
    torch.testing.assert_close(turns.abs(), torch.ones(100, 32))
    torch.testing.assert_close(turns[0], torch.ones(32, dtype=turns.dtype))
    i = torch.arange(32).double()
    torch.testing.assert_close(
        turns[1].angle().double(), 10000.0 ** (-2 * i / 64), rtol=1e-5, atol=1e-7
    )
    with pytest.raises(ValueError, match="odd"):
        module(name).precompute_freqs_cis(5, 8)


@pytest.mark.parametrize("name", ["rope", "llama"])
def test_turning_keeps_each_length(name: str) -> None:
    m = module(name)
    q, k = (torch.randn(2, 8, 4, 64, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    q2, k2 = m.apply_rotary_emb(q, k, m.precompute_freqs_cis(64, 8))
    assert q2.shape == q.shape
    torch.testing.assert_close(q2.norm(dim=-1), q.norm(dim=-1), rtol=0, atol=1e-4)
    torch.testing.assert_close(k2.norm(dim=-1), k.norm(dim=-1), rtol=0, atol=1e-4)
    halves = m.apply_rotary_emb(q.bfloat16(), k.bfloat16(), m.precompute_freqs_cis(64, 8))
    assert halves[0].dtype == halves[1].dtype == torch.bfloat16
    # one rounding at the end, and none inside: equal to turning in float32 and casting
    exact = m.apply_rotary_emb(
        q.bfloat16().float(), k.bfloat16().float(), m.precompute_freqs_cis(64, 8)
    )
    assert torch.equal(halves[0], exact[0].bfloat16())


@pytest.mark.parametrize("name", ["rope", "llama"])
def test_scores_of_a_worked_example(name: str) -> None:
    """D = 4, so the angles a step are 1 and 0.01; the figures are worked out by hand from the
    definition."""
    m = module(name)
    q, k = (torch.tensor(row).repeat(1, 3, 1, 1) for row in ([[1.0, 0, 1, 0]], [[1.0, 1, 0, 2]]))
    q2, k2 = m.apply_rotary_emb(
        q.view(1, 3, 1, 4), k.view(1, 3, 1, 4), m.precompute_freqs_cis(4, 3)
    )
    scores = q2[0, :, 0] @ k2[0, :, 0].T
    expected = torch.tensor(
        [[1.0, -0.3212, -1.3654], [1.4018, 1.0, -0.3212], [0.5331, 1.4018, 1.0]]
    )
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-4)


def test_rope_has_no_table_of_positions_but_knows_the_order() -> None:
    model = shaken(build("rope"))
    assert not [key for key, _ in model.named_parameters() if "wpe" in key]
    x = tokens(1, 8)
    swapped = x[:, [1, 0, 2, 3, 4, 5, 6, 7]]
    with torch.no_grad():
        assert not torch.allclose(model(x)[0], model(swapped)[0], atol=1e-4)


# ---------------------------------------------------------------- SwiGLU


@pytest.mark.parametrize(("width", "hidden"), [(128, 341), (384, 1024), (768, 2048)])
def test_swiglu_hidden_size(width: int, hidden: int) -> None:
    m = module("swiglu")
    mlp = m.MLP(m.GPTConfig(n_embd=width, bias=False))
    assert mlp.c_gate.out_features == mlp.c_fc.out_features == mlp.c_proj.in_features == hidden
    plain = module("baseline").MLP(m.GPTConfig(n_embd=width, bias=False))
    assert n_params(mlp) == pytest.approx(n_params(plain), rel=2e-3)


def test_swiglu_worked_example() -> None:
    m = module("swiglu")
    mlp = m.MLP(m.GPTConfig(n_embd=2, bias=False))
    mlp.c_gate.weight = torch.nn.Parameter(torch.tensor([[1.0, 0], [0, 1], [0, 0], [0, 0], [0, 0]]))
    mlp.c_fc.weight = torch.nn.Parameter(torch.tensor([[1.0, 1], [2, 0], [0, 0], [0, 0], [0, 0]]))
    mlp.c_proj.weight = torch.nn.Parameter(torch.tensor([[1.0, 1, 0, 0, 0], [0, 1, 0, 0, 0]]))
    out = mlp(torch.tensor([[[1.0, -2.0]]]))
    torch.testing.assert_close(out, torch.tensor([[[-1.2079, -0.4768]]]), rtol=0, atol=1e-4)


# ---------------------------------------------------------------- GQA


def test_gqa_with_as_many_heads_is_ordinary_attention() -> None:
    plain = shaken(build("baseline"))
    model = build("gqa", n_kv_head=4)
    model.load_state_dict(plain.state_dict(), strict=True)
    x = tokens(3, 16)
    torch.testing.assert_close(model(x, x)[0], plain(x, x)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_kv_head", [1, 2])
def test_gqa_is_attention_with_shared_heads(n_kv_head: int) -> None:
    """Repeat the key and value rows of each group in a baseline: the two models must then agree."""
    model, plain = shaken(build("gqa", n_kv_head=n_kv_head)), build("baseline")
    state = model.state_dict()
    for key in [key for key in state if "c_attn" in key]:
        q, k, v = state[key].split([32, n_kv_head * 8, n_kv_head * 8])
        k, v = (
            t.unflatten(0, (n_kv_head, 8)).repeat_interleave(4 // n_kv_head, 0).flatten(0, 1)
            for t in (k, v)
        )
        state[key] = torch.cat([q, k, v])
    plain.load_state_dict(state, strict=True)
    x = tokens(3, 16)
    torch.testing.assert_close(model(x, x)[0], plain(x, x)[0], rtol=1e-5, atol=1e-5)


def test_gqa_default_and_bad_values() -> None:
    assert build("gqa").transformer.h[0].attn.n_kv_head == 2
    assert build("gqa", n_head=1).transformer.h[0].attn.n_kv_head == 1
    for bad in (3, 0, -1, 8):
        with pytest.raises(ValueError, match=rf"4 heads .* {bad} groups"):
            build("gqa", n_kv_head=bad)
    with pytest.raises(ValueError, match=r"n_embd 30 .*n_head 4"):
        build("baseline", n_embd=30)


def test_each_variant_starts_with_the_baselines_values_where_name_and_shape_are_equal() -> None:
    from labs import keyed

    built = {name: keyed.build(lambda name=name: build(name), 0) for name in VARIANTS}
    base = dict(built["baseline"].named_parameters())
    for name, model in built.items():
        parameters = dict(model.named_parameters())
        for key, weights in base.items():
            same = key in parameters and parameters[key].shape == weights.shape
            assert not same or torch.equal(parameters[key], weights), f"{name}: {key}"


def test_a_file_that_calls_exit_as_it_is_imported_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(loading.ModelError, match=r"mine\.py:2: it calls exit while it is imported"):
        loading.load(file)
