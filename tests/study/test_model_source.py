"""A model file that can't be used is told in one message what it needs, read off its source."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.ground.errors import Problem
from q1lab.study import variants
from q1lab.study.model_source import advice, with_advice
from tests.kit.places import CONTENT, MODELS

SCRIPT = """import torch
from torch import nn
from surely.not_installed import Table, other
import helper

class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = Table(config)

class Whole(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.block = Block(config)

    def forward(self, idx, targets=None):
        return helper.go(self.block, idx)

for step in range(10):
    print(step)
"""
FIELDS = "block_size: int = 8\n    vocab_size: int = 9\n    n_layer: int = 1\n    n_head: int = 1\n    n_embd: int = 8\n"


def test_one_look_says_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "helper.py").touch()
    said = advice(SCRIPT, tmp_path / "mine.py")
    assert "line 3 imports surely.not_installed, which is not installed, used in line 9" in said
    assert "line 4 imports helper, which lies beside this file, used in line 17" in said
    assert "keep lines 1 to 17" in said
    assert "its model is Whole" in said
    assert "q1lab take wrapper.py" in said
    assert re.findall(r"\(\d\)", said) == ["(1)", "(2)", "(3)"]
    assert "\n" not in said


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (f"class GPTConfigFinal:\n    {FIELDS}\n", "Add GPTConfig = GPTConfigFinal and GPT = Whole at its end"),
        ("class ModelArgs:\n    dim: int = 8\n", "Its config is ModelArgs and its model is Whole"),
        (f"class GPTConfig:\n    {FIELDS}\n", "Add GPT = Whole at its end"),
    ],
)  # fmt: skip
def test_names_of_a_files_own_are_told_by_their_classes(config: str, says: str) -> None:
    body = SCRIPT[SCRIPT.index("class Block") : SCRIPT.index("for step")]
    assert says in advice(config + body, Path("mine.py"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("(self, config)", "(self)", "five steps"),
        ("class Whole", "class GPTConfig:\n    pass\n\nclass GPT", ""),
        ("targets=None", "cache=None", "takes no targets"),
    ],
)
def test_a_file_of_one_fault_is_told_that_one(old: str, new: str, says: str) -> None:
    text = SCRIPT[SCRIPT.index("class Block") : SCRIPT.index("for step")].replace("Whole", "GPT")
    if "five" not in says:
        text = f"class GPTConfig:\n    {FIELDS}\n{text}"
    changed = text.replace(old, new)
    said = advice(changed, Path("mine.py"))
    assert says in said
    assert bool(said) == bool(says)


def test_a_package_of_pypi_is_installed_and_not_copied() -> None:
    text = f"from einops import rearrange\nimport flax_of_mine\nclass GPTConfig:\n    {FIELDS}\n"
    said = advice(text, Path("mine.py"))
    assert "einops, which is not installed (`pip install einops`, in q1lab's environment" in said
    assert "put in what the model needs of that" in said
    said = advice(text.replace("import flax_of_mine\n", ""), Path("mine.py"))
    assert "pip install einops" in said
    assert "put in" not in said


def test_words_of_a_files_own_for_sizes_are_named() -> None:
    text = (MODELS / "baseline.py").read_text().replace("config.n_head", "config.heads")
    said = advice(text, Path("mine.py"))
    assert said.startswith("GPT reads heads of its config, where nanoGPT has block_size")
    assert "q1lab take wrapper.py" in said
    assert advice(text.replace("    n_layer: int", "    heads: int = 4\n    n_layer: int"), Path("mine.py")) == ""  # fmt: skip


def test_words_that_a_wrapper_translates_to_are_not_blamed() -> None:
    """The way to the wrapper must not lead back to it, whatever else the file lacks."""
    text = (MODELS / "baseline.py").read_text().replace("config.n_head", "config.heads")
    assert "GPT reads heads" in advice(text, Path("mine.py"))
    assert advice(f"class ModelArgs:\n    heads: int = 4\n{text}", Path("mine.py")) == ""


@pytest.mark.parametrize(
    ("above", "below", "says"),
    [
        ("with open(__file__) as f:\n    text = f.read()\n", "", "Take out lines 1 to 2, and all else that runs when"),
        ("with open(__file__) as f:\n    text = f.read()\n", "assert 1 == 1\nGPT()\n", "Take out lines 1 to 2, and all that follows line 16: it runs when"),
        ("", "GPT()\n", "Keep lines 1 to 14; what follows runs when"),
    ],
)  # fmt: skip
def test_a_statement_is_taken_out_whole(above: str, below: str, says: str) -> None:
    """What is left of the file, once the advice is followed, is Python."""
    body = SCRIPT[SCRIPT.index("class Block") : SCRIPT.index("for step")].replace("Whole", "GPT")
    text = f"{above}class GPTConfig:\n    pass\n{body.strip()}\n{below}"
    assert says in advice(text, Path("mine.py"))


def test_an_import_from_the_files_package_names_what_it_imports(tmp_path: Path) -> None:
    file = tmp_path / "surely_mine.py"
    file.write_text("from . import masks as _masks\nfrom surely_mine.norms import Norm\n")
    (tmp_path / "masks.py").touch()
    said = advice(file.read_text(), file)
    assert "imports .masks, which lies beside this file" in said
    assert "line 2 imports surely_mine.norms, which is not installed" in said
    (tmp_path / "masks.py").unlink()
    assert "imports .masks, which is of its package" in advice(file.read_text(), file)


def test_an_import_from_the_package_inside_a_function_is_told_with_the_others() -> None:
    lines = ("from .masks import mask", "", "def f():", "    from .norms import norm", "    try:")
    text = "\n".join(
        (*lines, "        from .fast import f", "    except ImportError:", "        pass")
    )
    said = advice(text, Path("mine.py"))
    assert "line 4 imports .norms, which is of its package" in said
    assert "fast" not in said


def test_a_question_is_followed_by_the_advice(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT)
    assert "does it loop? To make it a model file" in with_advice("does it loop?", file)
    file.write_text("x = 1\n")
    assert with_advice("does it loop?", file) == "does it loop?"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("targets=None", "max_seq_length", "its model is Whole; `q1lab take wrapper.py`"),
        ("class Whole(nn.Module)", "class Whole(Hub)", "its model is Whole"),
    ],
)
def test_no_alias_is_advised_where_another_call_is_needed(old: str, new: str, says: str) -> None:
    body = SCRIPT[SCRIPT.index("class Block") : SCRIPT.index("for step")].replace(old, new)
    config = FIELDS.replace("n_embd", "dim")
    said = advice(f"class ModelArgs:\n    {config}\n{body}", Path("mine.py"))
    assert says in said
    assert "GPT = Whole" not in said


def test_files_that_are_model_files_or_no_python_get_no_advice(tmp_path: Path) -> None:
    for file in MODELS.glob("*.py"):
        if file.stem != "__init__":
            assert advice(file.read_text(), file) == ""
    for text in ("def broken(:\n", "(" * 5000, "\0"):
        assert advice(text, Path("mine.py")) == ""
    assert with_advice("gone", tmp_path / "nowhere.py") == "gone"
    (tmp_path / "large.py").write_text("#" * (2 << 20))
    assert with_advice("large", tmp_path / "large.py") == "large"


def test_a_study_of_such_a_file_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT)
    with pytest.raises(Problem) as refused:
        variants.find_variant(str(file))
    assert advice(SCRIPT, file) in str(refused.value)


@pytest.mark.parametrize(
    ("targets", "gives"),
    [
        ("", "self.lm_head(x)"),
        ("", "(self.lm_head(x), x.mean())"),
        (", targets=None", "(None, self.lm_head(x if targets is not None else x[:, [-1]]))"),
        (", labels=None", "(self.lm_head(x if labels is not None else x[:, [-1]]).flatten(0, 1), {})"),
    ],
    ids=["logits", "a pair", "only the last without targets", "flattened"],
)  # fmt: skip
def test_the_wrapper_makes_a_model_file_of_another(
    targets: str, gives: str, tmp_path: Path
) -> None:
    """Its lines, below a file whose model has other names."""
    wrapper = (CONTENT / "files" / "wrapper.py").read_text()
    head, rest = wrapper.split("# ── in place of this stand-in: your file\n")
    ending = rest.split("# ── from here on: the wrapper\n")[1]
    own = (MODELS / "baseline.py").read_text()
    own = own.replace("GPTConfig", "ModelArgs").replace("class GPT(", "class Transformer(")
    own = own.replace(", targets: Tensor | None = None", targets)
    own = own.split("        if targets is None:")[0] + f"        return {gives}\n"
    ending = ending.replace("dim=config.n_embd,", "n_embd=config.n_embd, n_layer=config.n_layer, n_head=config.n_head, block_size=config.block_size, dropout=config.dropout,")  # fmt: skip
    file = tmp_path / "mine.py"
    file.write_text(f"{own}\n{head.split('from torch.nn import functional as F')[0][head.index('from dataclasses'):]}\n{ending}")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "labs.checks", json.dumps({"file": str(file), "for": "baseline"})],
        cwd=MODELS.parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert wrapper.count("\n") < 90
