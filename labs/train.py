"""Train the runs of a study: ``python -m labs.train STUDY_DIR --launch N``.

One process imports torch once and then takes one run after the other from the study's plan, in
order, until none is left; several such processes share a plan by claiming runs. It reads
``study.json`` and the copies of the model files and writes, for each run, ``events.jsonl`` and
checkpoints. It knows nothing of who watches.

What makes it fast is here, not in the model files: bf16 products where the processor has them, the
faster library for fp32 ones (labs/linear.py), plain attention at short lengths on a CPU, one flat
buffer for all weights (labs/flat.py), one gather a batch, and a malloc that keeps its memory.
Weights, norms, softmax and loss stay fp32.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import io
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.torch_import import torch

# isort: split
from torch import Tensor, nn

from labs import checkpoint, data, devices, flat, keyed, loading, report, torch_private
from labs.sharing import (
    holding,
    inside,
    leash,
    output_to,
    planned,
    stop_by_file,
    stop_files,
    stop_options,
    take,
)

FINAL = ("finished", "diverged")
FIRST = 8
"""Iters at the beginning whose losses are logged one by one, whatever ``log_interval`` is: two runs
that train the same are known by them."""
OUT_OF_MEMORY = 75
"""Exit status that tells the runner: this many at once don't fit."""


class Stop(Exception):
    """Somebody asked this process to stop (SIGTERM)."""


stop_asked = False


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m labs.train", description=__doc__.splitlines()[0]
    )
    parser.add_argument("study", type=Path, help="the study's folder")
    parser.add_argument(
        "--launch", type=int, default=1, help="number of this launch; each run starts once in it"
    )
    parser.add_argument("--alone", action="store_true", help="no other trainer shares the device")
    stop_options(parser)
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ask_to_stop)
    if args.leash:
        leash(ask_to_stop)
    if args.only:
        stop_by_file(stop_files(args.study, args.launch, args.only), ask_to_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # everything written here is private to the user
    devices.keep_memory()
    plan = json.loads((args.study / "study.json").read_text())
    torch.set_num_threads(plan["threads"])

    @functools.cache
    def corpus() -> data.Corpus:
        return data.load(
            inside(args.study.parent.parent, plan["data"]["file"]), plan["data"]["sha256"]
        )

    failed = False
    runs = planned(plan, args.only)
    if not runs:
        parser.error(f"--only {args.only}: the plan has no such run")
    for arm, seed in runs:
        folder = args.study / "runs" / f"{arm}-seed{seed}"
        claim = args.study / "claims" / f"{args.launch}-{folder.name}"
        if stop_asked:
            return 0
        if report.state(report.read(folder / "events.jsonl")) in FINAL or not (
            args.only or take(claim)
        ):
            continue
        with holding(folder / "lock"), output_to(folder / "run.log"):
            if report.state(report.read(folder / "events.jsonl")) in FINAL:
                continue  # it ended while this trainer waited for the lock
            state = attempt(
                args.study, plan, arm, seed, corpus, folder, alone=args.alone or bool(args.only)
            )
        if state == "out of memory":
            claim.unlink()
            return OUT_OF_MEMORY
        failed = failed or state == "failed"
    return 1 if failed else 0


@dataclass(frozen=True)
class Attempt:
    """One attempt at one run of a plan."""

    plan: dict[str, Any]
    arm: str
    seed: int
    number: int
    source: Path
    """The copy of the model file that trains."""
    folder: Path

    @property
    def drawn(self) -> int:
        """The seed that weights and batches are drawn with: where a file is compared with itself,
        one arm draws with other seeds (q1lab's trainer.py)."""
        shift: int = self.plan.get("seed_shift", {}).get(self.arm, 0)
        return self.seed + shift


def attempt(
    study: Path,
    plan: dict[str, Any],
    arm: str,
    seed: int,
    corpus: Callable[[], data.Corpus],
    folder: Path,
    *,
    alone: bool,
) -> str:
    """One attempt at one run, from its start event to its exit event; returns the state it ended
    in."""
    events = folder / "events.jsonl"
    before = report.read(events)
    number = 1 + sum(event.get("type") == "start" for event in before)
    say = report.Report(events, report.seconds(before))
    source = inside(study, plan["arms"][arm]["source"])
    try:
        return train(say, Attempt(plan, arm, seed, number, source, folder), corpus())
    except Stop:
        say("exit", state="stopped", message="stopped; the same command goes on")
        return "stopped"
    except (loading.ModelError, data.DataError) as error:
        say("exit", state="failed", message=str(error))
        return "failed"
    except Exception as error:
        # the log may be on a full disk, or closed by the model
        with contextlib.suppress(OSError, ValueError):
            traceback.print_exc()
        if devices.is_out_of_memory(error) and not alone:
            why = "out of memory; goes on with fewer runs at once"
            say("exit", state="stopped", message=why)
            return "out of memory"
        say("exit", state="failed", message=why_it_failed(error, source, folder))
        return "failed"
    finally:
        say.close()


def why_it_failed(error: Exception, source: Path, folder: Path) -> str:
    """The reason, in a line, for an error that stopped a training."""
    if devices.is_out_of_memory(error):
        return f"out of memory: {first_line(error)}"[:300]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({folder}); free some space, then go on"
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({error.filename or folder})"
    return loading.describe(error, source)


def planned_precision(plan: dict[str, Any]) -> devices.Precision:
    """The device and number format of a plan. ModelError where this machine lacks them: a study may
    be planned on another one than it trains on."""
    cfg = plan["config"]
    try:
        device = torch.device(devices.choose(plan["device"]))
        devices.choose_dtype(plan["dtype"], device.type)
    except ValueError as error:
        raise loading.ModelError(f"planned for {plan['device']} {plan['dtype']}: {error}") from None
    return devices.Precision(
        device, plan["dtype"], cfg["block_size"], compiled=cfg["compile"] == "on"
    )


class Since:
    """The losses and gradient norms since the last report."""

    def __init__(self, device: torch.device) -> None:
        self.total = torch.zeros((), device=device)
        self.largest = torch.zeros((), device=device)
        self.iters, self.mark = 0, time.perf_counter()

    def add(self, loss: Tensor, norm: Tensor) -> None:
        self.total += loss.detach()
        self.largest = torch.maximum(self.largest, norm)
        self.iters += 1

    def begin_anew(self) -> None:
        self.total.zero_()
        self.largest.zero_()
        self.iters = 0


def train(say: report.Report, run: Attempt, corpus: data.Corpus) -> str:
    """The whole loop. Returns ``finished`` or ``diverged``; raises Stop when asked to stop."""
    plan, cfg = run.plan, run.plan["config"]
    precision = planned_precision(plan)
    device = precision.device

    # model: built on the CPU with keyed weights (the same on every device), then moved and
    # flattened
    module = loading.load(run.source, plan["arms"][run.arm]["sha256"])
    model = keyed.build(lambda: loading.build(module, cfg, corpus.vocab_size), run.drawn).to(device)
    buffers = flat.flatten(model)
    adamw = torch_private.AdamW(
        buffers.groups(cfg["weight_decay"]),
        lr=cfg["learning_rate"],
        betas=(cfg["beta1"], cfg["beta2"]),
        fused=device.type in ("cpu", "cuda"),
    )
    batches = data.Batches(corpus.train, run.drawn, cfg["batch_size"], cfg["block_size"], device)
    val = corpus.val.to(device)
    some = data.windows(corpus.val, cfg["block_size"], cfg["eval_windows"])
    tokens_per_iter = cfg["batch_size"] * cfg["block_size"]

    # go on where an earlier attempt left a checkpoint
    first, spent = 0, 0.0
    saved = checkpoint.newest(run.folder / "checkpoints")
    if saved is not None:
        with torch.no_grad():
            buffers.weights.copy_(saved["weights"])
        adamw.load_state_dict(saved["adamw"])
        precision.load(saved["scaler"])
        devices.set_rng_state(device, saved["rng"])
        first, spent = saved["iter"], saved["spent"]
    say_start(say, run, model, corpus, first)
    step = devices.compiled(model, cfg["compile"], device, say)

    def save(i: int) -> None:
        state = {
            "iter": i,
            "spent": spent,
            "weights": buffers.weights,
            "adamw": adamw.state_dict(),
            "scaler": precision.state(),
            "rng": devices.rng_state(device),
        }
        checkpoint.save(run.folder / "checkpoints", i, state)

    model.train()
    since = Since(device)
    silent = flat.trained_names(model)  # parameters that no gradient has reached yet
    for i in range(first, cfg["max_iters"]):
        if stop_asked:
            save(i)
            raise Stop
        for group in adamw.param_groups:
            group["lr"] = learning_rate(i, cfg)

        inputs, targets = batches(i)
        with precision.products():
            _, loss = step(inputs, targets)
        if i == 0:
            tell(f"loss before training {loss.item():.4f} nats: the first batch, no update yet")
        buffers.grads.zero_()
        precision.backward(loss)
        norm = precision.clip(buffers.grads, cfg["grad_clip"], adamw)
        if i < FIRST:
            silent &= flat.without_gradient(model)
        precision.step(adamw)

        since.add(loss, norm)
        done = i + 1
        last = done == cfg["max_iters"]
        if not (done <= FIRST or done % cfg["log_interval"] == 0 or last):
            continue
        mean = since.total.item() / since.iters
        now = time.perf_counter()
        spent += now - since.mark
        say(
            "iter",
            iter=done,
            train_loss=mean,
            # a chart has every number that is named here
            numbers={"lr": learning_rate(i, cfg), "grad_norm": since.largest.item()},
            **({"no_gradient": sorted(silent)} if silent and done == FIRST else {}),
            tok_per_s=round(since.iters * tokens_per_iter / (now - since.mark), 1),
        )
        tell(f"iter {done}: train loss {mean:.4f} nats")
        if not math.isfinite(mean):
            why = f"the loss was not finite by iter {done}"
            speed = round(done * tokens_per_iter / spent, 1)
            say("exit", state="diverged", iter=done, message=why, tok_per_s=speed)
            return "diverged"
        since.begin_anew()
        # the last one too: a curve is of one measure to its end
        if last or done % cfg["eval_interval"] == 0:
            with precision.exactly():
                mid, _ = evaluate(model, val, some)
            say("eval", iter=done, val_loss=mid, tokens=sum(n for _, n in some))
            tell(f"iter {done}: val loss {mid:.4f} nats over {len(some)} windows")
            if not last:
                save(done)
        since.mark = time.perf_counter()

    # the number that counts: every validation target once, the weights as they are after the last
    # iter
    everything = data.windows(corpus.val, cfg["block_size"])
    with precision.exactly():
        val_loss, parts = evaluate(model, val, everything, max(1, min(64, len(everything) // 32)))
    targets = val.numel() - 1
    say("eval", iter=cfg["max_iters"], val_loss=val_loss, tokens=targets, final=True, parts=parts)
    tell(f"val loss at the end {val_loss:.4f} nats over the whole validation text")
    if not math.isfinite(val_loss):
        why = "the final val loss was not finite"
        say("exit", state="diverged", iter=cfg["max_iters"], message=why)
        return "diverged"
    buffer = io.BytesIO()
    torch.save({name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}, buffer)
    checkpoint.write(run.folder / "model.pt", buffer.getbuffer())
    speed = round(cfg["max_iters"] * tokens_per_iter / spent, 1)
    say("exit", state="finished", iter=cfg["max_iters"], val_loss=val_loss, tok_per_s=speed)
    checkpoint.clear(run.folder / "checkpoints")
    return "finished"


def say_start(
    say: report.Report, run: Attempt, model: nn.Module, corpus: data.Corpus, first: int
) -> None:
    """Say under what conditions a run begins, or goes on after iter ``first``."""
    plan, n_params = run.plan, sum(p.numel() for p in model.parameters())
    variant = plan["arms"][run.arm]["variant"]
    say(
        "start",
        v=1,
        arm=run.arm,
        variant=variant,
        seed=run.seed,
        **({} if run.drawn == run.seed else {"drawn_with": run.drawn}),
        attempt=run.number,
        pid=os.getpid(),
        resumed_from=first,
        config=plan["config"],
        n_params=n_params,
        device=plan["device"],
        processor=devices.processor(),
        dtype=plan["dtype"],
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )
    tell(
        f"{run.arm} ({variant}), seed {run.seed}: {n_params:,} parameters",
        f"ln(vocabulary) {math.log(corpus.vocab_size):.4f} nats: "
        f"each of {corpus.vocab_size} characters guessed equally often",
        *([f"goes on after iter {first}"] if first else []),
    )


def learning_rate(i: int, cfg: dict[str, Any]) -> float:
    """Linear warm-up, cosine decay to ``min_lr``, then constant (nanoGPT's schedule). ``i`` counts
    from 0."""
    peak, low = float(cfg["learning_rate"]), float(cfg["min_lr"])
    if i < cfg["warmup_iters"]:
        return peak * (i + 1) / (cfg["warmup_iters"] + 1)
    if i >= cfg["lr_decay_iters"]:
        return low
    share = (i - cfg["warmup_iters"]) / (cfg["lr_decay_iters"] - cfg["warmup_iters"])
    return low + 0.5 * (1 + math.cos(math.pi * share)) * (peak - low)


def tell(*lines: str) -> None:
    """Lines for the run's log, which a person reads. A log on a full disk, or closed by the model
    file, stops no training."""
    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            print(line, flush=True)


@torch.no_grad()
def evaluate(
    model: nn.Module, val: Tensor, windows: list[tuple[int, int]], batch: int = 64
) -> tuple[float, list[float]]:
    """Mean loss in nats per target over ``windows`` of the validation tokens, in fp32 whatever
    training uses; and that of each part of ``batch`` whole windows, in their order."""
    model.eval()
    total, count, parts = 0.0, 0, []
    for k in range(0, len(windows), batch):
        chunk = windows[k : k + batch]
        while chunk:  # windows of equal length go together; the last one may be shorter
            length = chunk[0][1]
            same = [start for start, n in chunk if n == length]
            chunk = [(start, n) for start, n in chunk if n != length]
            starts = torch.tensor(same, device=val.device)[:, None]
            window = val[starts + torch.arange(length + 1, device=val.device)].long()
            _, loss = model(window[:, :-1].contiguous(), window[:, 1:].contiguous())
            total += loss.item() * len(same) * length
            count += len(same) * length
            if len(same) == batch:
                parts.append(loss.item())
    model.train()
    return total / count, parts


def ask_to_stop(*_: object) -> None:
    global stop_asked
    stop_asked = True


def first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


if __name__ == "__main__":
    sys.exit(main())
