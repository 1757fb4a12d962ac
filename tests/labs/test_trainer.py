"""The real trainer on a tiny model: paired starts, exact evaluation, bit-equal repetition and
resume."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint as checkpoint_of_torch

from labs import attention, checkpoint, data, devices, flat, keyed, loading, report, train
from q1lab.judgment.intervals import Reason, analyze
from tests.kit.tiny_study import (
    CONFIG,
    TEXT,
    final,
    losses,
    make_study,
    model_file,
    run_trainer,
    start_trainer,
)
from tests.kit.warm_server import exit_status


def build(name: str, seed: int, vocab: int = 20) -> nn.Module:
    module = loading.load(model_file(name))
    return keyed.build(lambda: loading.build(module, CONFIG, vocab), seed)


@pytest.mark.parametrize("variant", ["rmsnorm", "rope", "swiglu", "gqa", "llama"])
def test_arms_share_every_common_tensor(variant: str) -> None:
    base, other = (
        dict(build("baseline", 3).named_parameters()),
        dict(build(variant, 3).named_parameters()),
    )
    common = [name for name in base if name in other and base[name].shape == other[name].shape]
    assert len(common) >= 5
    for name in common:
        assert torch.equal(base[name], other[name]), name


def test_seeds_differ_and_builds_repeat_whatever_the_global_generator_says() -> None:
    torch.manual_seed(1)
    model = build("baseline", 0)
    torch.manual_seed(2)
    rebuilt, other_seed = build("baseline", 0), build("baseline", 1)
    for (name, a), b, c in zip(
        model.named_parameters(), rebuilt.parameters(), other_seed.parameters(), strict=True
    ):
        assert torch.equal(a, b), name
        assert a.dim() < 2 or not torch.equal(a, c), name


def test_each_tensor_keeps_the_distribution_its_file_gave_it() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaled = nn.Parameter(torch.randn(400, 50) * 0.3)
            self.trunc = nn.Parameter(
                nn.init.trunc_normal_(torch.empty(400, 50), std=2.0, a=-1.0, b=1.0)
            )
            self.square = nn.Parameter(nn.init.orthogonal_(torch.empty(64, 64)))
            self.part = nn.Parameter(torch.zeros(100, 10))
            with torch.no_grad():
                self.part[:50].uniform_(2, 3)
            self.constant = nn.Parameter(torch.full((3,), 7.0))

    a, b = keyed.build(Odd, 0), keyed.build(Odd, 1)
    assert abs(a.scaled.std().item() - 0.3) < 0.01
    assert a.trunc.abs().max().item() <= 1.0
    assert a.trunc.std().item() > 0.5
    assert torch.allclose(a.square @ a.square.T, torch.eye(64), atol=1e-5)
    assert 2 <= a.part[:50].min().item() <= a.part[:50].max().item() <= 3
    assert a.part[50:].abs().max().item() == 0
    assert torch.equal(a.constant, b.constant)
    for name in ("scaled", "trunc", "square", "part"):
        assert not torch.equal(getattr(a, name), getattr(b, name)), name


def test_batches_depend_on_the_seed_and_the_iter_alone() -> None:
    tokens = torch.arange(5000)
    make = lambda seed: data.Batches(tokens, seed, 4, 16, torch.device("cpu"))  # noqa: E731
    batches, same_batches = make(0), make(0)
    x, y = batches(1500)
    torch.manual_seed(99)
    assert torch.equal(same_batches(1500)[0], x)
    assert torch.equal(y, x + 1)
    assert not torch.equal(make(1)(1500)[0], x)
    lows = torch.cat([batches(i)[0][:, 0] for i in range(2000)])
    assert lows.min() >= 0
    assert lows.max() <= 5000 - 17
    assert lows.max() > 4900, "the end of the corpus is drawn too"


def test_windows_predict_every_target_once() -> None:
    for size in (17, 18, 33, 100, 161):
        covered = [s + 1 + k for s, n in data.windows(torch.zeros(size), 16) for k in range(n)]
        assert covered == list(range(1, size))
    some = data.windows(torch.zeros(1000), 16, 5)
    assert len(set(some)) == 5


def test_the_final_loss_is_the_mean_over_the_whole_validation_set() -> None:
    model = build("baseline", 0, 11)
    val = torch.randint(11, (75,))
    windows = data.windows(val, 16)
    got, parts = train.evaluate(model, val, windows, batch=2)
    model.eval()
    total, halves = 0.0, []
    with torch.no_grad():
        for start, n in windows:
            logits, _ = model(val[None, start : start + n], val[None, start + 1 : start + n + 1])
            logp = logits.double().log_softmax(-1)[0]
            total -= sum(logp[i, val[start + 1 + i]].item() for i in range(n))
            halves.append(total)
    assert got == pytest.approx(total / 74, abs=1e-6)
    assert parts == pytest.approx([halves[1] / 32, (halves[3] - halves[1]) / 32], abs=1e-6)


def test_flat_training_equals_an_ordinary_loop() -> None:
    """Flat buffers, fused AdamW and our clipping against torch's plain ones, on the same
    batches."""
    a, b = build("baseline", 0), build("baseline", 0)
    buffers = flat.flatten(a)
    fast = torch.optim.AdamW(buffers.groups(0.1), lr=1e-2, betas=(0.9, 0.99), fused=True)
    decay, rest = (
        [p for p in b.parameters() if p.dim() >= 2],
        [p for p in b.parameters() if p.dim() < 2],
    )
    plain = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0}],
        lr=1e-2,
        betas=(0.9, 0.99),
        foreach=False,
        fused=False,
    )
    from labs.devices import Precision

    precision = Precision(torch.device("cpu"), "fp32", 16)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        tokens = torch.randint(20, (4, 17), generator=generator)
        with precision.products():
            _, loss = a(tokens[:, :-1], tokens[:, 1:])
        buffers.grads.zero_()
        loss.backward()
        precision.clip(buffers.grads, 0.5, fast)
        fast.step()
        _, other = b(tokens[:, :-1], tokens[:, 1:])
        plain.zero_grad()
        other.backward()
        nn.utils.clip_grad_norm_(b.parameters(), 0.5)
        plain.step()
        assert loss.item() == pytest.approx(other.item(), abs=1e-5)
    for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-4), name


def test_plain_attention_equals_the_library() -> None:
    q, k, v = (torch.randn(2, 3, 9, 8, dtype=torch.float64, requires_grad=True) for _ in range(3))
    sdpa = nn.functional.scaled_dot_product_attention
    for scale in (None, 0.3):
        want = sdpa(q, k, v, is_causal=True, scale=scale)
        with attention.PlainAttention():
            got = sdpa(q, k, v, is_causal=True, scale=scale)
        assert torch.allclose(got, want, atol=1e-6)  # the softmax is fp32
    mask = torch.ones(9, 9, dtype=torch.bool).tril()
    with attention.PlainAttention():
        assert torch.allclose(
            sdpa(q, k, v, attn_mask=mask), sdpa(q, k, v, is_causal=True), atol=1e-6
        )
        assert torch.allclose(sdpa(q, k, v), torch.softmax(q @ k.mT / 8**0.5, -1) @ v)


class Attending(nn.Module):
    """Attention behind one projection, as a block of a learner's file has it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 2, 4).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize(
    "run",
    [
        lambda block, x: checkpoint_of_torch(block, x, use_reentrant=False),
        lambda block, x: checkpoint_of_torch(block, x, use_reentrant=True),
        lambda block, x: torch.compile(block, backend="aot_eager")(x),
        lambda block, x: torch.compile(block, backend="aot_eager", fullgraph=True)(x),
    ],
    ids=["checkpoint", "reentrant checkpoint", "compiled", "compiled as one graph"],
)
def test_a_file_that_checkpoints_or_compiles_its_blocks_trains_in_bf16(
    run: Callable[[nn.Module, torch.Tensor], torch.Tensor],
) -> None:
    torch.manual_seed(0)
    block, x = Attending(), torch.randn(2, 9, 8, requires_grad=True)
    precision = devices.Precision(torch.device("cpu"), "bf16", 9)
    grads = []
    for forward in (lambda block, x: block(x), run):
        block.zero_grad()
        with precision.products():
            loss = forward(block, x).square().mean()
        precision.backward(loss)
        assert block.qkv.weight.grad is not None
        grads.append(block.qkv.weight.grad.clone())
    assert torch.allclose(*grads, rtol=0.05, atol=1e-3)


def test_learning_rate_follows_warm_up_and_cosine() -> None:
    rates = [train.learning_rate(i, CONFIG) for i in range(40)]
    assert rates[0] == pytest.approx(1e-2 / 5)
    assert max(rates) == rates[4] == pytest.approx(1e-2)
    assert rates[14] == pytest.approx((1e-2 + 1e-3) / 2)
    assert rates[24:] == [1e-3] * 16


def test_tokens_and_their_vocabulary() -> None:
    corpus = data.tokenize("zebra äπ𝄞 " * 10)
    assert corpus.characters == "".join(sorted(set("zebra äπ𝄞 ")))
    assert corpus.train.numel() == 90
    assert "".join(corpus.characters[t] for t in corpus.train[:9]) == "zebra äπ𝄞"


def test_a_run_repeats_bit_for_bit_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    changes = {"dropout": 0.1, "max_iters": 160, "lr_decay_iters": 160}
    whole = make_study(tmp_path / "a", "s", [0], **changes)
    cut = make_study(tmp_path / "b", "s", [0], **changes)
    assert run_trainer(whole) == 0
    child = start_trainer(cut)
    deadline = time.monotonic() + 60
    while len(losses(cut, "baseline-seed0")) < 12:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    child.kill()
    child.wait()
    torn = cut / "runs" / "baseline-seed0" / "events.jsonl"
    with torn.open("ab") as file:
        file.write(b'{"type": "iter", "it')
    assert report.state(report.read(torn)) == "running"
    assert run_trainer(cut, launch=2) == 0
    for run in ("baseline-seed0", "modified-seed0"):
        assert final(cut, run) == final(whole, run), run
        assert dict(losses(cut, run)) == dict(losses(whole, run)), run
        a, b = (torch.load(s / "runs" / run / "model.pt", weights_only=True) for s in (whole, cut))
        assert all(torch.equal(a[name], b[name]) for name in a)
    starts = [e for e in report.read(torn) if e["type"] == "start"]
    assert [s["attempt"] for s in starts] == [1, 2]
    assert starts[1]["resumed_from"] >= 8


def test_the_baseline_against_a_copy_of_itself_differs_by_nothing(tmp_path: Path) -> None:
    """A file that differs by a comment trains to the same losses, and gets no verdict."""
    source = model_file("baseline").read_text() + "# the same\n"
    study = make_study(tmp_path, "same", [0, 1, 2], source=source)
    assert run_trainer(study) == 0
    base, same = (
        {seed: final(study, f"{arm}-seed{seed}") for seed in range(3)}
        for arm in ("baseline", "modified")
    )
    assert base == same
    assert len(set(base.values())) == 3, "the seeds differ"
    result = analyze(base, same, headline="paired")
    assert (result.verdict, result.reason) == ("no verdict", Reason.EQUAL)


def test_asked_to_stop_it_leaves_a_checkpoint(tmp_path: Path) -> None:
    study = make_study(tmp_path, "s", [0], max_iters=100_000, eval_interval=100_000)
    child = start_trainer(study)
    deadline = time.monotonic() + 60
    while not losses(study, "baseline-seed0"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.terminate()
    assert exit_status(child) == 0
    events = report.read(study / "runs" / "baseline-seed0" / "events.jsonl")
    assert events[-1]["state"] == "stopped"
    assert checkpoint.newest(study / "runs" / "baseline-seed0" / "checkpoints") is not None
    assert not (study / "runs" / "modified-seed0").exists()


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(tmp_path: Path) -> None:
    bad = model_file("baseline").read_text() + (
        "\n\n_forward, _calls = GPT.forward, 0\n\n\ndef forward(self, idx, "
        "targets=None):\n    global _calls\n"
        "    _calls += 1\n    logits, loss = _forward(self, idx, targets)\n"
        "    return logits, loss * float('nan') if _calls > 9 and loss is not None else loss\n"
        "\n\nGPT.forward = forward\n"
    )
    study = make_study(tmp_path, "s", [0], source=bad)
    assert run_trainer(study) == 0
    events = report.read(study / "runs" / "modified-seed0" / "events.jsonl")
    assert events[-1]["state"] == "diverged"
    assert events[-1]["iter"] == 12, "within one report of the first bad loss"
    assert [e["train_loss"] for e in events if e["type"] == "iter"][-1] is None
    assert run_trainer(study, launch=2) == 0
    assert report.read(study / "runs" / "modified-seed0" / "events.jsonl") == events, (
        "no silent retry"
    )
    assert math.isfinite(final(study, "baseline-seed0"))


def test_the_log_says_what_to_expect_before_training_and_each_iter_that_counts(
    tmp_path: Path,
) -> None:
    """Parameters, ln(vocabulary) and the loss before the first update: what one predicts by hand.
    Then what training is at: its events, in words."""
    study = make_study(tmp_path, "s", [0])
    assert run_trainer(study) == 0
    for arm in ("baseline", "modified"):
        log = (study / "runs" / f"{arm}-seed0" / "run.log").read_text()
        count = report.read(study / "runs" / f"{arm}-seed0" / "events.jsonl")[0]["n_params"]
        assert log.startswith(f"{arm} ({arm}), seed 0: {count:,} parameters\n")
        uniform = math.log(len(set(TEXT)))
        assert f"ln(vocabulary) {uniform:.4f} nats" in log
        first_loss = re.search(r"loss before training ([0-9.]+) nats", log)
        assert first_loss
        assert abs(float(first_loss[1]) - uniform) < 0.2
        events = report.read(study / "runs" / f"{arm}-seed0" / "events.jsonl")
        iters = [event["iter"] for event in events if event["type"] == "iter"]
        assert [int(number) for number in re.findall(r"iter (\d+): train loss", log)] == iters


def test_only_parameters_that_no_gradient_reached_are_reported(tmp_path: Path) -> None:
    source = model_file("baseline").read_text() + (
        "\n_build = GPT.__init__\n\n\ndef build(self, config):\n    _build(self, config)\n"
        "    self.idle = nn.Parameter(torch.ones(3))\n\n\nGPT.__init__ = build\n"
    )
    study = make_study(tmp_path, "s", [0], source=source)
    assert run_trainer(study) == 0
    for arm, silent in (("baseline", []), ("modified", [["idle"]])):
        events = report.read(study / "runs" / f"{arm}-seed0" / "events.jsonl")
        assert [e["no_gradient"] for e in events if "no_gradient" in e] == silent, arm


def test_a_log_that_the_model_closed_stops_no_training(tmp_path: Path) -> None:
    source = model_file("baseline").read_text() + "\nimport sys\nsys.stdout.close()\n"
    study = make_study(tmp_path, "s", [0], source=source)
    assert run_trainer(study) == 0
    assert math.isfinite(final(study, "modified-seed0"))


def test_a_model_that_raises_fails_with_its_own_line(tmp_path: Path) -> None:
    source = (
        model_file("baseline").read_text()
        + "\n\ndef boom(self, idx, targets=None):\n    raise RuntimeError('no')\n\n\nGPT.forward = boom\n"
    )
    study = make_study(tmp_path, "s", [0, 1], source=source)
    assert run_trainer(study) == 1
    event = report.read(study / "runs" / "modified-seed0" / "events.jsonl")[-1]
    line = source.splitlines().index("    raise RuntimeError('no')") + 1
    assert event["state"] == "failed"
    assert f"modified.py:{line}: RuntimeError: no" in event["message"]
    assert "Traceback" in (study / "runs" / "modified-seed0" / "run.log").read_text()
    assert math.isfinite(final(study, "baseline-seed1")), "the other runs go on"


def test_changed_data_is_never_trained_on(tmp_path: Path) -> None:
    study = make_study(tmp_path, "s", [0])
    plan = json.loads((study / "study.json").read_text())
    plan["data"]["sha256"] = "0" * 64
    (study / "study.json").write_text(json.dumps(plan))
    run_trainer(study)
    assert not (study / "runs" / "baseline-seed0" / "model.pt").exists()


def test_a_changed_model_file_is_never_trained(tmp_path: Path) -> None:
    study = make_study(tmp_path, "s", [0])
    with (study / "source" / "modified.py").open("a") as source:
        source.write("# one more line\n")
    assert run_trainer(study) == 1
    end = report.read(study / "runs" / "modified-seed0" / "events.jsonl")[-1]
    assert "has changed since the study was planned" in end["message"]
    assert math.isfinite(final(study, "baseline-seed0")), "the other arm's file is as planned"


def test_checkpoints_are_whole_or_not_there(tmp_path: Path) -> None:
    for i in (1, 2, 3):
        checkpoint.save(tmp_path, i, {"iter": i})
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    newest = checkpoint.newest(tmp_path)
    assert newest is not None
    assert newest["iter"] == 3
    blob = bytearray(files[-1].read_bytes())
    blob[len(blob) // 2] ^= 1
    files[-1].write_bytes(blob)
    older = checkpoint.newest(tmp_path)
    assert older is not None
    assert older["iter"] == 2


def test_a_model_file_may_call_view_on_what_it_is_given(tmp_path: Path) -> None:
    source = model_file("baseline").read_text() + (
        "\n\n_forward = GPT.forward\n\n\ndef forward(self, idx, targets=None):\n    idx.view(-1)\n"
        "    targets is None or targets.view(-1)\n    return _forward(self, idx, targets)\n"
        "\n\nGPT.forward = forward\n"
    )
    study = make_study(tmp_path, "s", [0], source=source)
    assert run_trainer(study) == 0
    assert math.isfinite(final(study, "modified-seed0"))


def test_the_val_curve_is_of_one_measure_to_its_end(tmp_path: Path) -> None:
    study = make_study(tmp_path, "s", [0], eval_interval=10)
    assert run_trainer(study) == 0
    evals = [
        e
        for e in report.read(study / "runs" / "baseline-seed0" / "events.jsonl")
        if e["type"] == "eval"
    ]
    assert [(e["iter"], e.get("final", False)) for e in evals[-2:]] == [(24, False), (24, True)]
    assert {e["tokens"] for e in evals[:-1]} == {4 * 16}
    assert evals[-1]["tokens"] > 4 * 16
