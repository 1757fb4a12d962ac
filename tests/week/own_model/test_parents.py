"""What a model file is compared with: what it was made from, whatever became of that since."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.diff import diff
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.study import kinds
from q1lab.study.command_line import Request
from q1lab.study.own_model import origin_line, parents
from q1lab.train import begin_study
from q1lab.week.own_model import diffs, model_file
from tests.kit.places import MODELS
from tests.kit.plans import notes_on, plan_one
from tests.kit.repos import of_its_own

MINE = (MODELS / "baseline.py").read_text().replace("import math\n", "import math\n\n# my own\n")
CHANGE = ("return x + self.mlp(self.ln_2(x))", "return x + self.mlp(self.ln_2(x)) * 0.9")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the learner's model.py and a rope.py that was made from it and changed."""
    of_its_own(tmp_path, monkeypatch)
    where = tmp_path / "transformer"
    where.mkdir()
    (where / "model.py").write_text(MINE)
    monkeypatch.chdir(where)
    model_file.new_model_file("rope", where)
    edit(where / "rope.py")
    return where


def edit(file: Path) -> None:
    text = file.read_text()
    assert CHANGE[0] in text
    file.write_text(text.replace(*CHANGE))


def found(name: str = "./rope.py") -> parents.Pair:
    return parents.find_pair(name, None)


def test_a_file_is_compared_with_what_it_was_made_from(folder: Path) -> None:
    pair = found()
    assert (pair.baseline.text, pair.baseline.name, pair.note) == (MINE, "model", "")
    assert pair.baseline.origin == str(folder / "model.py")


def test_one_of_q1labs_own_is_compared_with_the_baseline() -> None:
    assert found("rope").baseline.origin == "baseline"


def test_made_from_the_baseline(tmp_path: Path) -> None:
    model_file.new_model_file("gqa", tmp_path)
    pair = found(str(tmp_path / "gqa.py"))
    assert (pair.baseline.path, pair.baseline.name) == (MODELS / "baseline.py", "baseline")


def test_a_parent_that_changed_since_is_taken_as_it_was(folder: Path) -> None:
    (folder / "model.py").write_text(MINE + "\n# and more\n")
    pair = found()
    assert (pair.baseline.text, pair.baseline.name) == (MINE, "model")
    assert re.search(r"model\.py has changed .*rope\.py", pair.note)
    assert "--baseline model.py" in pair.note


def test_a_parent_that_is_gone_is_taken_as_it_was(folder: Path) -> None:
    (folder / "model.py").unlink()
    pair = found()
    assert pair.baseline.text == MINE
    assert pair.note.startswith("model.py is gone")


def test_a_parent_that_is_nowhere_is_one_clear_line(folder: Path) -> None:
    parents.base_path(parents.save_base(MINE.encode())).unlink()
    (folder / "model.py").write_text(MINE + "\n# and more\n")
    with pytest.raises(
        Problem, match=r"model\.py has changed since rope\.py was made from it"
    ) as no:
        found()
    assert "--baseline" in str(no.value)
    assert "\n" not in str(no.value)
    (folder / "model.py").unlink()
    with pytest.raises(Problem, match=r"model\.py is gone since"):
        found()
    assert parents.parent_or_baseline(folder / "rope.py").name == "baseline.py"


def test_a_file_that_says_nothing_is_compared_with_the_model_beside_it_or_asked_about(
    folder: Path,
) -> None:
    text = origin_line.strip_marker_text((folder / "rope.py").read_text())
    (folder / "mine.py").write_text(text)
    pair = found("./mine.py")
    assert pair.baseline.text == MINE
    assert "mine.py does not say what it was made from" in pair.note
    (folder / "models").mkdir()
    (folder / "models" / "deep.py").write_text(text)
    for name in ("./models/deep.py", "./model.py"):
        with pytest.raises(Problem, match="does not say what") as no:
            found(name)
        assert f"`q1lab run {name} --baseline FILE` compares" in str(no.value)


def test_the_line_on_top_is_nobodys_change(folder: Path) -> None:
    pair = found()
    text = diffs.unified_diff(pair.baseline.text, pair.modified.text, "model.py", "rope.py")
    assert diffs.count_changed_lines(text) == (1, 1)
    assert "q1lab:" not in text


def test_a_fresh_copy_holds_nothing_to_compare(folder: Path) -> None:
    model_file.new_model_file("gqa", folder)
    with Store() as store, pytest.raises(Problem, match=r"gqa\.py and model\.py hold"):
        plan_one(Request("./gqa.py"), store)


def test_diff_shows_the_learners_change_alone(folder: Path) -> None:
    done = CliRunner().invoke(diff, ["rope.py"])
    assert done.exit_code == 0
    assert "--- model.py\n+++ rope.py\n" in done.output
    assert "+1 −1 lines" in done.output
    (folder / "model.py").write_text(MINE + "\n# more\n")
    assert "note: model.py has changed" in CliRunner().invoke(diff, ["rope.py"]).output


def test_a_study_runs_against_the_parent_and_its_command_does_again(
    folder: Path, fake_trainer: Callable[..., None]
) -> None:
    request = Request("./rope.py", preset="quick", overrides={"max_iters": "20"}, unchecked=True)
    with Store() as store:
        study = begin_study.save_plan(plan_one(request, store), store)
        base = study.arms["baseline"]
        assert (study.files.root / base.source).read_text() == MINE
        assert (base.variant, base.source) == ("model", "source/baseline/model.py")
        same_request = kinds.request(study)
        assert same_request.baseline is None
        (folder / "model.py").write_text(MINE.replace(*CHANGE))  # as a merge leaves it
        plan = plan_one(same_request, store)
        notes = notes_on(same_request, store)
    assert not plan.is_new
    assert plan.study == study
    assert any("model.py has changed" in note for note in notes)
