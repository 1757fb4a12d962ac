"""A learner meets no measured result of a modification before their own verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from q1lab.week.content import load_week
from q1lab.week.lint import _lint_open_pages
from q1lab.week.result_leaks import ResultNumber, picture_text, result_numbers, written_results
from tests.kit.places import ROOT
from tests.week.test_content import MIX, SHIPPED, TOML, edit, said

VARIANTS = ("rmsnorm", "rope", "swiglu", "gqa")

RESULTS = """\
[[results]]
preset = "quick"
variant = "rye"
data = "shakespeare"
pairs = 3
mean = -0.1573
low = -0.1645
high = -0.1501
sd = 0.0086
pair_sd = 0.0029
source = "q1lab run rye --preset quick --data shakespeare --seeds 3"

[[results]]
preset = "quick"
variant = "salt"
data = "shakespeare"
pairs = 3
mean = 0.2378
low = 0.2257
high = 0.2499
sd = 0.0024
pair_sd = 0.0049
source = "q1lab run salt --preset quick --data shakespeare --seeds 3"
"""
VERDICT = """\

- [ ] See both {#knead-compare done_when="comparison seen"}

```q1lab command
command = "q1lab compare {variant}"
```

- [ ] Say which is better {#knead-verdict kind=write}

It rose by {measured.quick.rye}.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "week.toml").write_text(
        TOML.replace('default = "rye"', 'default = "rye"\nresults = "results.toml"').replace(
            'guide = "rye.md"\n', ""
        )
    )
    (tmp_path / "results.toml").write_text(RESULTS)
    (tmp_path / "mix.md").write_text(MIX + VERDICT)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "salt.py").write_text('"""An experiment of the week."""\n')
    return tmp_path


LEAKS = [
    ("It rose by {measured.quick.rye.mean}.", "part 'knead' shows {measured.quick.rye.mean}"),
    ("It rose by 0.157, we found.", "part 'knead' shows 0.157, a result of rye"),
    (
        "- [ ] Wait {#wait}\n  It is −0.1645.",
        "step 'wait' shows −0.1645, a result of rye",
    ),
]


@pytest.mark.parametrize(("text", "finding"), LEAKS)
def test_a_result_before_the_verdict_is_named_with_its_step(
    folder: Path, text: str, finding: str
) -> None:
    assert said(folder) == []
    edit(folder / "mix.md", "First.", text)
    (leak,) = said(folder)
    assert re.match(rf"mix\.md:3[12]: {re.escape(finding)}", leak)
    assert leak.endswith("before 'knead-verdict'; move it below")


NO_LEAKS = [
    "It rose by 0.16, +0.157 or 0.1574, 30.157 or v0.157.",  # rounder, another sign, other digits
    "Without salt {measured.quick.salt.mean} (`results.toml`).",  # the week's own experiment
    "Pairs spread by {measured.quick.rye.sd} (`results.toml`).",
]


@pytest.mark.parametrize("text", NO_LEAKS)
def test_other_numbers_are_no_leak(folder: Path, text: str) -> None:
    edit(folder / "mix.md", "First.", text)
    assert said(folder) == []


def test_pages_that_are_always_open_hold_no_result(folder: Path) -> None:
    (folder / "files" / "rise.svg").write_text("<svg><path d='0.157'/><text>−0.157</text></svg>")
    (folder / "hints").mkdir()
    (folder / "hints" / "rye.md").write_text("# Hints\n\nIt helps by 0.1573.\n")
    assert [leak.partition(" is a result of rye")[0] for leak in said(folder)] == [
        "files/rise.svg:1: −0.157",
        "hints/rye.md:3: 0.1573",
    ]


def card_numbers() -> list[ResultNumber]:
    """Every difference and every loss of a modification that docs/card.md was made from."""
    lines = (ROOT / "docs" / "results" / "card.jsonl").read_text().splitlines()
    numbers = []
    for row in map(json.loads, lines):
        if row["kind"] == "study":
            for field in ("mean", "low", "high"):
                numbers.append(ResultNumber(row[field], row["variant"], is_mean=field == "mean"))
        elif row["kind"] == "run" and row["model"] in VARIANTS:
            numbers.append(ResultNumber(row["val_loss"], row["model"], is_loss=True))
    return numbers


def test_before_the_week_nothing_shows_a_result() -> None:
    """README with its pictures, every command's help, the glossary, hints and files."""
    week = load_week(SHIPPED)
    assert list(_lint_open_pages(week)) == []
    numbers = [*result_numbers(week.numbers.measured), *card_numbers()]
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"\((docs/screens/\w+\.svg)\)", readme)
    assert pictures
    pages = {"README.md": readme, "commands.md": (ROOT / "docs" / "commands.md").read_text()}
    pages |= {name: picture_text((ROOT / name).read_text()) for name in pictures}
    for file in (*(SHIPPED / "files").glob("*.*"), *(SHIPPED / "hints").glob("*.md")):
        pages[file.name] = picture_text(file.read_text())
    leaks = [
        (name, leak.number, leak.result.description)
        for name, text in pages.items()
        for leak in written_results(text, numbers)
    ]
    assert leaks == []


def test_the_first_run_is_of_a_change_that_the_week_does_not_offer() -> None:
    makefile = (ROOT / "Makefile").read_text()
    variant = re.search(r"(?m)^VARIANT \?= (\w+)$", makefile)
    assert variant
    offered = {variant.name for variant in load_week(SHIPPED).variants}
    assert variant[1] not in {*offered, "llama"}
    for name in ("film", "verdict"):
        picture = picture_text((ROOT / "docs" / "screens" / f"{name}.svg").read_text())
        assert not offered & set(re.findall(r"\w+", picture))
