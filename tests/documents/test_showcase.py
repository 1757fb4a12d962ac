"""The replayed week of the docs: from an empty repository to the retrospective, with the commands
as typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.places import ROOT

pytestmark = pytest.mark.slow


def test_a_whole_week(fake_trainer: Callable[..., None], tmp_path: Path) -> None:
    fake_trainer(effect=-0.02, noise=0.02)
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    script = ROOT / "tools" / "docs" / "showcase" / "replay_week.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "out", "--max-iters", "20"],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    repo = tmp_path / "out" / "transformer-from-scratch"
    status = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=repo,
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    assert status.stdout == ""
    retro = (repo / "Q1_RETRO.md").read_text()
    assert re.search(r"- \[x\] .*public artifacts", retro)
    assert "- [ ]" not in retro
    assert "ran for 10 h 26 min in 10 of 10 parts, planned for " in retro
    script = tomllib.loads((script.parent / "script.toml").read_text())
    for name in ("Q1_RETRO.md", "MODIFICATION.md"):
        share = share_of_q1lab((repo / name).read_text(), script)
        assert share <= 1 / 3, f"q1lab wrote {share:.0%} of the words of {name}"
    assert "relu_squared-1" in retro
    assert (repo / "AI_EXPERT_ROADMAP.md").read_text().count("[x]") == 4
    assert "## The result: " in (repo / "MODIFICATION.md").read_text()
    assert "no claim" in done.stdout
    assert "shared in 3 channels" in done.stdout


def share_of_q1lab(text: str, script: dict[str, Any]) -> float:
    """The share of a document's words that the learner did not write. Code, tables, headings, links
    and what they ticked count for nobody."""
    text = re.sub(
        r"(?ms)^```.*?^```$|<!--.*?-->|\[[^]]*\]\(.*?\)|^(?:- \[x\]|#|\||\*\*).*?$", "", text
    )
    own = [answer for part in "abc" for answer in script[part].get("answers", {}).values()]
    own = [re.sub(r"(?ms)^```.*?^```$", "", answer) for answer in own] + [
        script["prediction"]["why"]
    ]
    own += [each["title"].partition(": ")[2] for each in script["artifacts"]] + script["papers"]
    words, flat = re.compile(r"\w+(?:[.,'’]\w+)*"), " ".join(text.split())
    shown = [answer for answer in own if " ".join(answer.split()[:3]) in flat]
    written = sum(len(words.findall(answer)) for answer in shown)
    return 1 - written / len(words.findall(text))


def test_the_code_of_the_post_runs_on_its_model() -> None:
    import torch

    from labs.models import relu_squared

    script = ROOT / "tools" / "docs" / "showcase" / "script.toml"
    post = "\n".join(tomllib.loads(script.read_text(encoding="utf-8"))["post"].values())
    assert "(B, T, C)" in post
    (code,) = (block for block in re.findall(r"(?s)```python\n(.*?)```", post) if "assert" in block)
    torch.manual_seed(0)
    config = relu_squared.GPTConfig(
        block_size=16, vocab_size=11, n_layer=2, n_head=2, n_embd=16, bias=False
    )
    exec(
        code, {"torch": torch, "model": relu_squared.GPT(config), "idx": torch.randint(11, (2, 16))}
    )
