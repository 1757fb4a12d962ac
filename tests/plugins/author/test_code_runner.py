"""The code of a week is run: blocks of Python, scripts, figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.plugins.author import code_runner
from q1lab.week.content import load_week
from q1lab.week.syllabus import Fold, Week
from tests.kit.places import ROOT
from tests.kit.small_weeks import check_week, edit, said


@pytest.fixture(scope="module", params=["course", "alone"])
def week(request: pytest.FixtureRequest) -> Week:
    return load_week(ROOT / "content", course=request.param == "course")


def test_every_block_of_python_runs(week: Week) -> None:
    assert [
        str(finding) for finding in code_runner.run_blocks(week, ROOT / "labs" / "models")
    ] == []
    assert len(week.code) > 20


def test_a_block_that_fails_is_named_with_its_line(folder: Path) -> None:
    edit(folder / "mix.md", "First.", "First.\n\n```python\nx = 1\n1 / 0\n```")
    assert said(folder) == []
    failures = code_runner.run_blocks(load_week(folder), ROOT / "labs" / "models")
    assert [str(failure) for failure in failures] == [
        "mix.md:35: this block of Python fails: ZeroDivisionError: division by zero"
    ]


def test_a_script_whose_assertion_fails_is_named_with_its_line(folder: Path) -> None:
    (folder / "files").mkdir(exist_ok=True)
    head = "import sys\nfrom model import GPT\n"
    (folder / "files" / "right.py").write_text(f"{head}sys.exit()\n")
    (folder / "files" / "wrong.py").write_text(f"{head}import rope\nassert not rope.GPT, 'wrong'\n")
    models = ROOT / "labs" / "models"
    assert code_runner.run_blocks(load_week(folder), models) == []
    assert [
        str(failure) for failure in code_runner.run_blocks(load_week(folder), models, scripts=True)
    ] == ["files/wrong.py:4: this script fails: AssertionError: wrong"]


def test_a_figure_is_what_its_script_prints(folder: Path) -> None:
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "oven.py").write_text("print('cold\\n|\\n---\\nhot\\n||||')\n")
    (folder / "files" / "oven.txt").write_text("cold\n|\n---\nhot\n||||\n")
    edit(folder / "mix.md", "<details>", "<details figure=oven>")
    week = load_week(folder)
    figure = next(b for p in week.parts() for b in p.blocks if isinstance(b, Fold))
    assert figure.frames == ("cold\n|", "hot\n||||")
    assert code_runner.run_blocks(week, ROOT / "labs" / "models") == []
    edit(folder / "files" / "oven.txt", "||||", "|||")
    (failure,) = code_runner.run_blocks(load_week(folder), ROOT / "labs" / "models")
    assert str(failure).startswith("files/oven.py:1: ")
    assert "(.txt) is not" in str(failure)


def test_reading_a_week_runs_nothing(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mark = tmp_path_factory.mktemp("mark") / "ran"
    edit(folder / "mix.md", "First.", f"```python\nopen({str(mark)!r}, 'w')\n```")
    check_week(folder)
    load_week(folder)
    assert not mark.exists()
    code_runner.run_blocks(load_week(folder), ROOT / "labs" / "models")
    assert mark.exists()
