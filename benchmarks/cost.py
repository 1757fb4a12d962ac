"""What a verdict costs: q1lab's design against nanoGPT's protocol, from measured runs.

    python benchmarks/cost.py STUDY ... [--write]

For each study in Q1LAB_HOME: how far apart a pair's runs are, how far seeds are apart, and how far
nanoGPT's estimate of the val loss (20 batches of 12 random windows) is from the exact one, by
drawing windows for the study's own trained models. Then, by simulation with normal errors of those
sizes: the effect that n of our pairs see in 80% of studies, and how many seeds per arm nanoGPT's
protocol needs for the same effect (independent seeds, Welch's t, α = .05 in both). ``--write``
keeps it all in ``docs/results/cost.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "docs" / "results" / "cost.jsonl"

BATCHES, WINDOWS = 20, 12
"""nanoGPT's README recipe for a CPU: eval_iters 20, batch_size 12."""
DRAWN = 10 * BATCHES * WINDOWS
SIZES = (3, 5, 8)
STUDIES = 20_000
POWER = 0.8


def window_sd(study: Any, run: str) -> float:
    """The sd of one random window's mean loss, of a trained model."""
    import torch
    from torch.nn import functional

    from labs import data, loading

    torch.set_num_threads(1)  # two would wait for each other where the cores are busy
    cfg = study.config
    corpus = data.load(study.files.root.parent.parent / study.data.file, study.data.sha256)
    arm = run.partition("-")[0]
    module = loading.load(study.files.root / study.arms[arm].source)
    model = loading.build(module, cfg, corpus.vocab_size)
    model.load_state_dict(torch.load(study.files.run(run).root / "model.pt", weights_only=True))
    model.eval()
    block = cfg["block_size"]
    val = corpus.val.long()
    draw = torch.Generator().manual_seed(0)
    starts = torch.randint(len(val) - block, (DRAWN,), generator=draw)
    losses = []
    with torch.no_grad():
        for start in starts.split(WINDOWS):
            places = start[:, None] + torch.arange(block)
            inputs, targets = val[places], val[places + 1]
            logits, _ = model(inputs, targets)
            each = functional.cross_entropy(logits.mT.float(), targets, reduction="none")
            losses += each.mean(dim=1).tolist()
    return statistics.stdev(losses)


def detectable(sd: float, n: int, rng: Any) -> float:
    """The effect that n pairs see with power .8, by simulation: for each study the smallest effect
    at which its interval excludes 0 on the right side, and of those the .8 quantile."""
    from scipy import special

    draws = rng.standard_normal((STUDIES, n)) * sd
    half = special.stdtrit(n - 1, 0.975) * draws.std(axis=1, ddof=1) / math.sqrt(n)
    import numpy as np

    return float(np.quantile(half - draws.mean(axis=1), POWER))


def power(effect: float, sds: tuple[float, float], n: int, rng: Any) -> float:
    """How often Welch's interval of two independent arms of n seeds excludes 0, on the right
    side."""
    import numpy as np
    from scipy import special

    means = [sd / math.sqrt(n) * rng.standard_normal(STUDIES) for sd in sds]
    parts = [sd**2 / (n - 1) * rng.chisquare(n - 1, STUDIES) / n for sd in sds]
    both = parts[0] + parts[1]
    df = both**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (n - 1))
    half = special.stdtrit(df, 0.975) * np.sqrt(both)
    return float(np.mean(effect + means[1] - means[0] > half))


def seeds_needed(effect: float, sds: tuple[float, float], rng: Any) -> int:
    low, high = 2, 4
    while power(effect, sds, high, rng) < POWER:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if power(effect, sds, middle, rng) < POWER:
            low = middle
        else:
            high = middle
    return high


def measure(store: Any, study: Any) -> dict[str, Any]:
    import numpy as np

    from q1lab.compare import keeping

    record = keeping.compare(store, study)
    rng = np.random.default_rng(1)
    arms = ("baseline", "modified")
    seeds = sorted(record.pairs)
    pair_sd = statistics.stdev(record.pairs.values())
    seed_sds = [statistics.stdev(record.arms[arm].values[seed] for seed in seeds) for arm in arms]
    windows = [window_sd(study, f"{arm}-seed{seeds[0]}") for arm in arms]
    noise = [sd / math.sqrt(BATCHES * WINDOWS) for sd in windows]
    first, second = (math.hypot(a, b) for a, b in zip(seed_sds, noise, strict=True))
    rows = []
    for n in SIZES:
        effect = detectable(pair_sd, n, rng)
        rows.append(
            {"pairs": n, "sees": effect, "seeds": seeds_needed(effect, (first, second), rng)}
        )
    return {
        "variant": study.variant,
        "iters": study.max_iters,
        "measured_on": len(seeds),
        "pair_sd": pair_sd,
        "seed_sds": seed_sds,
        "window_sds": windows,
        "apart_sd": math.hypot(first, second),
        "rows": rows,
    }


def main() -> None:
    from q1lab.index.store import Store
    from q1lab.study import studies

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("studies", nargs="+")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    found = []
    with Store() as store:
        for study_id in args.studies:
            found.append(measure(store, studies.load(study_id)))
            print(json.dumps(found[-1]), flush=True)
    if args.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("".join(json.dumps(one) + "\n" for one in found))


if __name__ == "__main__":
    main()
