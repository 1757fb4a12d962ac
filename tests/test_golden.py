"""The golden record: a week told by its commands, on fixed studies, word for word.

What differs from run to run (times, commits, places, versions) is put in brackets. ``UPDATE_GOLDEN=1
pytest`` writes the record anew; a person then reads its diff.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands import cli
from tests.kit import lab_home, places
from tests.kit.repos import begun, of_its_own

RECORD = places.GOLDEN / "week.txt"

WEEK = """
q1lab status --json
q1lab data --json
q1lab data text.txt --json
q1lab config --json
q1lab config
q1lab content new my-week
q1lab content check my-week --json
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
q1lab export rope-1
q1lab export rope-1 gqa-1 --format csv --json
q1lab note rope-1 "the first"
q1lab note rope-1 --tag mine
q1lab status --tag mine
q1lab keep rope-1 --yes --json
q1lab modification --yes --json
q1lab modification --json
q1lab post new --yes --json
q1lab post words --json
q1lab post lint --json
q1lab post publish https://example.org/rope --json
q1lab post share hn https://news.ycombinator.com/item?id=1 --json
q1lab post share x https://x.com/a/status/1 --json
q1lab post share linkedin https://www.linkedin.com/posts/1 --json
q1lab course kpi --json
q1lab course kpi
q1lab course artifact add talk a-talk --at https://example.org/talk
q1lab course artifact --json
q1lab course roadmap --tick 1 --yes --json
q1lab retro --yes --json
q1lab course card
q1lab export gqa-1 --format archive
q1lab delete gqa-1 --yes
q1lab restore gqa-1.q1lab.zip --name gqa-9
q1lab prune --models --older-than 0 --dry-run --json
q1lab stop rope-1
q1lab sync rope-1
q1lab status
"""

VOLATILE = [
    # how long stand-ins took: too short for an interval on a fast machine
    (r',\s*"wall_s": {\s*"low": [-0-9.e]+,\s*"high": [-0-9.e]+\s*}', ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b(?=[0-9]*[a-f])[0-9a-f]{7,64}\b", "<hash>"),
    (r"\b\d{12}\b", "<hash>"),  # a trainer's version may have digits alone
    (r"\b2\d\d\d-\d\d-\d\d\b", "<date>"),
    (r"(?m)  +(now|\d+ (min|h|d))$", "  <age>"),
    (r"\b\d+(\.\d+)? (kB|KB|MB|GB|bytes)", "<size>"),
    (r'"(python|q1lab)": "[0-9.]+"', r'"\1": "<version>"'),
    (r'"(seconds|tok_per_s|wall_s|bytes)": [0-9.e-]+', r'"\1": <n>'),
    (r"(\d\.\d{9})\d+", r"\1"),  # another processor may add up in another order
]


def masked(text: str, places_: dict[str, str]) -> str:
    for place, name in places_.items():
        text = text.replace(place, name)
    for pattern, name in VOLATILE:
        text = re.sub(pattern, name, text)
    return re.sub(r"(<time>|<date>)[^\n\"]*? ago", r"\1 ago", text)


@pytest.mark.needs_plugin("author", "notebook", "ray", "slurm")
def test_the_week_says_what_it_said(
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
    transcript = []
    for line in WEEK.strip().splitlines():
        capsys.readouterr()
        status = cli.run_command_line(shlex.split(line)[1:])
        out, err = capsys.readouterr()
        if "--json" in line and status == 0:
            json.loads(out)
        transcript.append(f"$ {line}\n{out}{err}→ {status}\n")
    text = masked(
        "\n".join(transcript), {str(repo): "<repo>", str(home): "<home>", sys.prefix: "<venv>"}
    )
    if os.environ.get("UPDATE_GOLDEN"):
        RECORD.write_text(text, encoding="utf-8")
    assert text == RECORD.read_text(encoding="utf-8")
