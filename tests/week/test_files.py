"""The week's scripts do what the text says of them: they run here, as a learner runs them."""

from __future__ import annotations

import importlib
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.pages import block_text
from q1lab.week.content import load_week, week_for
from q1lab.week.syllabus import Fold, Step, Week
from tests.kit.places import ROOT
from tests.kit.warm_server import exit_status, start_module

pytestmark = pytest.mark.sample

FILES = ROOT / "content" / "files"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def week() -> Week:
    return load_week(ROOT / "content")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one of the week's scripts in a folder with the reference models; what it printed."""

    def ran(
        script: str,
        *arguments: str,
        source: str | None = None,
        models: dict[str, str | None] | None = None,
    ) -> str:
        for name in ("baseline", "rope", "swiglu", "gqa", "rmsnorm"):
            module_name = "model" if name == "baseline" else name
            module = importlib.import_module(f"labs.models.{name}")
            (tmp_path / f"{module_name}.py").write_text(Path(str(module.__file__)).read_text())
            monkeypatch.setitem(sys.modules, module_name, module)
        for file, text in (models or {}).items():
            monkeypatch.delitem(sys.modules, file.removesuffix(".py"))
            if text is None:
                (tmp_path / file).unlink()
            else:
                (tmp_path / file).write_text(text)
        shutil.copy(FILES / "small_model.py", tmp_path)
        monkeypatch.delitem(sys.modules, "small_model", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        path = tmp_path / script
        path.write_text(source or (FILES / script).read_text())
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return ran


def fold(week: Week, step_id: str, title: str = "") -> str:
    """The answer of a recall step, or the fold that needs a step."""
    for part in week.parts():
        for block in part.blocks:
            if isinstance(block, Step) and block.id == step_id and block.answer:
                return block.answer.markdown
            if isinstance(block, Fold) and block.needs == step_id and title in block.title:
                return block.markdown
    raise AssertionError(step_id)


# ── the noise lab


def test_the_noise_lab_says_not_yet_as_long_as_its_blanks_are_empty(run: Run) -> None:
    output = run("noise.py")
    assert output.count("not yet") == 7
    assert "right" not in output
    assert "beyond" not in output, "it would give the coverage away"


def filled_in_noise_lab(*fills: str) -> str:
    """The source of noise.py with its first blanks filled in."""
    head, body = (FILES / "noise.py").read_text().split("____ = Blank()", 1)
    for fill in fills:
        body = body.replace("____", fill, 1)
    return f"{head}____ = Blank(){body}"


def test_the_noise_lab_shows_an_error_with_its_line_and_goes_on(run: Run) -> None:
    half = "T * stdev / math.sqrt(len(d))"
    source = filled_in_noise_lab("nobody", half, "itertools.product(d, repeat=len(d))")
    line = 1 + source[: source.index(half)].count("\n")
    output = run("noise.py", source=source)
    assert "NameError: name 'nobody' is not defined (line " in output
    assert (
        f"TypeError: unsupported operand type(s) for *: 'float' and 'function' (line {line})"
        in output
    )
    assert re.search(r"3 how many resamples +27.0000  right", output)
    assert re.search(r"4 coverage of the bootstrap +not yet", output)


def test_a_wrong_answer_of_the_noise_lab_is_called_wrong(run: Run) -> None:
    assert re.search(r"1 wins .* wrong", run("noise.py", source=filled_in_noise_lab("True")))


def test_a_wrong_result_of_the_noise_lab_names_the_task_that_it_comes_from(run: Run) -> None:
    """With the interval wrong, tasks 4 and 5 were wrong without a word why."""
    inside, product = "low < 0 < high", "itertools.product(d, repeat=len(d))"
    fills = ("mean(first) - mean(second) >= by", "stdev(d)", product, inside, f"not {inside}")
    lines = run("noise.py", source=filled_in_noise_lab(*fills)).splitlines()
    outcomes = {line[:30].strip(): line[30:] for line in lines[:7]}
    blamed = [name for name, outcome in outcomes.items() if "fix task 2" in outcome]
    assert blamed == ["4 coverage of the interval", "5 power at 1 sd", "5 power at 3.27 sds"]
    assert outcomes["2 upper end of the interval"].endswith("wrong")
    assert outcomes["4 coverage of the bootstrap"].endswith("right")
    fills = (fills[0], "T * stdev(d) / math.sqrt(len(d))", product, "low < high", f"not {inside}")
    output = run("noise.py", source=filled_in_noise_lab(*fills))
    assert "fix task" not in output, "task 4's own blank is wrong"
    assert output.count("wrong") == 2


def test_no_answer_of_the_noise_lab_can_be_read_where_it_is_to_be_guessed(week: Week) -> None:
    shown = re.findall(r"\d\.\d+|\d+", (FILES / "noise.py").read_text())
    assert not {"0.152", "0.1518", "27", "0.957", "0.762", "0.168", "0.798"} & set(shown)
    entries = re.split(r"(?m)^## ", (ROOT / "content" / "glossary.md").read_text())
    for word in ("bootstrap", "coverage", "power"):
        (entry,) = (one for one in entries if one.startswith(f"{word}\n"))
        assert not re.search(r"\d", entry.replace("95%", "")), word
    assert not re.search(r"\b7[56](%| of| times)", (ROOT / "README.md").read_text())


def test_the_noise_lab_is_right_with_the_answers_of_the_text(run: Run, week: Week) -> None:
    source = (FILES / "noise.py").read_text()
    fills = re.findall(r"(?ms)^- \*\*\d\*\*.*?`([^`]+)`", fold(week, "a3-noise", "blanks"))
    assert len(fills) == source.count("____") - 2  # the definition, and the docstring
    output = run("noise.py", source=filled_in_noise_lab(*fills))
    assert output.count("right") == 7, output
    answer = " ".join(fold(week, "a3-noise", "blanks").split())
    for number in re.findall(r"beyond ±[\d.]+: ([\d.]+)%", output):
        assert f"{float(number):.0f}%" in answer, (number, answer)


def test_the_noise_lab_shows_the_losses_of_the_card() -> None:
    import json

    names = runpy.run_path(str(FILES / "noise.py"))
    rows = map(json.loads, (ROOT / "docs/results/card.jsonl").read_text().splitlines())
    losses = [
        round(row["val_loss"], 4)
        for row in rows
        if (row["kind"], row.get("model"), row.get("iters")) == ("run", "baseline", 2000)
    ]
    assert list(names["LOSSES"]) == losses


# ── which of these four broken files fails which test?


SHORT = {"rmsnorm": "rms", "swiglu": "glu"}
SHORT_NAMES = {
    "rope": {"keeps_the_norm": "length", "shifting": "shift", "oracle": "oracle"},
    "rmsnorm": {"ten_times": "scale", "shift": "shift", "oracle": "oracle"},
    "swiglu": {"a_zero": "zero", "budget": "budget", "oracle": "oracle"},
    "gqa": {"do_not_divide": "refuse", "as_many_heads": "equal", "tied": "tied"},
}
"""What the guides call the tests that they write out, by words of their names."""
SABOTEURS = {"rope": "d", "rmsnorm": "D", "swiglu": "D", "gqa": "D"}
"""The name of the last of the broken versions that come with the week."""


@pytest.fixture
def judge(tmp_path: Path) -> Run:
    """Run a broken file on the tests of a learner who has a model.py; what it printed."""
    for script in FILES.glob("*.py"):
        if script.name.startswith(("broken_", "oracle_", "judge_")):
            shutil.copy(script, tmp_path)
    shutil.copy(ROOT / "labs" / "models" / "baseline.py", tmp_path / "model.py")
    (tmp_path / "tests").mkdir()

    def judged(variant: str, tests: str | None, *options: str) -> str:
        if tests is not None:
            (tmp_path / "tests" / f"test_{variant}.py").write_text(tests)
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        script = f"broken_{variant}.py"
        if options:
            done = subprocess.run(
                [sys.executable, *options, script],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            printed = done.stdout + done.stderr
        else:
            log = tmp_path.with_suffix(".log")
            exit_status(start_module(tmp_path, script, log=log))
            printed = log.read_text(encoding="utf-8")
        for file, content in before.items():
            assert file.read_bytes() == content
        assert "Traceback" not in printed
        return printed

    return judged


def written_tests(week: Week, variant: str) -> str:
    """The three tests that a guide writes out."""
    found = week_for(week, variant).find_part("b1")
    assert found
    part = "\n".join(map(block_text, found.blocks))
    return "\n".join(python_blocks(part.partition("Be the saboteur")[0]))


def python_blocks(text: str) -> list[str]:
    return re.findall(r"(?ms)^```python\n(.*?)^```", text)


@pytest.mark.parametrize("variant", SHORT_NAMES)
def test_broken_files_are_caught_by_the_tests_that_the_answer_names(
    judge: Run, week: Week, variant: str
) -> None:
    output = judge(variant, written_tests(week, variant))
    assert "3 of your tests pass with a correct" in output
    short = SHORT.get(variant, variant)
    answers = " ".join(fold(week_for(week, variant), f"b1-{short}-broken").split())
    caught_by = []
    for name in "abcd":
        line = re.search(
            rf"(?m)^{name}  (?:caught by (.+)|your tests let this mistake .+)$", output
        )
        assert line, (name, output)
        caught_by.append(
            ", ".join(
                next(test for words, test in SHORT_NAMES[variant].items() if words in function)
                for function in (line[1].split(", ") if line[1] else [])
            )
        )
        named_tests = re.search(rf"\({name}\) \*\*(.+?)\.?\*\*", answers)
        assert named_tests, (name, answers)
        assert named_tests[1].lower() == (caught_by[-1] or "none"), name
    assert len(set(caught_by)) >= 3, "one answer for all would teach little"


@pytest.mark.parametrize("variant", SABOTEURS)
def test_the_fifth_mistake_passes_the_tests_until_its_own_is_written(
    judge: Run, week: Week, tmp_path: Path, variant: str
) -> None:
    """The example of the answer, put where the step says: below the fourth, and into the list."""
    tests = written_tests(week, variant)
    short = SHORT.get(variant, variant)
    mistake, caught = python_blocks(fold(week_for(week, variant), f"b1-{short}-saboteur"))
    last = SABOTEURS[variant]
    name = chr(ord(last) + 1)
    broken = (FILES / f"broken_{variant}.py").read_text()
    broken = broken.replace(
        'if __name__ == "__main__":', f'{mistake}\n\nif __name__ == "__main__":'
    )
    broken = re.sub(rf"\b{last}\]", f"{last}, {name}]", broken)
    (tmp_path / f"broken_{variant}.py").write_text(broken)
    line = rf"(?m)^{name.lower()}  (your tests let this mistake through|caught by (\w+))"
    outcomes = [re.search(line, judge(variant, text)) for text in (tests, f"{tests}\n\n{caught}")]
    assert outcomes[0]
    assert outcomes[1]
    assert (outcomes[0][2], outcomes[1][2]) == (None, re.findall(r"def (test_\w+)", caught)[0])


HALVES = """
import torch

from rope import apply_rotary_emb, precompute_freqs_cis


def test_halves():
    x = torch.randn(1, 3, 1, 4)
    turned, _ = apply_rotary_emb(x, x, precompute_freqs_cis(4, 3))
    a, b = x[0, 1, 0, 0], x[0, 1, 0, 2]
    assert torch.allclose(turned[0, 1, 0, 0], a * torch.cos(torch.tensor(1.0)) - b * 0.841471)
"""
OUTCOMES = {
    "no tests yet": ("rope", None, "there is no tests/test_rope.py here"),
    "an empty file": ("rope", "", "tests/test_rope.py has no test"),
    "a test of nothing": ("rope", "def test(): assert True", "no test catches any"),
    "no Python": ("rope", "def test(:", "fails with a correct apply_rotary_emb, too"),
    "a wrong test": ("rmsnorm", "from rmsnorm import RMSNorm\ndef test(): assert 1 == 2", "test: assert 1 == 2"),
    "a name that is missing": ("swiglu", "from swiglu import Gate", "cannot import name 'Gate'"),
    "a skipped test": ("gqa", "import pytest\n\n@pytest.mark.skip\ndef test(): assert 0", "none of them judges: 1 skipped"),
    "a test that may fail": ("gqa", "import pytest\n\n@pytest.mark.xfail\ndef test(): assert 0", "none of them judges: 1 skipped"),
    "a file that leaves": ("gqa", "import sys\n\nsys.exit(3)", "pytest can't run tests/test_gqa.py: SystemExit: 3"),
    "a tossed coin": ("gqa", "import random\n\ndef test(): assert random.random() < 0.9", "no test catches any"),
    "halves in place of neighbors": ("rope", HALVES, "d  caught by test_halves"),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_tests_that_judge_nothing_are_told_in_a_line(name: str, judge: Run) -> None:
    variant, tests, outcome = OUTCOMES[name]
    output = judge(variant, tests)
    assert outcome in output, output
    assert max(map(len, output.splitlines())) < 200


def test_a_mistake_that_gets_through_is_shown(judge: Run, week: Week) -> None:
    only_the_first = written_tests(week, "rope").partition("from oracle_rope")[0]
    output = judge("rope", only_the_first)
    assert "1 of your tests passes with a correct" in output
    assert output.count("your tests let this mistake through:") == 3
    assert "table.conj()" in output


def test_a_python_without_pytest_says_so(judge: Run) -> None:
    site = "import sys; sys.modules['pytest'] = None; import runpy; runpy.run_path('broken_rope.py', run_name='__main__')"
    assert "python -m pip install pytest" in judge("rope", "", "-c", site)


def test_a_file_comes_with_those_that_it_imports(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from q1lab.commands.cli import run_command_line

    monkeypatch.chdir(tmp_path)
    for name, imported in (("broken_rope.py", "judge_tests.py"), ("gates.py", "small_model.py")):
        assert run_command_line(["take", name]) == 0
        assert (tmp_path / imported).read_bytes() == (FILES / imported).read_bytes()


# ── the thing itself


SHOWN = [(variant, f"oracle_{variant}.py") for variant in ("rope", "rmsnorm", "swiglu")]
SHOWN += [("gqa", "toy_cache.py")]


@pytest.mark.parametrize(("variant", "script"), SHOWN)
def test_the_page_says_what_its_script_prints(run: Run, variant: str, script: str) -> None:
    page = (ROOT / "content" / "guides" / variant / "a2.md").read_text()
    printed = re.findall(r"-?\d+[.,][\d,]+", run(script))
    missing = [number for number in printed if number.replace("-", "−") not in page]
    assert printed
    assert not missing, f"{script} prints {missing}, and the page shows other numbers"


def test_two_units_of_swiglu_multiply_as_the_page_says(
    run: Run, week: Week, tmp_path: Path
) -> None:
    shutil.copy(FILES / "oracle_swiglu.py", tmp_path)
    (code,) = python_blocks(fold(week_for(week, "swiglu"), "a2-glu-zu"))
    assert run("zu.py", source=code) in code, "the page shows another product"


def test_the_cache_gives_the_scores_of_the_whole_window(run: Run) -> None:
    output = run("generate.py")
    cache_bytes = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) bytes kept", output)]
    assert cache_bytes == [819_200, 409_600, 204_800]  # 2 · L · G · D · tokens · 4 bytes
    differences = [float(n) for n in re.findall(r"scores within (\S+)", output)]
    assert len(differences) == 3
    assert max(differences) < 1e-4


def test_the_text_of_the_scripts_is_cut_as_the_trainer_cuts_it(run: Run) -> None:
    from labs import data
    from q1lab.study.corpora import stdlib_text

    small_model = runpy.run_path(str(FILES / "small_model.py"))
    trains, held_out, vocab_size = small_model["tokens"]()
    corpus = data.tokenize(stdlib_text())
    assert trains.tolist() == corpus.train.tolist()
    assert held_out.tolist() == corpus.val.tolist()
    assert vocab_size == corpus.vocab_size


def reference(variant: str) -> str:
    return (ROOT / "labs" / "models" / f"{variant}.py").read_text()


UNUSABLE = {
    "no file": ("gates.py", "swiglu.py", None, "there is no swiglu.py here"),
    "no Python": ("gates.py", "swiglu.py", "class GPT(:", "makes no model here: SyntaxError"),
    "no config": ("gates.py", "swiglu.py", "class GPT: pass", "no attribute 'GPTConfig'"),
    "another gate": (
        "gates.py",
        "swiglu.py",
        reference("swiglu").replace("F.silu", "torch.sigmoid"),
        "swiglu.py never calls F.silu",
    ),
    "no norm": (
        "stream.py",
        "model.py",
        reference("baseline").replace("LayerNorm", "Scale"),
        "no class of model.py has Norm",
    ),
    "another name": (
        "generate.py",
        "gqa.py",
        reference("gqa").replace("c_proj", "out"),
        "has no transformer.h.0.attn.c_proj",
    ),
    "no groups": ("generate.py", "gqa.py", reference("baseline"), "c_attn of gqa.py makes 384"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_model_that_a_script_can_not_use_is_told_in_a_line(name: str, run: Run) -> None:
    script, file, text, reason = UNUSABLE[name]
    with pytest.raises(SystemExit) as ended:
        run(script, "1", models={file: text})
    assert reason in str(ended.value)
    assert "\n" not in str(ended.value)


def numbers_of_fold(week: Week, variant: str, step_id: str, pattern: str) -> list[float]:
    numbers = re.search(pattern, " ".join(fold(week_for(week, variant), step_id).split()))
    assert numbers
    return [float(number) for number in numbers.groups()]


@pytest.mark.long
def test_training_opens_gates_as_the_fold_says(run: Run) -> None:
    rows = re.findall(r"and \S+ +([\d.]+)% +([\d.]+)% +([\d.]+)%", run("gates.py"))
    before, first, last = map(float, rows[2])
    assert first < before > last, "more gates are near 0 after training"


def test_the_shares_of_the_gates_add_up_to_one(run: Run) -> None:
    rows = re.findall(r"and \S+ +([\d.]+)% +([\d.]+)% +([\d.]+)%", run("gates.py", "4"))
    for column in zip(*rows, strict=True):
        assert sum(map(float, column)) == pytest.approx(100, abs=0.5)


DIP = r"\| 0 \| (\S+) to (\S+) \| (\S+) to (\S+) \| \| 10 \| about the same \| (\S+) or less \|"


def test_the_stream_is_looked_at_on_the_way(run: Run, week: Week) -> None:
    output = run("stream.py", "12")
    ratios = re.findall(r"iter +(\d+) .* first ([\d.]+)  last ([\d.]+)", output)
    assert [int(at) for at, _, _ in ratios] == [0, 10]
    assert output.count("|mean|") == 2 + 9
    (first, last), (_, dip) = [(float(one), float(other)) for _, one, other in ratios]
    assert dip < last / 2
    *ranges, most = numbers_of_fold(week, "rmsnorm", "a2-rms-stream", DIP)
    for ratio, least, greatest in ((first, *ranges[:2]), (last, *ranges[2:]), (dip, 0, most)):
        assert least - 0.005 <= ratio <= greatest + 0.005, "whichever Python's library is the text"


def test_a_layernorm_model_is_an_rmsnorm_model_after_centering(run: Run, week: Week) -> None:
    output = run("centered.py")
    difference = output.split()[-1]
    assert float(difference) < 1e-12
    guide = fold(week_for(week, "rmsnorm"), "b3-verdict", "from 2023")
    for number in (difference, output.split()[3]):
        assert number in guide, "the page shows what it prints"


def test_a_model_along_the_video_can_be_looked_at_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It flattens its targets by view, and its config may have dropout."""
    module = importlib.import_module("labs.models.swiglu")
    forward = module.GPT.forward

    def viewed(self: Any, idx: Any, targets: Any = None) -> Any:
        if targets is not None:
            targets.view(-1)
        return forward(self, idx, targets)

    monkeypatch.setattr(module.GPT, "forward", viewed)
    assert run("gates.py", "2")
    assert "dropout=0.0" in (FILES / "small_model.py").read_text()


# ── from the video's file


def test_joining_the_heads_of_the_video_changes_no_number(run: Run) -> None:
    (difference,) = re.findall(r"largest difference: (\S+)", run("from_the_video.py"))
    assert float(difference) < 1e-6


def test_the_attention_of_the_on_ramp_makes_a_model_that_is_taken(tmp_path: Path) -> None:
    """In a file with nanoGPT's other classes; a file of heads and globals is refused by name."""
    import torch

    from labs import loading

    attention = (FILES / "from_the_video.py").read_text().split('\nif __name__ == "__main__":')[0]
    rest = (ROOT / "labs" / "models" / "baseline.py").read_text()
    norm = rest[rest.index("class LayerNorm") : rest.index("class CausalSelfAttention")]
    file = tmp_path / "model.py"
    file.write_text(f"{attention}\nimport math\n\n{norm}{rest[rest.index('class MLP') :]}")
    config = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "dropout": 0.0}
    model = loading.build(loading.load(file), config, 11)
    idx = torch.randint(11, (2, 8))
    logits, loss = model(idx, idx)
    assert logits.shape == (2, 8, 11)
    assert float(loss.detach()) == pytest.approx(2.4, abs=0.3)
    file.write_text("import torch\nn_embd = 384\n\nclass Head(torch.nn.Module):\n    pass\n")
    with pytest.raises(loading.ModelError, match="no class GPTConfig"):
        loading.load(file)


# ── the glossary


def test_the_glossary_explains_words_that_the_week_uses(week: Week) -> None:
    from tests.week.test_content import everything

    entries = re.split(r"(?m)^## ", (ROOT / "content" / "glossary.md").read_text())[1:]
    text = " ".join(everything(week_for(week, v.name)) for v in week.variants).lower()
    words = []
    for entry in entries:
        word, _, explanation = entry.partition("\n")
        words.append(word)
        assert word.lower() in text, word
        assert 5 <= len(explanation.split()) <= 70, word
    assert len(set(words)) == len(words)
    assert set(words) >= {
        "nats", "perplexity", "arm", "pair", "preset", "iter", "stream", "KV cache", "interval",
        "coverage", "power", "δ", "bootstrap",
    }  # fmt: skip


# ── attention from a blank file

ATTENTION = """
import torch
from torch import nn


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd)
        self.out = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (
            t.view(B, T, self.n_head, -1).transpose(1, 2)
            for t in self.qkv(x).split(C, dim=-1)
        )
        scores = q @ k.transpose(-1, -2) / (C // self.n_head) ** 0.5
        future = torch.ones(T, T).triu(1).bool()
        weights = scores.masked_fill(future, float("-inf")).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, C))
"""

VIDEO = """
import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, n_embd, size):
        super().__init__()
        self.key, self.query, self.value = (nn.Linear(n_embd, size, bias=False) for _ in range(3))

    def forward(self, x):
        k, q = self.key(x), self.query(x)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        scores = scores.masked_fill(torch.ones(x.shape[1], x.shape[1]).tril() == 0, float("-inf"))
        return scores.softmax(-1) @ self.value(x)


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.heads = nn.ModuleList(Head(n_embd, n_embd // n_head) for _ in range(n_head))
        self.proj = nn.Linear(n_embd, n_embd)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.dropout(self.proj(torch.cat([head(x) for head in self.heads], dim=-1)))
"""
THREE_LAYERS = """
from torch import nn
from torch.nn import functional as F


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.q, self.k, self.v, self.o = (nn.Linear(n_embd, n_embd, bias=False) for _ in range(4))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = (
            layer(x).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).contiguous().view(B, T, C))
"""
MEAN = """
import torch
from torch import nn


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.value, self.out = nn.Linear(n_embd, n_embd), nn.Linear(n_embd, n_embd)

    def forward(self, x):
        counts = torch.arange(1, x.shape[1] + 1)[:, None]
        return self.out(self.value(x).cumsum(1) / counts)
"""
SCALE = " / (C // self.n_head) ** 0.5"
KATA = {
    "by hand": (ATTENTION, "", "", "right: it is attention"),
    "heads of their own": (VIDEO, "", "", "right: it is attention"),
    "three layers": (THREE_LAYERS, "", "", "right: it is attention"),
    "a running mean": (MEAN, "", "", "no weight depends on what the tokens are"),
    "not scaled": (ATTENTION, SCALE, "", "each score is 2.83 times q · k / √8"),
    "weights by the key alone": (ATTENTION, "q @ k", "torch.ones_like(q) @ k", "not a softmax of q · k"),
    "softmax over the queries": (ATTENTION, "softmax(-1)", "softmax(-2)", "a later token changed an earlier output"),
    "the mask off by one": (ATTENTION, "triu(1)", "triu(2)", "a later token changed an earlier output"),
    "no softmax": (ATTENTION, ".softmax(-1)", ".exp()", "do not sum to 1"),
    "over the batch": (ATTENTION, "(weights @ v)", "(weights @ v).roll(1, 0)", "of a batch"),
    "dropout that stays on": (THREE_LAYERS, "is_causal=True", "is_causal=True, dropout_p=0.1", "is dropout on?"),
    "a row without a token": (ATTENTION, "triu(1)", "triu(0)", "the output has NaN"),
    "no class": (ATTENTION, "class CausalSelfAttention", "class Attention", "no class CausalSelfAttention yet"),
    "the mean alone": (ATTENTION, "(weights @ v)", "v", "ignores the first token"),
    "no Python": (ATTENTION, "B, T, C =", "B, T, C ==:", "SyntaxError: invalid syntax (attention.py, line 15)"),
    "an unknown name": (ATTENTION, "import torch\n", "", "NameError: name 'torch' is not defined (attention.py, line 20)"),
    "a file that leaves": (ATTENTION, "from torch import nn", "from torch import nn\n\nexit('bye')", "SystemExit: bye (attention.py, line 6)"),
    "q also as k": (ATTENTION, "q @ k", "q @ q", "no gradient reaches all of qkv.weight"),
    "no output projection": (VIDEO.replace("self.proj(", "("), "        self.proj = nn.Linear(n_embd, n_embd)\n", "", "3,072 weights, where q, k, v and the output take 4,096"),
    "scaled for one size of head": (ATTENTION, SCALE, " / 8 ** 0.5", "each score is 1.41 times q · k / √16 of 2 heads"),
    "one score for all heads": (ATTENTION, SCALE, SCALE + "\n        scores = scores.mean(1, keepdim=True)", "4 heads weigh tokens in 1 way"),
    "another width": (ATTENTION, "q @ k", "q @ v[..., 1:]", "(attention.py, line 20)"),
}  # fmt: skip


@pytest.mark.parametrize("name", KATA)
def test_the_kata_judges_an_attention(name: str, run: Run, tmp_path: Path) -> None:
    text, old, new, says = KATA[name]
    assert old in text
    sys.modules.pop("attention", None)
    assert "The clock runs" in run("kata.py")
    file = tmp_path / "attention.py"
    file.write_text(file.read_text() + text.replace(old, new))
    output = run("kata.py")
    sys.modules.pop("attention", None)
    assert says in output, output
    assert "0 minutes so far" in output
    assert output.endswith("not yet\n") == (not says.startswith("right"))
