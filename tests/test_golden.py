"""A week told by its commands, on fixed studies: each of them works, and the keys of its ``--json``
are those that a program may know.

After a wanted change of keys: ``UPDATE_GOLDEN=1 pytest tests/test_golden.py``, and read the diff.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands import cli
from tests.kit import lab_home, places
from tests.kit.repos import begun, of_its_own

WEEK = """
q1lab status --json
q1lab data --json
q1lab data text.txt --json
q1lab config --json
q1lab config
q1lab new rope --json
q1lab diff rope
q1lab hint rope
q1lab predict rope --direction lower --size 0.02 --matters 0.01 --sure 80 --json
q1lab paper add RoFormer --link https://arxiv.org/abs/2104.09864
q1lab paper done RoFormer --depth skim
q1lab paper --json
q1lab run swiglu --seeds 3 --max-iters 20 --data text.txt --wandb disabled --json
q1lab run rmsnorm gqa --seeds 3 --max-iters 20 --data text.txt --wandb disabled --json
q1lab status
q1lab compare rope-1
q1lab compare rope-1 --full
q1lab compare rope-1 --json
q1lab plan rope --detect 0.01 --json
q1lab plan rope
q1lab compare swiglu-1
q1lab compare gqa-1 --json
q1lab export rope-1 rope-1.json
q1lab export rope-1 gqa-1 runs.csv --json
q1lab export rope-1 rope-1/
q1lab modification --yes --json
q1lab modification --json
q1lab post --yes --json
q1lab post lint --json
q1lab post publish https://example.org/rope --json
q1lab post share hn https://news.ycombinator.com/item?id=1 --json
q1lab post share x https://x.com/a/status/1 --json
q1lab post share linkedin https://www.linkedin.com/posts/1 --json
q1lab course kpi --json
q1lab course kpi
q1lab course artifact add talk a-talk --at https://example.org/talk
q1lab course artifact --json
q1lab course roadmap --tick 5 --yes --json
q1lab retro --yes --json
q1lab export gqa-1 gqa-1.zip
q1lab delete gqa-1 --yes
q1lab restore gqa-1.zip --name gqa-9
q1lab delete --empty --dry-run --json
q1lab stop rope-1
q1lab status
q1lab stop rope-1 --json
q1lab attach rope-1 --json
q1lab judge --baseline 2.5,2.6,2.7 --modified 2.1,2.2,2.4 --better lower --json
q1lab export rope-1 rope-1.zip --json
q1lab verify rope-1.zip --cells 0 --json
q1lab restore rope-1.zip --name rope-9 --json
q1lab delete rope-9 --yes --json
q1lab post export --output out --json
q1lab take kata.py --json
q1lab hint rope --json
q1lab diff ./rope.py --json
q1lab check rope.py --for rope --json
q1lab merge rope.py --base model.py --yes --json
q1lab doctor --json
q1lab compare none --json
"""
KEYS = places.GOLDEN / "json_keys.txt"
# These studies were not trained: what is verified is refused.
REFUSED = {"q1lab compare none --json": 2, "q1lab verify rope-1.zip --cells 0 --json": 20}


# The keys of these are names of what a person has, or told at another command.
OPEN = ("packages", "comparison")


def keys(value: Any, path: str = "") -> Iterator[str]:
    """The path of each value in a record: ``studies[].runs[].seed``."""
    if isinstance(value, dict) and value and not path.endswith(OPEN):
        for name, inner in value.items():
            yield from keys(inner, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for inner in value:
            yield from keys(inner, f"{path}[]")
    else:
        yield path.removeprefix(".") or "nothing"


def test_the_weeks_commands_work(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_trainer: Callable[..., None],
) -> None:
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.delenv("Q1LAB_WANDB")
    model = (places.ROOT / "labs" / "models" / "baseline.py").read_text()
    roadmap = "# Roadmap\n\n## M03-W04\n\n- [ ] Read one paper\n- [ ] Publish the post\n"
    repo = begun(tmp_path / "mine", {"model.py": model, "AI_EXPERT_ROADMAP.md": roadmap})
    monkeypatch.chdir(repo)
    (repo / "text.txt").write_text("".join(f"{n} is a line of text.\n" for n in range(20_000)))
    for number, (variant, effect) in enumerate(
        {"rope": -0.05, "swiglu": -0.004, "gqa": 0.03}.items()
    ):
        created = f"2026-03-0{7 + number}T09:30:00+00:00"
        lab_home.finish(lab_home.make_study(f"{variant}-1", variant, created=created), effect)
    told: list[str] = []
    alike: dict[tuple[str, ...], str] = {}
    for line in WEEK.strip().splitlines():
        capsys.readouterr()
        status = cli.run_command_line(shlex.split(line)[1:])
        out, err = capsys.readouterr()
        assert status == REFUSED.get(line, 0), f"{line}: {err}"
        if line.startswith("q1lab new"):
            (repo / "rope.py").write_text((places.MODELS / "rope.py").read_text())
        if "--json" in line:
            of_line = tuple(sorted({f"  {key}" for key in keys(json.loads(out))}))
            same = alike.setdefault(of_line, line)
            told += [line, *([f"  as {same}"] if same != line else of_line)]
    if os.environ.get("UPDATE_GOLDEN"):
        KEYS.write_text("\n".join(told) + "\n")
    assert told == KEYS.read_text().splitlines()
