"""A trainer without torch: the same protocol as ``python -m labs.train``, a run in some hundredths
of a second.

``FAKE_TRAIN`` (JSON) says how it behaves: ``effect`` (modified − baseline), ``noise``, ``pause``
seconds an event, and lists of run names that ``diverge``, ``fail``, ``crash`` (kill -9 of itself),
``deaf`` (ignores SIGTERM), ``oom`` (out of memory unless alone). ``points`` is how many events of
training each run writes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from labs import report
from labs.sharing import (
    holding,
    leash,
    output_to,
    stop_by_file,
    stop_files,
    stop_options,
    take,
)

stop = False


def ask_to_stop(*_: object) -> None:
    global stop
    stop = True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    parser.add_argument("--launch", type=int, default=1)
    parser.add_argument("--alone", action="store_true")
    stop_options(parser)
    args = parser.parse_args()
    if args.leash:
        leash(ask_to_stop)
    if args.only:
        stop_by_file(stop_files(args.study, args.launch, args.only), ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    how = json.loads(os.environ.get("FAKE_TRAIN", "{}"))
    plan = json.loads((args.study / "study.json").read_text())
    for seed in [seed for look in plan["looks"] for seed in look]:
        for arm in ("baseline", "modified"):
            folder = args.study / "runs" / f"{arm}-seed{seed}"
            if stop:
                return 0
            if args.only not in (None, folder.name):
                continue
            claim = args.study / "claims" / f"{args.launch}-{folder.name}"
            if report.state(report.read(folder / "events.jsonl")) in (
                "finished",
                "diverged",
            ) or not (args.only or take(claim)):
                continue
            with holding(folder / "lock"), output_to(folder / "run.log"):
                if report.state(report.read(folder / "events.jsonl")) in ("finished", "diverged"):
                    continue
                if folder.name in how.get("oom", []) and not args.alone:
                    claim.unlink()
                    return 75
                run(plan, arm, seed, folder, how)
    return 0


def run(plan, arm, seed, folder, how):  # type: ignore[no-untyped-def]
    name = folder.name
    events = folder / "events.jsonl"
    before = report.read(events)
    number = 1 + sum(e["type"] == "start" for e in before)
    iters = plan["config"]["max_iters"]
    first = max((e["iter"] for e in before if e["type"] == "iter"), default=0) if number > 1 else 0
    say = report.Report(events)
    say(
        "start",
        v=1,
        arm=arm,
        seed=seed,
        attempt=number,
        pid=os.getpid(),
        resumed_from=first,
        n_params=1000,
        **{key: plan.get(key) for key in ("device", "dtype", "threads")},
        torch="none",
        processor="fake",
    )
    print(f"training {name}, attempt {number}")
    if name in how.get("deaf", []):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            time.sleep(120)
            os._exit(0)
    shift = plan.get("seed_shift", {}).get(arm, 0)
    same = plan["arms"]["baseline"]["sha256"] == plan["arms"]["modified"]["sha256"]
    effect = how.get("effect", -0.1) if arm == "modified" and not same else 0
    shared = random.Random(seed + shift).gauss(0, how.get("noise", 0.01))
    own_noise = random.Random(f"{arm}{seed}").gauss(0, how.get("noise", 0.01) / 3)
    final = 1.9 + shared + own_noise + effect
    every = max(1, iters // how.get("points", 10))
    # two arms begin alike where their code makes as many calls: a renamed local changes no loss
    code = (folder.parent.parent / plan["arms"][arm]["source"]).read_text()
    begins = random.Random(f"{seed + shift} {code.count('(')}")
    for i in range(1, min(8, iters) + 1 if first == 0 else 0):
        say(
            "iter",
            iter=i,
            train_loss=begins.gauss(4.2, 0.1),
            numbers={"lr": 1e-5},
            tok_per_s=20000.0,
        )
    for i in range(first + every, iters + 1, every):
        if stop and name not in how.get("deaf", []):
            say(
                "exit", state="stopped", iter=i - every, message="stopped; the same command goes on"
            )
            return
        time.sleep(how.get("pause", 0.0))
        loss = (
            float("nan")
            if name in how.get("diverge", []) and i > iters // 2
            else final + 2.0 * (1 - i / iters)
        )
        if i > 8 or first or loss != loss:
            say("iter", iter=i, train_loss=loss, numbers={"lr": 1e-3}, tok_per_s=20000.0 + seed)
        if loss != loss:
            say("exit", state="diverged", iter=i, message=f"the loss was not finite by iter {i}")
            return
        if i >= iters // 2:
            if name in how.get("crash", []) and number == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if name in how.get("fail", []) and number == 1:
                say(
                    "exit",
                    state="failed",
                    iter=i,
                    message="model.py:7: ValueError: a planned failure",
                )
                return
            say("eval", iter=i, val_loss=loss, tokens=4096)
    say("eval", iter=iters, val_loss=final, tokens=111_539, final=True)
    say("exit", state="finished", iter=iters, val_loss=final, tok_per_s=20000.0 + seed)
    say.close()


if __name__ == "__main__":
    sys.exit(main())
