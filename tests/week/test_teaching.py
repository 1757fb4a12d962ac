"""What the week teaches is true: every number recomputed, every block run, every command there
is."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shlex
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from q1lab.app.pages import block_text
from q1lab.commands.cli import run_command_line
from q1lab.ground.text_formats import signed
from q1lab.journal.store import Store
from q1lab.judgment.intervals import Verdict
from q1lab.study import command_line, kinds, studies
from q1lab.week import progress
from q1lab.week.content import load_week, week_for
from q1lab.week.syllabus import Fold, Step, Text, Week
from q1lab.week.text_numbers import OwnVerdict
from tests.kit.changes import CHANGES
from tests.kit.places import ROOT
from tests.kit.small_weeks import MIX, TOML
from tests.week.test_content import everything

SHIPPED = ROOT / "content"
Ran = Callable[..., tuple[int, str]]
DATA = [("Tiny Shakespeare", 65, "shakespeare"), ("Python's own source text", 98, "stdlib")]


@pytest.fixture(scope="module", params=["course", "alone"])
def week(request: pytest.FixtureRequest) -> Week:
    return load_week(SHIPPED, course=request.param == "course")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "week.toml").write_text(TOML.replace('guide = "rye.md"\n', ""))
    (tmp_path / "mix.md").write_text(MIX)
    return tmp_path


# ── the numbers


def source() -> str:
    """The Markdown of the shipped week, as it is written."""
    return "\n".join(file.read_text() for file in sorted(SHIPPED.rglob("*.md")))


def test_the_table_of_the_four_counts_lines_as_q1lab_diff_does() -> None:
    from q1lab.week.own_model import diffs

    models = ROOT / "labs" / "models"
    for variant in load_week(SHIPPED).variants:
        old, new = ((models / f"{name}.py").read_text() for name in ("baseline", variant.name))
        added, removed = diffs.count_changed_lines(diffs.unified_diff(old, new, "old", "new"))
        assert variant.lines == f"+{added} −{removed}", variant.name


def card(kind: str) -> list[dict]:  # type: ignore[type-arg]
    """What docs/card.md is made from."""
    lines = (ROOT / "docs" / "results" / "card.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def test_what_is_said_of_budgets_is_what_the_card_measured() -> None:
    """On Tiny Shakespeare RoPE's lead halves from 500 iters to 2,000 and SwiGLU's more than
    doubles; on Python's source text both are smaller at cpu than at quick."""
    mean_difference = {(r["variant"], r["iters"]): r["mean"] for r in card("study")}
    leads = {
        name: [-mean_difference[name, iters] for iters in (500, 2000)]
        for name in ("rope", "swiglu")
    }
    assert leads["rope"][1] / leads["rope"][0] == pytest.approx(0.5, abs=0.05)
    assert leads["swiglu"][1] > 2 * leads["swiglu"][0]
    rows = tomllib.loads((SHIPPED / "results.toml").read_text())["results"]
    on_stdlib = {
        (r["preset"], r["variant"]): signed(r["mean"], 3) for r in rows if r["data"] == "stdlib"
    }
    for name in ("rope", "swiglu"):
        quick, cpu = (
            float(on_stdlib[preset, name].replace("−", "-")) for preset in ("quick", "cpu")
        )
        assert quick < cpu < 0
    text = " ".join((SHIPPED / "session-b.md").read_text().split())
    for name in ("rope", "swiglu"):
        pair = " → ".join(signed(-lead, 3) for lead in leads[name])
        assert f"({pair}" in text, pair
        assert f"{on_stdlib['quick', name]} → {on_stdlib['cpu', name]}" in text
    start = text.index("On Tiny Shakespeare")
    assert start < text.index("RoPE's lead halves") < text.index("SwiGLU's more than")
    assert text.index("On Python's own") > start


def test_model_py_is_committed_before_it_is_merged_into(week: Week) -> None:
    """A merge refuses a model.py that git does not have yet."""
    for variant in CHANGES:
        steps = [step.id for step in week_for(week, variant).steps()]
        adding = [s.id for s in week_for(week, variant).steps() if "git add model.py" in s.detail]
        assert adding == ["a1-trains", "b1-diff"]
        assert steps.index(adding[-1]) < steps.index("b3-merge")


def test_results_of_quick_are_those_of_the_pairing_page() -> None:
    from scipy import stats

    text = (SHIPPED / "results.toml").read_text()
    rows = tomllib.loads(text)["results"]
    page = (ROOT / "docs" / "results" / "pairing.md").read_text()
    measured = re.search(r"measured on (\S+) at", page)
    assert measured
    assert f"docs/results/pairing.md, of {measured[1]};" in text
    for variant in CHANGES:
        page_row = re.search(rf"(?m)^\| {variant} \|(.*)\|$", page)
        assert page_row
        cells = [cell.strip() for cell in page_row[1].split("|")]
        key = ("quick", variant, "stdlib")
        (row,) = (r for r in rows if (r["preset"], r["variant"], r["data"]) == key)
        n, mean, spread = int(cells[0]), float(cells[-1]), float(cells[4])
        assert (row["pairs"], row["mean"], row["pair_sd"]) == (n, mean, spread)
        assert row["sd"] == float(cells[1])
        half = stats.t.ppf(0.975, n - 1) * spread / math.sqrt(n)
        assert row["low"] == pytest.approx(mean - half, abs=1e-4)
        assert row["high"] == pytest.approx(mean + half, abs=1e-4)


def test_every_interval_in_the_results_follows_from_its_spread() -> None:
    from scipy import stats

    rows = tomllib.loads((SHIPPED / "results.toml").read_text())["results"]
    assert {(r["preset"], r["variant"]) for r in rows} >= {
        (preset, variant) for preset in ("quick", "cpu") for variant in CHANGES
    }
    for row in rows:
        half = stats.t.ppf(0.975, row["pairs"] - 1) * row["pair_sd"] / math.sqrt(row["pairs"])
        # pair_sd is kept to four digits
        assert (row["high"] - row["low"]) / 2 == pytest.approx(half, abs=3e-4), row
        assert row["source"]


# ── the statistics of session B


def by_hand() -> dict:  # type: ignore[type-arg]
    names: dict = {"__name__": "by_hand"}  # type: ignore[type-arg]
    exec((SHIPPED / "files" / "by_hand.py").read_text(), names)
    return names


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_the_page_says_of_each_verdict_what_one_may_not_write(week: Week, verdict: str) -> None:
    own = OwnVerdict(verdict, "What the runs say.")
    part = week_for(week, "rope", own=own).find_part("b3")
    assert part
    text = "\n".join(map(block_text, part.blocks))
    assert f"Your verdict is {verdict.upper()}" in text, f"{verdict} is not named"
    assert "> What the runs say." in text, "the sentence of the learner's own runs is not shown"
    assert text.count("You may not ") == 1, f"of {verdict} it is not said what goes too far"


def test_the_hand_worked_interval_is_that_of_the_program() -> None:
    from scipy import stats

    from q1lab.judgment.intervals import analyze

    worked = by_hand()
    assert pytest.approx(stats.t.ppf(0.975, 2), abs=1e-4) == worked["T"]
    d = [m - b for m, b in zip(worked["MODIFIED"], worked["BASELINE"], strict=True)]
    _, _, low, high = worked["interval"](d)
    arms = [dict(enumerate(worked[name])) for name in ("BASELINE", "MODIFIED")]
    ends = analyze(*arms, headline="paired").ends
    assert ends
    assert (low, high) == pytest.approx((ends.low, ends.high), abs=1e-5)
    means = worked["resamples"](d)
    assert len(means) == 27
    assert (means[0], means[-1]) == pytest.approx((min(d), max(d)))
    assert worked["coverage"]() == 0.75


def test_looking_at_three_five_and_ten_is_wrong_one_time_in_eight() -> None:
    import numpy as np
    from scipy import stats

    draws = np.random.default_rng(0).normal(size=(40_000, 10))
    claimed = np.zeros(40_000, bool)
    for n in (3, 5, 10):
        some = draws[:, :n]
        t = np.abs(some.mean(1)) / (some.std(1, ddof=1) / n**0.5)
        claimed |= t > stats.t.ppf(0.975, n - 1)
    assert claimed.mean() == pytest.approx(1 / 8, abs=0.01)
    assert "in eight" in " ".join((SHIPPED / "session-b.md").read_text().split())


def test_a_second_look_is_judged_as_the_page_says() -> None:
    from scipy import stats

    from q1lab.journal.history import ALPHA

    second = ALPHA / 2
    text = " ".join((SHIPPED / "session-b.md").read_text().split())
    assert f"judges it by a {1 - second:.1%} interval" in text
    by_hand = (SHIPPED / "files" / "by_hand.py").read_text()
    assert f"a second look's 97.5% it is {stats.t.isf(second / 2, 2):.4f}" in by_hand


# ── code


def test_a_first_test_that_is_written_out_is_not_asked_for(week: Week) -> None:
    for variant in CHANGES:
        b1 = week_for(week, variant).find_part("b1")
        assert b1
        text = " ".join(" ".join(map(block_text, b1.blocks)).split())
        assert "the other two are yours" in text
        (first,) = (step.title for step in b1.steps if "first test" in step.title)
        assert f" tests/test_{variant}.py, write two more" in first


@pytest.mark.parametrize("variant", CHANGES)
def test_the_first_test_fails_before_the_change(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a copy of the baseline under the variant's name, as `q1lab new` leaves it."""
    import importlib

    guide = (SHIPPED / "guides" / variant / "b1.md").read_text()
    first = re.findall(r"(?ms)^```python\n(.*?)^```", guide)[0]
    (name,) = re.findall(r"(?m)^def (test_\w+)", first)
    for model, passes in (("baseline", False), (variant, True)):
        model_module = importlib.import_module(f"labs.models.{model}")
        monkeypatch.setitem(sys.modules, variant, model_module)
        names: dict = {}  # type: ignore[type-arg]
        with contextlib.nullcontext() if passes else pytest.raises(BaseException):  # noqa: PT011
            exec(first, names)
            names[name]()


def test_the_blanks_filled_with_their_answers_run(week: Week) -> None:
    """Each path's pseudocode, with what the fold says belongs into its two blanks."""
    import torch

    for variant in CHANGES:
        narrowed = week_for(week, variant)
        a3 = narrowed.find_part("a3")
        assert a3
        folds = [block for block in a3.blocks if isinstance(block, Fold)]
        (sketch,) = (fold for fold in folds if "____" in fold.markdown)
        (answers,) = (fold for fold in folds if fold.title == "What belongs in the blanks")
        fills = re.findall(r"`([^`]+)`", answers.markdown)
        assert len(fills) == sketch.markdown.count("____") == 2, variant
        names: dict = {}  # type: ignore[type-arg]
        for source in re.findall(r"(?s)```python\n(.*?)```", sketch.markdown):
            while "____" in source:
                source = source.replace("____", fills.pop(0), 1)
            exec(source, names)
        torch.manual_seed(0)
        SAME[variant](names)


def _rope(names: dict) -> None:  # type: ignore[type-arg]
    import torch

    from labs.models import rope

    x, table = torch.randn(2, 2, 8, 4, 6), names["precompute_freqs_cis"](6, 8)
    for sketched, reference in zip(
        names["apply_rotary_emb"](*x, table),
        rope.apply_rotary_emb(*x, rope.precompute_freqs_cis(6, 8)),
        strict=True,
    ):
        assert torch.equal(sketched, reference)


def _rmsnorm(names: dict) -> None:  # type: ignore[type-arg]
    import torch

    from labs.models import rmsnorm

    x = torch.randn(2, 5, 8)
    assert torch.equal(names["RMSNorm"](8)(x), rmsnorm.RMSNorm(8)(x))


def _swiglu(names: dict) -> None:  # type: ignore[type-arg]
    import torch

    from labs.models import swiglu

    config = swiglu.GPTConfig(n_layer=1, n_head=4, n_embd=32, bias=False)
    sketched, reference = names["MLP"](config), swiglu.MLP(config)
    sketched.load_state_dict(reference.state_dict())
    x = torch.randn(2, 5, 32)
    assert torch.equal(sketched(x), reference(x))


def _gqa(names: dict) -> None:  # type: ignore[type-arg]
    import torch
    from torch import nn

    q, k, v = names["heads"](nn.Linear(32, 64), torch.randn(2, 5, 32), 4, 2)
    assert q.shape == k.shape == v.shape == (2, 5, 4, 8)
    assert torch.equal(k[:, :, 0], k[:, :, 1])
    assert not torch.equal(k[:, :, 1], k[:, :, 2])


SAME = {"rope": _rope, "rmsnorm": _rmsnorm, "swiglu": _swiglu, "gqa": _gqa}


def test_the_experiment_to_train_is_a_model() -> None:
    import torch

    names: dict = {"__name__": "no_positions"}  # type: ignore[type-arg]
    exec((SHIPPED / "files" / "no_positions.py").read_text(), names)
    config = names["GPTConfig"](
        block_size=8, vocab_size=11, n_layer=2, n_head=2, n_embd=8, bias=False
    )
    torch.manual_seed(0)
    model = names["GPT"](config)
    idx = torch.randint(11, (2, 8))
    _, loss = model(idx, idx)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(11), abs=0.3)
    assert all(p.grad is not None for p in model.parameters())


def test_code_in_a_hint_is_as_wide_as_its_window() -> None:
    """At 80 columns the window shows 62 of them."""
    for file in (SHIPPED / "hints").glob("*.md"):
        for block in re.findall(r"(?ms)^```text\n(.*?)^```", file.read_text()):
            assert max(map(len, block.splitlines())) <= 62, file.name


@pytest.mark.long
def test_the_mean_of_the_stream_is_as_small_as_the_guide_says(tmp_path: Path) -> None:
    import os
    import subprocess

    (tmp_path / "model.py").write_text((ROOT / "labs" / "models" / "baseline.py").read_text())
    done = subprocess.run(
        [sys.executable, str(SHIPPED / "files" / "stream.py")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # more of them wait for each other
    )  # fmt: skip
    ratios = [float(ratio) for ratio in re.findall(r"\|mean\| .* ratio (\S+)", done.stdout)]
    pages = (SHIPPED / "guides" / "rmsnorm").glob("*.md")
    guide = " ".join(" ".join(page.read_text() for page in pages).split())
    guide_ratios = re.search(r"\| 100 \| (\S+) to (\S+) \| (\S+) to (\S+) \|", guide)
    assert guide_ratios
    first_least, first_most, last_least, last_most = map(float, guide_ratios.groups())
    assert first_least - 0.005 <= ratios[0] <= first_most + 0.005
    assert last_least - 0.005 <= ratios[-1] <= last_most + 0.005
    assert f"have {math.sqrt(2 / math.pi / 128):.2f} on average" in guide


def test_an_untrained_model_favors_the_character_it_has_read() -> None:
    """Why the loss before training is below ln(vocabulary) on text with runs of spaces."""
    import torch

    from labs.models import baseline

    torch.manual_seed(0)
    config = baseline.GPTConfig(
        block_size=64, vocab_size=98, n_layer=4, n_head=4, n_embd=128, bias=False
    )
    model = baseline.GPT(config)
    random = torch.randint(98, (8, 65))
    loss = lambda text: float(model(text[:, :-1], text[:, 1:])[1].detach())  # noqa: E731
    assert loss(random) == pytest.approx(math.log(98), abs=0.15)
    assert loss(random[:, :1].expand(-1, 65)) < math.log(98) - 0.5


# ── commands, minutes, order


def quoted_commands(week: Week) -> set[str]:
    """Every q1lab command that the text quotes or offers."""
    commands = set()
    for part in week.parts():
        for action in part.actions:
            if action.argv():
                commands.add(shlex.join(action.argv()))
        for block in part.blocks:
            texts = [block.markdown] if isinstance(block, Text | Fold) else []
            if isinstance(block, Step):
                texts = [block.title, block.detail, block.answer.markdown if block.answer else ""]
            for text in texts:
                commands |= set(re.findall(r"`!?(q1lab [^`]+)`", text))
                commands |= set(re.findall(r"(?m)^(q1lab (?:run|take|artifact) .+)$", text))
    return commands


COURSE = re.compile(
    r"twelve|(?<!last )quarter|Q[12]\b(?!_RETRO)|M0\d-W|ROADMAP|\brungs?\b|\bKPIs?\b|third public"
    r"|nine sections"
    r"|(?:micrograd-minimal|classical-ml|ml-from-scratch)/"
)
"""What only somebody knows who follows the course."""


@pytest.mark.parametrize("variant", CHANGES)
def test_who_came_by_themselves_is_asked_nothing_of_a_course(variant: str) -> None:
    alone, course = (
        week_for(load_week(SHIPPED, course=in_course), variant) for in_course in (False, True)
    )
    offer = "The week is part of a twelve-week course, and works on its own as well."
    for text in (everything(alone), "\n".join(quoted_commands(alone))):
        course_word = COURSE.search(text.replace(offer, "").replace("a thread of twelve posts", ""))
        assert course_word is None, text[course_word.start() - 60 : course_word.end() + 60]
    assert len(COURSE.findall(everything(course))) > 30
    assert {step.id for step in course.steps()} ^ {step.id for step in alone.steps()} == {
        "c3-roadmap",
        "c3-readme",
    }


def test_a_numbered_section_begins_a_paragraph(week: Week) -> None:
    """Lines for one way only stand between the marks, and the blank line with them."""
    texts = [b.markdown for part in week.parts() for b in part.blocks if isinstance(b, Text)]
    glued = [heading for text in texts for heading in re.findall(r"\S\n(\*\*\d .*)", text)]
    assert not glued


def test_the_first_step_asks_how_one_came_here(week: Week) -> None:
    step = next(block for block in week.overview if isinstance(block, Step))
    commands = [action.argv()[1:] for action in step.actions]
    assert commands == [("config", "course", choice) for choice in ("true", "false")]


def test_the_overview_adds_up(week: Week) -> None:
    row = re.findall(r"(?m)^\| [ABC] .*\|([^|]*)\|$", "\n\n".join(map(block_text, week.overview)))
    planned = [sum(int(n) for n in re.findall(r"\d+", cell)) for cell in row]
    assert planned == [session.minutes for session in week.sessions]


def test_the_result_that_the_overview_shows_is_that_of_a_page(week: Week) -> None:
    text = "\n".join(map(block_text, week.overview))
    shown = re.findall(r"relu_squared − baseline = \S+ nats|98.56% interval", text)
    page = (ROOT / "docs" / "verdict.md").read_text()
    assert len(shown) == 2
    assert all(each in page for each in shown), "the page ends with other numbers"


# ── data and files


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """A command: its exit status, and what it said."""

    def call(*words: str) -> tuple[int, str]:
        code = run_command_line(list(words))
        output = capsys.readouterr()
        return code, output.out + output.err

    return call


def test_choosing_data_changes_the_text_and_the_runs(
    home: Path, tmp_path: Path, week: Week, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.txt").write_text("abcdefghij " * 200)
    assert ran("data")[1].startswith("no data is")
    code, output = ran("data", "own.txt")
    assert code == 0
    size = ", 2,200 in all"
    assert f"own.txt: 11 different characters{size}." in output
    assert "ln 11 = 2.3979" in output
    assert ran("data")[1] == output.replace(size, "")
    with Store() as store:
        now = progress.recorded_progress(store, week.label)
    assert now.of("a1-data").done
    narrowed = progress.learner_week(week, now)
    assert "ln 11 = 2.3979" in everything(narrowed)
    assert ran("data", "nowhere.txt")[0] == 2
    assert ran("data")[1] == output.replace(size, "")


def test_a_run_without_data_trains_on_what_was_chosen(
    home: Path,
    tmp_path: Path,
    fake_trainer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    ran: Ran,
) -> None:
    monkeypatch.chdir(tmp_path)
    data_file = tmp_path / "own.txt"
    data_file.write_text("abcdefghij " * 200)
    ask = ("run", "rope", "--seeds", "1", "--preset", "quick", "--max-iters", "20", "--json")
    assert ran(*ask)[0] == 0
    assert ran("data", "own.txt")[0] == 0
    assert ran(*ask)[0] == 0
    assert [studies.load(study_id).data.name for study_id in studies.ids()] == ["stdlib", "own.txt"]
    request = kinds.request(studies.load("rope-1"))
    assert "--data stdlib" in command_line.command_text(request)  # whatever is chosen now
    data_file.unlink()
    code, output = ran(*ask)
    assert code == 2
    assert "`q1lab data` chose" in output
    assert "--data" in output


def test_a_file_is_taken_once_and_never_over_another(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    monkeypatch.chdir(tmp_path)
    source = SHIPPED / "files" / "toy_cache.py"
    code, output = ran("take", "toy_cache.py")
    assert code == 0
    assert output.startswith(str(Path.cwd() / "toy_cache.py"))  # where it is now
    assert (tmp_path / "toy_cache.py").read_bytes() == source.read_bytes()
    assert ran("take", "toy_cache.py")[0] == 0  # the same bytes: nothing to do
    (tmp_path / "toy_cache.py").write_text("mine")
    code, output = ran("take", "toy_cache.py")
    assert (code, (tmp_path / "toy_cache.py").read_text()) == (2, "mine")
    assert "already and differs" in output
    assert "'toy_cache.py'" in ran("take", "toy_cach.py")[1]
    assert ran("take", "../session-a.md")[0] == 2
    assert "oracle_rope.py" in ran("take")[1]


# ── questions that come back


def test_what_was_wrong_comes_back_at_the_next_sessions_start(home: Path, week: Week) -> None:
    label = week.label
    with Store() as store:
        progress.choose_modification(store, week, "rope")
        narrowed = progress.learner_week(week, progress.recorded_progress(store, label))
        recall_ids = [step.id for step in narrowed.steps() if step.kind == "recall"]
        assert "a2-rope-s1" in recall_ids
        progress.grade_recall(store, label, "a2-rope-s1", False)
        progress.grade_recall(store, label, "a2-rope-s31", True)
        now = progress.recorded_progress(store, label)
        assert now.of("a2-rope-s1").done
        after_recall = progress.learner_week(week, now)
        first = after_recall.session("b").parts[0].steps[0]
        assert (first.id, first.repeat_of, first.kind) == ("a2-rope-s1@b", "a2-rope-s1", "recall")
        assert first.answer
        assert len(list(after_recall.steps())) == len(list(narrowed.steps())) + 1
        assert after_recall.session("a") == narrowed.session("a")
        assert after_recall.find_part("a2-rope-s1@b")

        progress.grade_recall(store, label, "a2-rope-s1@b", False)
        third = (
            progress.learner_week(week, progress.recorded_progress(store, label))
            .session("c")
            .parts[0]
            .steps[0]
        )
        assert (third.id, third.repeat_of) == ("a2-rope-s1@c", "a2-rope-s1")
        progress.grade_recall(store, label, "a2-rope-s1@b", True)
        last = progress.learner_week(week, progress.recorded_progress(store, label))
        assert last.session("c").parts[0].steps[0].repeat_of is None
        assert last.session("b").parts[0].steps[0].id == "a2-rope-s1@b"


def test_each_fold_answers_one_section(week: Week) -> None:
    for variant in CHANGES:
        narrowed = week_for(week, variant)
        questions = [step for step in narrowed.steps() if step.kind == "recall"]
        assert len(questions) >= 3
        for step in questions:
            assert step.answer
            question_letters = set(re.findall(r"\(([a-f])\)", step.detail))
            answer_letters = set(re.findall(r"\(([a-f])\)", step.answer.markdown))
            assert question_letters == answer_letters, step.id
