"""A modification that the core has never heard of (tests/kit/toy_modification), by the commands a
person types: added to a copy of the repository as docs/recipes.md says."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.tui.pages import block_text
from q1lab.week.content import load_week
from tests.kit import toy_modification
from tests.kit.places import ROOT
from tests.kit.toy_modification import NAME

pytestmark = pytest.mark.slow

Done = subprocess.CompletedProcess[str]
FOLDERS = ("q1lab", "labs", "content")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository with the toy in it."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / "copy" / folder)
    added = toy_modification.install(tmp_path / "copy")
    assert differing(tmp_path / "copy") == added, "its own files, and one row"
    row = (toy_modification.HERE / "row.toml").read_text(encoding="utf-8")
    assert row.count("[[variants]]") == 1
    return tmp_path / "copy"


def differing(copy: Path) -> set[str]:
    """The files of a copy that are not as they are in the repository."""
    return {
        file.relative_to(copy).as_posix()
        for folder in FOLDERS
        for file in (copy / folder).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
        if not (ROOT / file.relative_to(copy)).is_file()
        or not filecmp.cmp(file, ROOT / file.relative_to(copy))
    }


@pytest.fixture
def q1lab(copy: Path, tmp_path: Path, fake_trainer: Callable[..., None]) -> Callable[..., Done]:
    """The copy's q1lab, in a learner's repository."""
    folder = tmp_path / "mine"
    folder.mkdir()
    env = {**os.environ, "PYTHONPATH": str(copy)}

    def act(*args: str, code: int = 0) -> Done:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "q1lab", *args],
            cwd=folder, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, (args, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    for words in (["init", "-q"], ["config", "user.name", "A"], ["config", "user.email", "a@b.c"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return act


def test_the_commands_know_it(q1lab: Callable[..., Done], tmp_path: Path) -> None:
    diff = q1lab("diff", NAME)
    assert "+        x = F.relu(self.c_fc(x)).square()" in diff.stdout
    assert "ReLU² against baseline.py: +1 −1 lines" in diff.stderr
    for command in ("run", "check"):
        assert NAME in q1lab(command, "--help").stdout
    assert NAME in q1lab("diff", "relu", code=2).stderr

    q1lab("new", "--baseline")
    q1lab("new", NAME)
    model_file = tmp_path / "mine" / f"{NAME}.py"
    failed = json.loads(q1lab("check", model_file.name, "--json", code=1).stdout)
    assert failed["for"] == NAME, "by the line that `q1lab new` puts on top"
    assert [check["name"] for check in failed["checks"] if not check["passed"]] == [
        f"{NAME}: squares"
    ]
    helps = q1lab("hint", NAME, "--stage", "2")
    assert "one line of" in helps.stdout

    written = toy_modification.write(model_file.read_text(encoding="utf-8"))
    model_file.write_text(written, encoding="utf-8")
    assert json.loads(q1lab("check", model_file.name, "--for", NAME, "--json").stdout)["passed"]
    (tmp_path / "mine" / "other.py").write_text(written.partition("\n")[2], encoding="utf-8")
    by_behavior = json.loads(q1lab("check", "other.py", "--json").stdout)
    assert (by_behavior["for"], by_behavior["passed"]) == (NAME, True)

    for kind in ("oracle", "broken"):
        q1lab("take", f"{kind}_{NAME}.py")
        script = [sys.executable, f"{kind}_{NAME}.py"]
        assert subprocess.run(script, cwd=model_file.parent, check=False).returncode == 0


def test_the_lab_and_the_documents_know_it(q1lab: Callable[..., Done], tmp_path: Path) -> None:
    comparison = json.loads(q1lab("run", NAME, "--seeds", "3", "--json").stdout)
    assert comparison["complete"]
    assert comparison["arms"]["modified"]["variant"] == NAME
    assert "pairs" in q1lab("plan", NAME, "--detect", "0.01").stdout
    q1lab("modification", NAME, "--yes")
    document = (tmp_path / "mine" / "MODIFICATION.md").read_text(encoding="utf-8")
    assert document.startswith("# Modification: ReLU²")
    assert "2109.08668" in document
    assert "ReLU² " in q1lab("course", "card").stdout
    draft = tmp_path / "mine" / "draft.md"
    draft.write_text(f"Sleep is clearly deeper in winter.\n\nAs all know, {NAME} clearly leads.\n")
    report = json.loads(q1lab("post", "lint", "--file", str(draft), "--json", code=1).stdout)
    assert [finding["line"] for finding in report["findings"]] == [3]


def test_the_week_offers_it(q1lab: Callable[..., Done], copy: Path) -> None:
    q1lab("content", "check", str(copy / "content"))
    week = load_week(copy / "content").for_variant(NAME, ("Tiny Shakespeare", 65, "shakespeare"))
    assert week.chosen is not None
    text = "\n".join(block_text(block) for part in week.parts() for block in part.blocks)
    assert "| ReLU² | the activation | Primer | easy, 5 min |" in text
    assert "- **ReLU²**: is it better" in text
    assert "| ReLU² | 0% | 0% | 1,024 | +1 −1 |" in text
    assert "| RMSNorm | 0% | 0% | 1,024 | +8 −8 |" in text
    assert "its 804,096 parameters" in text
    assert "Primer, what to read" in text
    results = [line.split(" | ")[0] for line in text.splitlines() if line.endswith(" | 8 |")]
    assert results == ["| RMSNorm", "| RoPE", "| SwiGLU", "| GQA"], (
        "what nobody measured has no row"
    )
