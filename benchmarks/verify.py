"""How far the same run's losses lie apart on other instruction sets, up to its first evaluation.

    python benchmarks/verify.py TEXT [--preset cpu] [--python OTHER/bin/python]

One run of each model file trains as here, and again with what PyTorch and oneDNN may use capped;
with --python once more with another PyTorch. Printed is the largest relative difference of the
first losses and of the first evaluation, and what lies between two seeds. `q1lab verify` compares
within ``retraining.NEARLY``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from q1lab.retraining import record_of
from q1lab.study.presets import PRESETS
from q1lab.study.sameness import FIRST_LOSSES

ROOT = Path(__file__).resolve().parent.parent
CAPS: dict[str, dict[str, str]] = {
    "AVX-512 without bf16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2 in oneDNN": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX2 in both": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "no AVX in PyTorch": {"ATEN_CPU_CAPABILITY": "default"},
    "two threads": {"THREADS": "2"},
}


def train(text: Path, plan: dict[str, Any], seed: int, env: dict[str, str], python: str) -> Any:
    """The record of one run."""
    with tempfile.TemporaryDirectory() as name:
        study = Path(name, "studies", "one")
        (study / "source").mkdir(parents=True)
        Path(name, "data").mkdir()
        Path(name, plan["data"]["file"]).write_bytes(text.read_bytes())
        (study / "source" / "m.py").write_bytes(Path(plan["model"]).read_bytes())
        threads = env.get("THREADS", "1")
        plan = {**plan, "threads": int(threads), "looks": [[seed]]}
        (study / "study.json").write_text(json.dumps(plan))
        command = [python, "-P", "-m", "labs.train", str(study), "--only", f"baseline-seed{seed}"]
        more = {"OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT), **env}
        subprocess.run([*command, "--alone"], env={**os.environ, **more}, check=True, cwd=name)
        return record_of(study / "runs" / f"baseline-seed{seed}" / "events.jsonl")


def apart(one: Any, other: Any) -> tuple[float, float]:
    """(largest relative difference of the first losses, that of the first evaluation)."""
    pairs = [(one.losses[at], other.losses[at]) for at in range(1, FIRST_LOSSES + 1)]
    at = min(one.evals)
    return max(abs(a / b - 1) for a, b in pairs), abs(one.evals[at] / other.evals[at] - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--dtype", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--python", help="of another environment, with another PyTorch")
    args = parser.parse_args()
    data = args.text.read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    config = dict(PRESETS[args.preset])
    config["max_iters"] = config["eval_interval"]  # its learning rates stay those of the whole run
    print(f"{'model':10}{'format':8}{'where':24}{'first losses':>14}{'first evaluation':>18}")
    for model in ("baseline", "rope", "rmsnorm", "swiglu", "gqa"):
        for dtype in args.dtype:
            plan: dict[str, Any] = {
                "data": {"file": f"data/{sha}.txt", "sha256": sha},
                "arms": {"baseline": {"variant": model, "source": "source/m.py"}},
                "model": str(ROOT / "labs" / "models" / f"{model}.py"),
                "config": {**config, **({"n_kv_head": 2} if model == "gqa" else {})},
                "device": "cpu",
                "dtype": dtype,
            }
            plan["config"]["compile"] = "off"
            here = train(args.text, plan, 0, {}, sys.executable)

            def said(where: str, other: Any, here: Any = here, of: Any = (model, dtype)) -> None:
                first, evaluated = apart(here, other)
                row = f"{of[0]:10}{of[1]:8}{where:24}{first:>14.1e}{evaluated:>18.1e}"
                print(row, flush=True)

            for where, env in CAPS.items():
                said(where, train(args.text, plan, 0, env, sys.executable))
            if args.python:
                said("another PyTorch", train(args.text, plan, 0, {}, args.python))
            said("another seed", train(args.text, plan, 1, {}, sys.executable))


if __name__ == "__main__":
    main()
