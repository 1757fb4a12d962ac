"""The commands that write documents, as typed, in real repositories, on studies of a trainer
without torch."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.progress_rows import part_rows
from q1lab.commands import cli
from q1lab.documents import managed_regions
from q1lab.documents.channel_posts import LIMITS
from q1lab.ground import config, paths, text_formats
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.week import content, evidence, progress
from tests.kit import commands, lab_home, small_weeks
from tests.kit.repos import begun, git, of_its_own
from tests.week.test_teaching import COURSE

pytestmark = pytest.mark.sample

Fake = Callable[..., None]
LOOKED = ("b1-diff", "b3-compare", "c2-lint")
"""Steps that are done once something was looked at; the first of them also wants a commit."""
ROADMAP = b"# R\r\n\r\n## M03-W04\r\n- [ ] post\r\n- [ ] retro"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The learner's repository, in which one stands, with work of the learner's lying about."""
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.setenv("Q1LAB_ASK_BEFORE_COMMIT", "false")
    files = {"model.py": "first\n", "AI_EXPERT_ROADMAP.md": ROADMAP, "a.ipynb": "{}"}
    folder = begun(tmp_path / "transformer-from-scratch", files)
    monkeypatch.chdir(folder)
    (folder / "model.py").write_text("staged\n")
    git(folder, "add", "model.py")
    (folder / "model.py").write_text("and edited\n")
    return folder


def work(folder: Path) -> str:
    """The learner's own state: what is staged and what is not."""
    return (
        git(folder, "status", "--porcelain=v2", "--untracked-files=all")
        + git(folder, "diff", "--cached")
        + git(folder, "diff")
    )


@pytest.fixture
def q1lab(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    def run(*args: str, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        status = cli.run_command_line(list(args))
        out = capsys.readouterr()
        assert status == code, (status, out.out, out.err)
        assert "Traceback" not in out.err
        return out.out, out.err

    return run


Q1lab = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def follows_the_course(home: Path) -> None:
    """These documents are those of the twelve-week course, where a test says nothing else."""
    config.save_setting("course", "true")


Answers = Callable[[str], io.StringIO]


@pytest.fixture
def answers(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Every commit is asked about; call it with what standard input holds, a pipe."""
    monkeypatch.delenv("Q1LAB_ASK_BEFORE_COMMIT")

    def type_in(text: str) -> io.StringIO:
        pipe = io.StringIO(text)
        monkeypatch.setattr("sys.stdin", pipe)
        return pipe

    return type_in


def answer(step: str, text: str) -> None:
    with Store() as store:
        progress.save_answer(store, "M03-W04", step, text)


def study(fake: Fake, *args: str, **how: Any) -> None:
    fake(**{"effect": -0.1, "noise": 0.01, **how})
    commands.q1lab("run", *(args or ("rope",)), "--preset", "quick", "--max-iters", "20")


PREDICT = shlex.split("predict rope --direction lower --size 0.03 --matters 0.01 --sure 70%")
ADD_REPO = ["course", "artifact", "add", "repo"]


def test_the_head_names_what_is_chosen_and_nothing_before(repo: Path, q1lab: Q1lab) -> None:
    document = repo / "MODIFICATION.md"
    q1lab("modification")
    assert document.read_text().startswith("# Modification\n")
    assert "RoPE" not in document.read_text().split("<!--")[0]
    for variant, title in (("rope", "RoPE"), ("gqa", "GQA")):
        with Store() as store:
            progress.choose_modification(store, content.load_week(paths.content_dir()), variant)
        q1lab("modification")
        head = document.read_text().split("<!--")[0]
        assert head.startswith(f"# Modification: {title}\n")
        assert f"**{title}: " in head
        day = re.search(r"\nChosen on 20\d\d", document.read_text())
        assert day, "the day of the choice is lost"
        # the paper, without what the week says to read of it
        assert re.search(r" From \[.*arXiv (\d{4}\.\d{5})\]\(\S*/\1\)\.\n", document.read_text())
    renamed = document.read_text().replace("# Modification: GQA", "# Fewer heads", 1)
    document.write_text(renamed)
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "rope")
    q1lab("modification", "--yes")
    assert document.read_text().startswith("# Fewer heads\n"), "the learner's own title stays"


def test_a_changed_mind_after_a_study_keeps_two_documents(
    repo: Path, q1lab: Q1lab, answers: Answers, fake_trainer: Fake
) -> None:
    """RoPE's document had stood over SwiGLU's notes, prediction, diff and verdict."""
    week = content.load_week(paths.content_dir())

    def done(step: str) -> bool:
        with Store() as store:
            return evidence.read_progress(store, week).of(step).done

    (repo / "model.py").write_bytes((paths.models_dir() / "baseline.py").read_bytes())
    git(repo, "commit", "-qam", "mine")
    q1lab("new", "swiglu")  # nothing is chosen yet: this chooses it
    file = repo / "swiglu.py"
    header = file.read_text().splitlines()[0]
    file.write_text(f"{header}\n{(paths.models_dir() / 'swiglu.py').read_text()}")
    answer("a1-why", "For the gate.")
    answer("a2-skim", "It claims a lower perplexity.")
    q1lab("predict", "swiglu", "--direction", "lower", *PREDICT[4:])
    q1lab("modification", "--yes")
    study(fake_trainer, "./swiglu.py", "--unchecked", effect=0.3)
    answer("b3-verdict", "It hurts.")
    q1lab("modification", "--yes")
    document, other = repo / "MODIFICATION.md", repo / "MODIFICATION-rope.md"
    document.write_text("My foreword on gates.\n\n" + document.read_text())
    git(repo, "commit", "-qam", "a foreword")
    first = document.read_text()
    assert "## The result: higher val loss at this budget" in first
    assert done("b2-run")

    for typed, code in (("", 2), ("n\n", 1)):
        answers(typed)
        _, err = q1lab("modification", "rope", code=code)
        assert "swiglu (swiglu-1)" in err
        assert "to rope?" in err
        assert "nothing was changed" in err.splitlines()[-1]
        message = q1lab("modification", "--dry-run")[1]
        assert message.startswith(
            "MODIFICATION.md, figures/swiglu-1.svg, studies/swiglu-1 (11 files): "
        )
    answers("y\ny\n")
    _, err = q1lab("modification", "rope")
    assert "docs: add MODIFICATION-rope.md for rope" in err
    answer("a1-why", "For the angles.")
    q1lab("modification", "--yes")
    text = other.read_text()
    assert text.startswith("# Modification: RoPE\n")
    assert "For the angles." in text
    for left in ("swiglu", "gate", "perplexity", "70%", "hurts", "```diff"):
        assert left not in text.lower()
    assert document.read_text() == first
    assert "No prediction for rope" in q1lab("predict")[0]
    lower = ("predict", "rope", "--direction", "lower")
    assert "--size is missing" in q1lab(*lower, code=2)[1]
    parts = ("--direction", "lower", "--size", "0.1", "--matters", "0.01")
    assert "--sure is missing" in q1lab("predict", "rope", *parts, code=2)[1]
    assert not done("b2-run")

    answers("")  # RoPE was not trained, and SwiGLU's document is as it was: nothing to ask
    q1lab("modification", "swiglu")
    assert document.read_text() == first
    assert other.read_text() == text
    assert done("b2-run")
    assert "nothing would change" in q1lab("modification", "--dry-run")[1]
    assert "For the gate." in document.read_text()


def test_a_commit_without_a_prediction_locks_none(repo: Path, q1lab: Q1lab) -> None:
    """“This locks the prediction” was ticked by any commit of the document after any answer."""
    week = content.load_week(paths.content_dir())
    q1lab("modification", "rope")
    answer("a1-why", "a reason")
    answer("a2-skim", "a claim")
    steps = {"a3-commit"}
    for command in (("modification",), PREDICT, ("modification", "--no-commit")):
        q1lab(*command)
        with Store() as store:
            assert not steps & evidence.read_progress(store, week).done
    q1lab("modification")
    with Store() as store:
        assert steps <= evidence.read_progress(store, week).done


def test_from_the_choice_to_the_verdict(repo: Path, q1lab: Q1lab, fake_trainer: Fake) -> None:
    work_before = work(repo)
    q1lab("modification")
    answer("a1-why", "Because {{ it }} <b>turns</b>.\n\n# Loud\n<!-- q1lab:end choice -->")
    q1lab(*PREDICT)
    _, err = q1lab("modification")
    assert "committed" in err
    assert "locked 20" in q1lab("predict", "rope")[0]
    assert "up to date" in q1lab("modification")[1], "a commit can't know its own minute"
    assert "locked since" in q1lab(*PREDICT, code=2)[1]
    study(fake_trainer)
    q1lab("modification")
    text = (repo / "MODIFICATION.md").read_text()
    assert "## The result: lower val loss at this budget" in text
    # on the same day a reader compares minutes
    minute = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    assert re.search(rf"Locked {minute}, by the commit of MODIFICATION.md", text)
    assert re.search(rf"`rope-1` on record since {minute}", text)
    assert (
        "q1lab run rope --seeds 3 --preset quick --data stdlib --max-iters 20 --device cpu" in text
    )
    assert "Because {{ it }} \\<b>turns\\</b>." in text
    assert "precompute_freqs_cis" not in text  # q1lab's own code, and nothing is solved yet
    assert "q1lab's own implementation" in text
    assert work(repo) == work_before
    compared, predicted, added = git(repo, "log", "--format=%s").split("\n")[:3]
    assert compared.startswith("docs: ")
    assert "MODIFICATION.md (helps)" in compared
    assert "prediction for rope" in predicted
    assert added == "docs: add MODIFICATION.md"
    assert git(repo, "show", "--name-only", "--format=", "HEAD").split() == [
        "MODIFICATION.md",
        "figures/rope-1.svg",
    ]
    before = git(repo, "rev-parse", "HEAD")
    assert "up to date" in q1lab("modification")[1]
    assert git(repo, "rev-parse", "HEAD") == before


def test_the_first_run_locks_the_prediction_and_amending_is_shown(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    q1lab(*PREDICT)
    study(fake_trainer)
    assert "by study rope-1" in q1lab("predict", "rope")[0]
    q1lab("predict", "rope", "--amend", "--direction", "same", "--matters", "0.02", "--sure", "0.9")
    out = json.loads(q1lab("predict", "rope", "--json")[0])
    assert [old["direction"] for old in out["prediction"]["amended"]] == ["lower"]
    q1lab("modification")
    text = (repo / "MODIFICATION.md").read_text()
    assert "This amended prediction replaces:" in text
    # What is scored is what was locked before the runs, not the amendment.
    assert "Predicted, 70% sure: the val loss falls by 0.03 nats." in text


def test_no_prediction_is_said_and_all_studies_are_shown(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    study(fake_trainer)
    study(fake_trainer, "rope", "--fresh", effect=0.0)
    q1lab("modification")
    text = (repo / "MODIFICATION.md").read_text()
    assert "I wrote down no prediction" in text
    assert "| `rope-1` |" in text
    assert "| `rope-2` |" in text


def test_an_experiment_of_one_seed_beside_the_study_is_not_the_verdict(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """The guides have such experiments after the week's own six runs: they are newer."""
    q1lab(*PREDICT)
    study(fake_trainer)
    study(fake_trainer, "rope", "--seeds", "1", "--set", "learning_rate=0.002")
    assert "3 pairs" in q1lab("compare", "rope")[0]
    assert "1 pair" in q1lab("compare")[0]
    assert "1 pair" in q1lab("compare", "rope-2")[0]
    assert "next: q1lab compare rope-1" in q1lab("status")[0]
    q1lab("modification")
    text = (repo / "MODIFICATION.md").read_text()
    assert "## The result: lower val loss at this budget" in text
    assert "| `rope-2` |" in text
    assert "rope-1" in q1lab("post", "--dry-run")[0]
    retro = q1lab("retro", "--dry-run")[0]
    assert "| rope-1 | −0.0300 |" in retro
    assert "| rope-2 | −0.0300 |" not in retro  # nobody predicted that one
    assert "open." not in retro


def test_ones_own_file_answers_before_later_experiments(repo: Path, q1lab: Q1lab) -> None:
    """q1lab's own file does not take its place in the documents."""
    work(repo)
    mine = lab_home.make_study("mine-1")
    own = replace(mine.arms["modified"], origin=str(repo / "rope.py"))
    mine = replace(mine, arms={**mine.arms, "modified": own})
    lab_home.make_study("rope-2", created="2026-03-08T09:30:00+00:00")
    for study in (mine, studies.load("rope-2")):
        studies.save(study)
        lab_home.finish(study)
    text = q1lab("modification", "--dry-run")[0]
    assert "figures/mine-1.svg" in text
    assert "rope-2" in text


def test_a_declared_study_answers_before_the_pair_that_tried_it(repo: Path, q1lab: Q1lab) -> None:
    """B2 has one pair tried first, and the post begun while the six runs train."""
    work(repo)
    lab_home.finish(lab_home.make_study("rope-1", seeds=(0,)))
    six = lab_home.make_study("rope-2", created="2026-03-07T10:30:00+00:00")
    for state in ("planned", "training"):
        for document in ("post", "modification"):
            text = q1lab(document, "--dry-run")[0]
            assert "My runs have not finished yet." in text, state
            assert "rope-1" not in text, state
            assert "results (" not in text, state
        lab_home.train(six, "baseline", 0)
        lab_home.train(six, "modified", 0, to=500, state=None)
    lab_home.finish(six)
    assert "rope-2" in q1lab("post", "--dry-run")[0]
    lab_home.make_study("rope-3", created="2026-03-07T11:30:00+00:00")
    assert "rope-2" in q1lab("modification", "--dry-run")[0], (
        "a verdict stays until the next has one"
    )


def test_what_the_learner_wrote_survives_every_refresh(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    q1lab("modification")
    path = repo / "MODIFICATION.md"
    data = path.read_bytes().replace(b"\n", b"\r\n")
    data = data.replace(b"# Modification", b"My foreword.\r\n\r\n# Modification", 1)
    data += b"my last words"
    data = data.replace(b"*I have no sketch", b"MY OWN SKETCH. *I have no sketch")
    notes = next(each for each in managed_regions.find_regions(data) if each.name == "notes")
    data = data[: notes.start] + data[notes.end :]
    path.write_bytes(data)
    problem = q1lab("modification", code=2)[1]
    assert "edits of yours" in problem
    assert "My foreword." in problem
    assert path.read_bytes() == data
    answer("a3-sketch", "from the app")
    answer("a1-why", "a reason")
    _, err = q1lab("modification", "--yes")
    assert "edited it: sketch" in err
    assert "-MY OWN SKETCH." in err
    after = path.read_bytes()
    assert after.startswith(b"My foreword.\r\n")
    assert after.endswith(b"my last words")
    assert b"MY OWN SKETCH." in after
    assert b"a reason\r\n" in after
    assert b"begin notes" not in after, "a region that was taken out stays out"
    assert b"\n" not in after.replace(b"\r\n", b"")
    q1lab("modification", "--overwrite", "--yes")
    assert b"MY OWN SKETCH." not in path.read_bytes()
    assert b"from the app\r\n" in path.read_bytes()


def test_dry_run_no_commit_and_json(repo: Path, q1lab: Q1lab) -> None:
    work_before = work(repo)
    head = git(repo, "rev-parse", "HEAD")
    out, err = q1lab("modification", "--dry-run")
    assert "+## The choice" in out
    assert "would commit: docs: add MODIFICATION.md" in err
    assert json.loads(q1lab("modification", "--dry-run", "--json")[0])["written"] == []
    assert work(repo) == work_before
    assert not (repo / "MODIFICATION.md").exists()
    q1lab("modification", "--no-commit")
    assert (repo / "MODIFICATION.md").exists()
    assert git(repo, "rev-parse", "HEAD") == head
    record = json.loads(q1lab("modification", "--yes", "--json")[0])
    assert record["commit"] == git(repo, "rev-parse", "HEAD").strip()
    assert (repo / "MODIFICATION.md").stat().st_mode & 0o777 == 0o666 & ~shared_umask()


def shared_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    "command",
    [
        "modification",
        "modification --json",
        "retro",
        "post",
        "course roadmap --tick 4",
        "merge rope.py --unchecked",
    ],
)
def test_a_commit_is_asked_about_whatever_the_input_is(
    repo: Path, q1lab: Q1lab, answers: Answers, command: str
) -> None:
    """`yes n | q1lab modification` had committed, as nobody sat at a terminal."""
    lab_home.make_study()
    (repo / "model.py").write_bytes((paths.models_dir() / "baseline.py").read_bytes())
    git(repo, "commit", "-qam", "mine")
    q1lab("new", "rope", "--repo", str(repo))
    (repo / "rope.py").write_text((repo / "rope.py").read_text() + "added = 1\n")
    before = work(repo), git(repo, "log")
    for typed, code in (("n\n", 1), ("what?\n" * 9, 2), ("\0" * 9999, 2), ("", 2)):
        answers(typed)
        _, err = q1lab(*command.split(), code=code)
        assert (work(repo), git(repo, "log")) == before
        assert "nothing was changed" in err.splitlines()[-1]
    assert "--yes commits" in err
    answers("y\n")
    q1lab(*command.split())
    assert git(repo, "log") != before[1]


def test_so_is_whatever_else_is_asked(repo: Path, q1lab: Q1lab, answers: Answers) -> None:
    lab_home.finish(lab_home.make_study())
    for command, place in (
        ("delete rope-1", paths.study_dir("rope-1")),
        ("delete --empty", paths.trash_dir() / "rope-1"),
    ):
        for typed, code in (("", 2), ("n\n", 0), ("\n", 0)):
            answers(typed)
            q1lab(*command.split(), code=code)
            assert place.exists()
        answers("yes\n")
        q1lab(*command.split())
        assert not place.exists()


def test_a_repository_is_offered_to_whoever_answers(
    tmp_path: Path, q1lab: Q1lab, answers: Answers
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    words = ("modification", "--repo", str(plain))
    for typed in ("", "n\n"):
        answers(typed)
        assert "make one with `git init`" in q1lab(*words, code=2)[1]
        assert list(plain.iterdir()) == []
    q1lab(*words, "--no-commit")
    assert (plain / "MODIFICATION.md").exists()
    (plain / "MODIFICATION.md").unlink()
    answers("y\ny\n")
    q1lab(*words)
    assert "docs: " in git(plain, "log", "--format=%s")
    document = plain / "MODIFICATION.md"
    document.write_text(document.read_text() + "mine\n")
    head = git(plain, "rev-parse", "HEAD")
    answers("y\nn\n")
    assert "Go on?" in q1lab(*words, code=1)[1], "an edit of one's own is another question"
    assert git(plain, "rev-parse", "HEAD") == head
    assert "no folder" in q1lab("modification", "--repo", str(plain / "gone" / "gone"), code=2)[1]


def test_the_retrospective(repo: Path, q1lab: Q1lab, fake_trainer: Fake) -> None:
    work_before = work(repo)
    q1lab(*PREDICT)
    study(fake_trainer)
    with Store() as store:
        learner_tables.credit_seconds(store, "M03-W04", {"a2": 60 * 180})
        progress.tick_step(store, "M03-W04", "a2-log", True)
        progress.tick_step(store, "M03-W04", "c3-attention", True)
    answer("c3-insights", "1. Seeds vary.")
    q1lab(*ADD_REPO, "ml-from-scratch: an MLP by hand", "--at", "https://example.org/ml")
    q1lab(*ADD_REPO, repo.name, "--at", "https://example.org/tfs")
    q1lab("paper", "add", 'A "quoted" | paper', "--done")
    q1lab("course", "kpi", "papers_read", "--actual", "9")
    q1lab("retro")
    text = (repo / "Q1_RETRO.md").read_text()
    a2 = content.load_week(paths.content_dir()).find_part("a2")
    assert a2 is not None
    planned = text_formats.hours_minutes(a2.allowance)
    for part in (
        "- [transformer-from-scratch](https://example.org/tfs) (1 notebook is mine)",
        "- [ml-from-scratch](https://example.org/ml): an MLP by hand",
        "| Public repos | 3 | 2 |",
        "| Papers read deeply | 8 | 9, by my own count |",
        '- A "quoted" \\| paper',
        "1. Seeds vary.",
        f"“Read the paper” took 3 h 00 min instead of {planned}.",
        f"ran for 3 h 00 min in 1 of 10 parts, planned for {planned}.",
        "RoPE's val loss is",
        "- [x] I can implement attention from a blank file in 30 min",
        "| rope-1 | −0.0300 | 70% |",
        "- It starts with M04-W01",
    ):
        assert part in text, part
    assert work(repo) == work_before
    # A box ticked in the file is the learner's word, and stays.
    path = repo / "Q1_RETRO.md"
    mine = "- [x] I can implement attention from a blank file in 30 min"
    path.write_text(text.replace(mine, f"{mine}\n- [x] I can read any transformer paper"))
    answer("c3-q2", "- an incident-triage system")
    q1lab("retro", "--yes")
    assert "- [x] I can read any" in path.read_text()
    assert "- an incident-triage system" in path.read_text()
    with Store() as store:
        row = store.db.execute("SELECT * FROM evidence WHERE act = 'retro'").fetchone()
    assert row["sha"] == git(repo, "rev-parse", "HEAD").strip()
    assert "nothing would change" in q1lab("retro", "--dry-run")[1]


def test_the_retrospective_has_the_order_that_the_course_asks_for(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """What q1lab adds had come first, and what was shipped fifth."""
    q1lab(*PREDICT)
    study(fake_trainer)
    study(fake_trainer, "gqa", effect=0.1)
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "rope")
    answer("c3-insights", "Seeds vary.\n\nShapes first.\n\nBackprop is a walk.")
    q1lab("retro")
    text = (repo / "Q1_RETRO.md").read_text()
    assert "RoPE's val loss is" in text
    assert re.findall(r"(?m)^## (.+)$", text) == [
        "The last week in short",
        "Artifacts shipped (12 weeks)",
        "KPIs against targets",
        "Three biggest insights",
        "What slipped",
        "Pace check",
        "The plan for Q2",
        "Confidence calibration before Q2",
    ]
    assert "1. Seeds vary.\n2. Shapes first.\n3. Backprop is a walk.\n" in text
    plan = text[text.index("## The plan for Q2") : text.index("<!-- q1lab:end plan")]
    assert plan.split("\n")[2:5] == [
        "- LLM application engineering, with a real project",
        "- The anchor: an incident-triage and root-cause-analysis system",
        "- It starts with M04-W01",
    ]
    boxes = text[text.index("## Confidence calibration") :]
    assert "- [ ]" not in boxes
    assert re.search(r"\b(timer|counted:|rope)\b", strip_code(text)) is None
    answer("c3-q2", "- a bot that reads logs")
    q1lab("retro", "--yes")
    text = (repo / "Q1_RETRO.md").read_text()
    assert "- a bot that reads logs" in text
    assert "incident-triage" not in text


def strip_code(text: str) -> str:
    """Running text and tables: no code spans, no comments, none of the sentence on the sources."""
    text = text.replace("repositories and\ntimer", "")
    return re.sub(r"`[^`]*`|<!--.*?-->|rope-\d", "", text)


def test_a_cloned_project_is_not_the_learners_work(
    repo: Path, q1lab: Q1lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two notebooks and the address of a cloned nanoGPT were claimed as artifacts shipped."""
    theirs = begun(tmp_path / "upstream", {"scaling.ipynb": "{}" * 99, "sizes.ipynb": "[]" * 99})
    git(theirs, "commit", "-q", "--amend", "--author", "Up Stream <up@example.org>", "-m", "begin")
    folder = tmp_path / "nanogpt"
    git(tmp_path, "clone", "-q", str(theirs), str(folder))
    (folder / "old").mkdir()
    git(folder, "mv", "scaling.ipynb", "old")
    for name in ("mine.ipynb", "gone.ipynb", "moved.ipynb"):
        (folder / name).write_text(f'{{"a": "{name * 9}"}}')
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "mine")
    git(folder, "mv", "moved.ipynb", "old")
    git(folder, "rm", "-q", "gone.ipynb")
    (folder / "sizes.ipynb").write_text("[1]")
    (folder / "untracked.ipynb").write_text("[1]")
    git(folder, "commit", "-qam", "tidied by somebody else", "--author", "Up Stream <u@x.org>")
    git(folder, "remote", "set-url", "origin", "https://example.org/karpathy/nanogpt")
    monkeypatch.chdir(folder)
    out, _ = q1lab("retro", "--dry-run")
    assert "nanogpt" not in out
    assert "| Public repos | 3 | 0 |" in out
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")  # as after a push to one's fork
    out, _ = q1lab("retro", "--dry-run")
    assert "- [nanogpt](https://example.org/karpathy/nanogpt) (2 notebooks are mine)" in out
    assert "| Public repos | 3 | 1 |" in out


def test_the_retrospective_counts_steps_as_the_app_does(repo: Path, q1lab: Q1lab) -> None:
    """It had said 6 of 6 undone of a part where the app said 0 of 8. Of its own part, what comes
    after it is not counted."""
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "swiglu")
        progress.tick_step(store, "M03-W04", "a1-trains", True)
        week = content.week_for(content.load_week(paths.content_dir()), "swiglu")
        recall_steps = [step.id for step in week.steps() if step.kind == "recall"]
        progress.grade_recall(
            store, "M03-W04", recall_steps[-1], right=False
        )  # asked again in session B
    text = q1lab("retro", "--dry-run")[0]
    app = lab_home.app()
    rows = {
        str(row.left).split(" ", 2)[2]: row
        for row in part_rows(app.week, app.snapshot.progress, training=False)
    }
    counts = {part.id: app.snapshot.progress.count([part]) for part in app.week.parts()}
    for part in app.week.parts():
        count = counts[part.id]
        assert f"{count.done} of {count.total} " in rows[part.title].right
    retro = next(step.id for step in app.week.steps() if step.done_when == "retro committed")
    after = [step.id for step in app.week.find_part(retro).steps if not step.optional]  # type: ignore[union-attr]
    total = sum(count.total for count in counts.values()) - len(after[after.index(retro) :])
    left = total - sum(count.done for count in counts.values())
    assert f"Of {total} steps I left {left} undone" in text


def test_the_document_shows_the_picture_of_its_study(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    q1lab("modification")
    study(fake_trainer)
    picture, document = repo / "figures" / "rope-1.svg", repo / "MODIFICATION.md"
    picture.parent.mkdir()
    picture.write_text("<svg/>")
    before = document.read_text()
    assert (
        "figures/rope-1.svg is not a picture that q1lab drew"
        in q1lab("modification", "--yes", code=2)[1]
    )
    assert (picture.read_text(), document.read_text()) == ("<svg/>", before)
    picture.unlink()
    q1lab("modification", "--yes")
    assert git(repo, "show", "--name-only", "--format=", "HEAD").split() == [
        "MODIFICATION.md",
        "figures/rope-1.svg",
    ]
    text = document.read_text()
    assert "](figures/rope-1.svg)" in text
    assert "up to date" in q1lab("modification")[1], "the picture is the same to the byte"
    q1lab("delete", "rope-1", "--yes")
    q1lab("modification", "--yes")
    assert "](figures/" not in document.read_text()
    assert picture.exists()


def test_the_post(repo: Path, q1lab: Q1lab, fake_trainer: Fake, tmp_path: Path) -> None:
    work_before = work(repo)
    q1lab("post", "--dry-run")
    assert not (repo / "posts").exists()
    q1lab("post")
    path = repo / "posts" / "m03-w04-retrospective.md"
    assert "can't tell" in path.read_text()
    said = git(repo, "log", "-1", "--format=%s").strip()
    assert said == "docs: begin the retrospective post", "there are no results"
    study(fake_trainer)
    path.write_text(
        path.read_text().replace(
            "## Where I started\n", "## Where I started\n\nMy model got better at nothing.\n"
        )
    )
    q1lab("post", "--yes")
    text = path.read_text()
    assert "excludes zero" in text
    assert "My model got better at nothing." in text
    assert "![" in text
    assert (repo / "posts" / "figures" / "rope-1.svg").read_text().startswith("<svg")
    assert git(repo, "show", "--name-only", "--format=", "HEAD").split() == [
        "posts/figures/rope-1.svg",
        "posts/m03-w04-retrospective.md",
    ]
    assert work(repo) == work_before
    assert "up to date" in q1lab("post")[1], "the chart is the same to the byte"
    out = json.loads(q1lab("post", "lint", "--json")[0])
    assert out["budget"] == 3000
    assert out["findings"] == []
    assert (
        next(item for item in out["sections"] if item["title"] == "Where I started")["words"] == 6
    )
    path.write_text(text + "\nThe baseline ended at 9.8765.\n")
    out, _ = q1lab("post", "lint", code=1)
    *counted, found = out.splitlines()
    assert found.startswith(f"posts/{path.name}:{text.count(chr(10)) + 2}: 9.8765 is not")
    assert counted[-1].split()[0] == "together"
    q1lab("compare", "--full")
    q1lab("new", "rope", "--repo", str(tmp_path / "fresh"))
    model_file = tmp_path / "fresh" / "rope.py"
    model_file.write_text(model_file.read_text() + "CHANGED = True\n")
    q1lab("diff", str(model_file))
    git(tmp_path / "fresh", "add", "rope.py")
    git(tmp_path / "fresh", "commit", "-q", "-m", "A change")
    week = content.load_week(paths.content_dir())
    with Store() as store:
        done = evidence.read_progress(store, week).done
    look_steps = {step.id for step in content.week_for(week, "rope").steps() if step.id in LOOKED}
    assert len(look_steps) == len(LOOKED)
    assert done >= look_steps
    q1lab("post", "share", "hn", code=2)
    q1lab("post", "publish", "https://example.org/q1")
    q1lab("post", "share", "hn", "https://news.ycombinator.com/item?id=1")
    q1lab("post", "share", "hn", "https://news.ycombinator.com/item?id=2", code=2)
    q1lab("post", "share", "x", "nonsense", code=2)
    text, count = q1lab("post", "share", "x")
    assert "https://example.org/q1" in text
    assert "of 280" in count
    assert "✓ https://news.ycombinator.com/item?id=1" in q1lab("post", "--yes")[0]
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "rope")
    study(fake_trainer, "gqa", effect=0.3)  # an experiment beside the one that the post is about
    gqa_difference = json.loads(q1lab("compare", "gqa-1", "--json")[0])["difference"]["mean"]
    path.write_text(text + f"\nGQA ended {gqa_difference:.4f} nats higher.\n")
    assert "no claim" in q1lab("post", "lint")[1]


def test_every_answer_of_the_week_reaches_a_document(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """Each answer that the content asks for (``into=``) has a place; one that vanishes would be
    worse than no question."""
    q1lab(*PREDICT)
    study(fake_trainer)
    week = content.week_for(content.load_week(paths.content_dir()), "rope")
    write_steps = [step for step in week.steps() if step.into and step.kind == "write"]
    assert len(write_steps) > 12
    for step in write_steps:
        answer(step.id, f"answer to {step.id}.")
    shown = (("modification", "--dry-run"), ("post", "--dry-run"), ("retro", "--dry-run"))
    documents = [q1lab(*command)[0] for command in shown]
    for step in write_steps:
        assert any(f"answer to {step.id}." in text for text in documents), (step.id, step.into)
    boxes = [step for step in week.steps() if step.into in ("confidence", "assessment")]
    assert not any(step.title in documents[2].replace("\\", "") for step in boxes)
    for step in boxes:
        with Store() as store:
            progress.tick_step(store, week.label, step.id, True)
    signed = q1lab("retro", "--dry-run")[0].replace("\\", "")
    for step in boxes:
        assert f"- [x] {step.title}" in signed


def test_a_week_alone_leaves_no_word_of_a_course(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is written, shown or copied asks for twelve weeks that were not."""
    q1lab(*PREDICT)
    q1lab("retro", "--yes")
    course = (repo / "Q1_RETRO.md").read_text()
    assert course.startswith("# Q1 retrospective: Foundations\n\n")
    assert "twelve weeks" in course.split("<!--")[0]
    assert "M04-W01" in course
    assert q1lab("config", "course", "false")[0] == "course = false\n"
    study(fake_trainer)
    for command in ("modification", "post", "retro"):
        q1lab(*command.split(), "--yes")
    (post,) = (repo / "posts").glob("*.md")
    assert post.name == "one-week-retrospective.md"
    q1lab("post", "publish", "https://example.org/rope")
    texts = [post.read_text(), q1lab("course", "kpi")[0]]
    texts += [(repo / name).read_text() for name in ("MODIFICATION.md", "Q1_RETRO.md")]
    texts += [q1lab("post", "share", channel)[0] for channel in LIMITS]
    for text in texts:
        assert not COURSE.search(text), COURSE.findall(text)
        assert "KPI" not in text
    kpis = json.loads(q1lab("course", "kpi", "--json")[0])["kpis"]
    assert [kpi["target"] for kpi in kpis] == [1, 1, 1]
    # and back again: the heads, which are in no region, too
    q1lab("config", "course", "true")
    for command in ("modification", "retro"):
        q1lab(command, "--yes")
    assert (repo / "Q1_RETRO.md").read_text().startswith(course.partition("<!--")[0])
    assert "(week M03-W04)" in (repo / "MODIFICATION.md").read_text()


def test_how_one_came_ticks_the_step_that_asks(repo: Path, q1lab: Q1lab) -> None:
    q1lab("config", "course", "maybe", code=2)
    with Store() as store:
        assert not progress.recorded_progress(store, "M03-W04").of("way").done
    q1lab("config", "course", "false")
    with Store() as store:
        assert progress.recorded_progress(store, "M03-W04").of("way").done
    q1lab("--content", str(repo), "config", "course", "true")  # no week is no reason to fail


def test_lint_without_a_draft(repo: Path, q1lab: Q1lab) -> None:
    assert "no draft" in q1lab("post", "lint", code=2)[1]
    assert "belong to `q1lab post`" in q1lab("post", "--dry-run", "lint", code=2)[1]


def test_the_roadmap(repo: Path, q1lab: Q1lab) -> None:
    work_before = work(repo)
    path = repo / "AI_EXPERT_ROADMAP.md"
    assert "   4  [ ] post" in q1lab("course", "roadmap")[0]
    q1lab("course", "roadmap", "--tick", "4", "--dry-run")
    assert path.read_bytes() == ROADMAP
    q1lab("course", "roadmap", "--tick", "4")
    assert path.read_bytes() == ROADMAP.replace(b"- [ ] post", b"- [x] post")
    assert (
        git(repo, "show", "--name-only", "--format=%s", "HEAD").split("\n")[0]
        == "docs: tick “post” in AI_EXPERT_ROADMAP.md"
    )
    assert work(repo) == work_before
    assert "no box" in q1lab("course", "roadmap", "--tick", "1", code=2)[1]
    data = json.loads(q1lab("course", "roadmap", "--json")[0])
    assert [box["title"] for box in data["open"]] == ["retro"]
    path.write_bytes(ROADMAP.replace(b"M03-W04", b"M99-W99"))
    assert "no open box for M03-W04" in q1lab("course", "roadmap")[1]
    path.write_bytes(ROADMAP.decode().encode("utf-16"))
    assert "must be UTF-8" in q1lab("course", "roadmap", code=2)[1]
    path.unlink()
    assert "there is no" in q1lab("course", "roadmap", code=2)[1]


def test_a_study_of_ones_own_file_names_no_private_path(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    (repo / "my_rope.py").write_text((paths.models_dir() / "rope.py").read_text() + "\n# mine\n")
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "rope")
        with store.transaction() as db:
            db.execute("UPDATE modifications SET file = ?", (str(repo / "my_rope.py"),))
    q1lab(*PREDICT)
    study(fake_trainer, "./my_rope.py", "--unchecked", "--baseline", "baseline")
    q1lab("modification")
    text = (repo / "MODIFICATION.md").read_text()
    assert "q1lab run studies/my_rope-1\n" in text
    assert "the val loss falls by 0.03 nats" in text
    assert str(repo) not in text


def test_another_week_has_its_own_words(repo: Path, q1lab: Q1lab, tmp_path: Path) -> None:
    week = tmp_path / "week"
    small_weeks.write_week(week, "M05-W02")
    out, _ = q1lab("--content", str(week), "retro", "--dry-run")
    assert "+# Q2 retrospective" in out
    q1lab("--content", str(week), "retro")
    assert (repo / "Q2_RETRO.md").exists()


def test_kpi_listing(repo: Path, q1lab: Q1lab) -> None:
    q1lab("course", "kpi", 'Talks "given" [bold]', "--actual", "1", "--target", "2")
    q1lab("course", "kpi", "Blog posts", "--actual", "3")
    out, _ = q1lab("course", "kpi")
    assert "Public repos" in out
    assert 'Talks "given" [bold]' in out
    git(repo, "remote", "add", "origin", "git@example.org:me/transformer-from-scratch.git")
    q1lab(*ADD_REPO, "other", "--at", "https://example.org/me/other")
    q1lab(*ADD_REPO, "same", "--at", "https://example.org/me/transformer-from-scratch")
    lines = {item["name"]: item for item in json.loads(q1lab("course", "kpi", "--json")[0])["kpis"]}
    assert (lines["public_repos"]["actual"], lines["public_repos"]["source"]) == (2, "counted")
    assert lines["public_repos"]["target"] == 3
    assert (lines["blog_posts"]["actual"], lines["blog_posts"]["source"]) == (3, "set by hand")
    q1lab("course", "kpi", "x", "--actual", "many", code=2)
    q1lab("course", "kpi", "x", code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--direction", "sideways"),
        ("--direction", "lower"),
        ("--size", "x"),
        ("--direction", "lower", "--size", "-0.1", "--matters", "0.1", "--sure", "70"),
        ("--direction", "lower", "--size", "0.1", "--matters", "0.1", "--sure", "170%"),
        ("--direction", "lower", "--size", "0.1", "--matters", "nan", "--sure", "70"),
    ],
)
def test_predictions_that_are_none(repo: Path, q1lab: Q1lab, arguments: tuple[str, ...]) -> None:
    _, err = q1lab("predict", "rope", *arguments, code=2)
    assert err.count("\n") == 1


def test_a_commit_is_shown_and_asked_about_until_one_says_always(
    repo: Path, q1lab: Q1lab, answers: Answers
) -> None:
    from q1lab.ground import config

    left = answers("n\ny\na\n")
    _, err = q1lab("modification", code=1)
    assert "+# Modification" in err
    assert "docs: add MODIFICATION.md" in err
    assert "on main, with MODIFICATION.md" in err
    assert not (repo / "MODIFICATION.md").exists()
    q1lab("modification")
    assert "up to date" in q1lab("modification")[1]  # nothing would change: nothing is asked
    q1lab("retro", "--yes")  # said beforehand
    q1lab("modification", "--dry-run")
    assert left.read() == "a\n"
    left = answers("a\n")
    answer("a1-why", "a reason")
    q1lab("modification")
    assert config.load_settings().ask_before_commit is False
    answer("a1-why", "another reason")
    q1lab("modification")
    assert len(git(repo, "log", "--format=%s").split("\n")[:-1]) == 5


def test_nothing_gives_the_solution_away(repo: Path, q1lab: Q1lab, fake_trainer: Fake) -> None:
    def texts() -> str:
        q1lab("modification")
        q1lab("post")
        (draft,) = (repo / "posts").glob("*.md")
        out = q1lab("retro", "--dry-run")[0] + q1lab("modification", "--dry-run")[0]
        return (repo / "MODIFICATION.md").read_text() + draft.read_text() + out

    def gives_away(text: str) -> bool:
        return "config.n_kv_head" in text

    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "gqa")
    assert not gives_away(texts())  # chosen, nothing written yet
    (repo / "model.py").write_bytes((paths.models_dir() / "baseline.py").read_bytes())
    q1lab("new", "gqa")
    assert not gives_away(texts())
    study(fake_trainer, "gqa")  # what ran is q1lab's file: its numbers are shown, its code is not
    assert not gives_away(texts())
    assert "## The result: " in (repo / "MODIFICATION.md").read_text()
    q1lab("modification", "--reference")
    assert gives_away((repo / "MODIFICATION.md").read_text())
    assert gives_away(texts())  # it was asked for, and stays


def test_after_a_file_of_ones_own_has_passed_the_reference_is_no_secret(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    study(fake_trainer, "gqa")
    q1lab("modification", "gqa")
    assert "config.n_kv_head" not in (repo / "MODIFICATION.md").read_text()
    model_file = repo / "mine.py"
    model_file.write_bytes((paths.models_dir() / "gqa.py").read_bytes())
    q1lab("check", "mine.py", "--for", "gqa")
    q1lab("modification", "gqa")
    assert "config.n_kv_head" in (repo / "MODIFICATION.md").read_text()


def test_the_step_after_the_retrospective_is_not_left_undone(repo: Path, q1lab: Q1lab) -> None:
    week = content.week_for(content.load_week(paths.content_dir()), "rope")
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "rope")
        for step in week.steps():
            if step.id not in ("c3-retro", "c3-roadmap"):
                progress.tick_step(store, "M03-W04", step.id, True)
    q1lab("retro")
    text = (repo / "Q1_RETRO.md").read_text()
    assert "I left" not in text
    assert " 0 of " not in text
    assert "AI_EXPERT_ROADMAP.md" not in text.split("## What slipped")[1].split("## ")[0]


def test_the_retrospective_says_what_it_will_claim_and_contradicts_nothing(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    study(fake_trainer)
    q1lab("post")
    fill_in(next((repo / "posts").glob("*.md")))
    q1lab("post", "publish", "https://example.org/q1")
    for channel, url in (("hn", "https://n.example/1"), ("x", "https://x.example/1")):
        q1lab("post", "share", channel, url)
    assert "'linkedin'" in q1lab("post", "share", "linkdin", "https://l.x/1", code=2)[1]
    assert "--other" in q1lab("post", "share", "foo", "https://foo.example/1", code=2)[1]
    assert "2 of 3 channels" in q1lab("post", "--yes")[0]
    for number, channel in enumerate(("foo", "bar")):
        q1lab("post", "share", channel, f"https://o.example/{number}", "--other")
    assert "4 channels" in q1lab("post")[0]
    q1lab("retro")
    text = (repo / "Q1_RETRO.md").read_text()
    assert "- transformer-from-scratch" not in text  # shipped to nobody: it has no address
    slipped = text.split("## What slipped")[1].split("## ")[0]
    assert "Publish, and record" not in slipped
    assert "did not time" in text


def test_the_retrospective_names_the_questions_that_were_to_be_answered_again(
    repo: Path, q1lab: Q1lab
) -> None:
    week = content.load_week(paths.content_dir())
    question = next(
        step for step in week.steps() if step.kind == "recall" and step.id.startswith("a2-rope")
    )
    with Store() as store:
        for part in (part for session in week.sessions[:2] for part in session.parts):
            for step in part.steps:
                progress.tick_step(store, week.label, step.id, True)
        progress.grade_recall(store, week.label, question.id, right=False)
    q1lab("retro")
    assert f"answer again: {question.title}" in (repo / "Q1_RETRO.md").read_text()


def test_publishing_is_not_silent_over_open_findings(repo: Path, q1lab: Q1lab) -> None:
    q1lab("post")
    (draft,) = (repo / "posts").glob("*.md")
    text = draft.read_text()
    draft.write_text(text.replace("## Where I started\n", "## Where I started\n\nRoPE beats it.\n"))
    _, err = q1lab("post", "publish", "https://example.org/q1")
    assert "1 finding is open" in err
    assert "“beats”" in err
    assert "others can open" in q1lab("post", "publish", "http://127.0.0.1:8000/", code=2)[1]
    assert "others can open" in q1lab("post", "publish", "http://localhost/q1", code=2)[1]


def fill_in(draft: Path, sections: int = 9) -> None:
    """Write something into the first sections of a draft."""
    budget = re.compile(r"(<!-- q1lab:budget \d+ -->)")
    draft.write_text(budget.sub(r"\1\n\nSome words of mine.\n", draft.read_text(), count=sections))


def test_a_post_with_empty_sections_is_not_counted_as_published(repo: Path, q1lab: Q1lab) -> None:
    """With 8 of 9 sections empty it ticked its step and met its KPI, without a word."""
    week = content.load_week(paths.content_dir())

    def counted() -> tuple[float, str, bool]:
        lines = {
            item["name"]: item for item in json.loads(q1lab("course", "kpi", "--json")[0])["kpis"]
        }
        with Store() as store:
            done = evidence.read_progress(store, week).of("c2-publish").done
        return lines["blog_posts"]["actual"], lines["blog_posts"]["how"], done

    q1lab("post")
    (draft,) = (repo / "posts").glob("*.md")
    out, err = q1lab("post", "publish", "https://example.org/q1")
    assert "8 sections empty" in out
    assert "note: 8 sections empty" in err
    actual, how, done = counted()
    assert (actual, done) == (0, False)
    assert "8 sections empty" in how
    assert "8 sections empty" in q1lab("retro", "--dry-run")[0]
    fill_in(draft, 8)
    assert "1 section empty" in q1lab("post", "publish", "https://example.org/q1")[1]
    assert not counted()[2]
    fill_in(draft)
    actual, how, done = counted()
    assert (actual, done) == (1, True)
    assert "empty" not in how
    assert "empty" not in "".join(q1lab("post", "publish", "https://example.org/q1"))
    assert "empty" not in q1lab("post", "--yes")[0]


@pytest.mark.parametrize("look", [["post", "--yes"], ["post", "lint"]])
def test_a_published_post_counts_as_soon_as_its_draft_is_seen_to_be_written(
    repo: Path, q1lab: Q1lab, look: list[str]
) -> None:
    week = content.load_week(paths.content_dir())
    q1lab("post")
    (draft,) = (repo / "posts").glob("*.md")
    q1lab("post", "publish", "https://example.org/q1")
    fill_in(draft)
    q1lab(*look)
    assert "empty" not in q1lab("post", "--yes")[0]
    with Store() as store:
        assert evidence.read_progress(store, week).of("c2-publish").done


def test_answers_flow_into_the_draft_and_refresh_asks_only_about_news(
    repo: Path, q1lab: Q1lab
) -> None:
    answer("b2-draft", "# On Saturday\n\nI tied *two* heads.")
    q1lab("post")
    (draft,) = (repo / "posts").glob("*.md")
    hook = draft.read_text().split("## Where I started")[0]
    assert hook.endswith("### On Saturday\n\nI tied *two* heads.\n\n")
    answer("c1-surprises", "- the seeds differ more than the variants")
    answer("c3-q2", "- an incident-triage system")  # for Q1_RETRO.md, after the post is out
    q1lab("post")
    text = draft.read_text()
    surprises = text.index("## What surprised me")
    assert surprises < text.index("- the seeds differ") < text.index("## What I would do")
    assert "an incident-triage system" not in text
    draft.write_text(text.replace("- the seeds differ more", "- mine: the seeds differ more"))
    git(repo, "commit", "-q", "-m", "mine", "posts")
    _, err = q1lab("post")  # edited, and q1lab has nothing new to say there
    assert "you edited it" not in err
    assert "up to date" in err
    answer("c1-surprises", "- something else")
    _, err = q1lab("post")
    assert "edited it: surprises" in err
    assert "- mine: the seeds differ more" in draft.read_text()
    q1lab("post", "--overwrite")
    assert "- something else" in draft.read_text()


def test_the_post_leaves_as_a_place_takes_it(repo: Path, q1lab: Q1lab, tmp_path: Path) -> None:
    q1lab("post")
    q1lab("post", "publish", "https://example.org/q1")
    (draft,) = (repo / "posts").glob("*.md")
    draft.write_text(draft.read_text() + "\nIt scales with $\\sqrt{d}$.\n")
    out, err = q1lab("post", "export")
    assert "note: math is between dollar signs" in err
    assert out.startswith("---\ntitle: ")
    assert 'canonical_url: "https://example.org/q1"' in out
    assert "q1lab:" not in out
    folder = tmp_path / "_posts"
    folder.mkdir()
    q1lab("post", "export", "--output", str(folder))
    (file,) = folder.iterdir()
    assert file.read_text() == out
    assert "draft itself" in q1lab("post", "export", "--output", str(draft), code=2)[1]


def test_a_comparison_is_found_by_the_name_of_its_modification(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """The week's menu trains other models after it; B3 compares the one that was chosen."""
    work(repo)
    study(fake_trainer, "rope", "--seeds", "2")
    study(fake_trainer, "swiglu", "--seeds", "2")
    assert json.loads(q1lab("compare", "--json")[0])["study"] == "swiglu-1"
    assert json.loads(q1lab("compare", "rope", "--json")[0])["study"] == "rope-1"
    assert "'gqa'" in q1lab("compare", "gqa", code=2)[1]


def test_a_post_may_name_the_loss_before_training(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """B2 has it compared with a guess; it is in the log alone."""
    work(repo)
    study(fake_trainer, "rope", "--seeds", "3")
    log = studies.load("rope-1").files.run("baseline-seed0").log
    log.write_text("loss before training 4.2075 nats: the first batch, no update yet\n")
    q1lab("post", "--yes")
    (draft,) = (repo / "posts").glob("*.md")
    text = draft.read_text()
    draft.write_text(
        text.replace(
            "## Where I",
            "The loss began at 4.2075; a guess costs 4.3333, not 0.1517.\n\n## Where I",
        )
    )
    answer("a3-noise", "Wins by 0.01 between equal models: 0.1517.")
    out = "".join(q1lab("post", "lint", code=1))
    assert "4.3333" in out
    assert "4.2075" not in out
    assert "0.1517" not in out, "it is in MODIFICATION.md"


def test_status_proposes_a_first_study_of_what_was_chosen(q1lab: Q1lab) -> None:
    assert "q1lab run rope --seeds 3" in q1lab("status")[0]
    with Store() as store:
        progress.choose_modification(store, content.load_week(paths.content_dir()), "swiglu")
    assert "q1lab run swiglu --seeds 3" in q1lab("status")[0]


def test_after_the_runs_the_weeks_step_comes_next_and_no_a_a_test(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    study(fake_trainer)
    assert q1lab("status")[0].endswith("next: q1lab compare rope-1 --full\n"), "no week is begun"
    week = content.load_week(paths.content_dir())
    with Store() as store:
        progress.choose_modification(store, week, "rope")
    text = (paths.models_dir() / "baseline.py").read_text()
    (repo / "base.py").write_text(text)
    (repo / "same.py").write_text(f"{text}# the same\n")
    study(fake_trainer, "./same.py", "--baseline", "./base.py", "--seeds", "3", "--unchecked")
    first = q1lab("status")[0].splitlines()[-1]
    assert first.startswith("next: A1 in the app, “")
    lab_home.finish(lab_home.make_study("gqa-1", "gqa"))
    assert q1lab("status")[0].endswith("next: q1lab compare gqa-1\n"), "nobody has seen it"
    q1lab("compare", "gqa-1")
    assert q1lab("status")[0].splitlines()[-1] == first
    with Store() as store:
        for step in week.steps():
            progress.tick_step(store, week.label, step.id, True)
    assert "next: q1lab compare " in q1lab("status")[0]


def test_a_document_that_says_nothing_new_makes_no_commit(
    repo: Path, q1lab: Q1lab, fake_trainer: Fake
) -> None:
    """The retrospective's own commit ticked a step that it counted, so the next one said so."""

    def twice(command: str) -> None:
        q1lab(*command.split(), "--yes")
        commits = git(repo, "log", "--oneline")
        q1lab(*command.split(), "--yes")
        assert git(repo, "log", "--oneline") == commits, git(repo, "show", "HEAD")

    q1lab(*PREDICT)
    twice("modification rope")
    twice("post")
    shipped = (paths.models_dir() / "rope.py").read_text()
    (repo / "rope.py").write_text(f"{shipped}# as I wrote it\n")
    study(fake_trainer, "./rope.py", "--unchecked", "--baseline", "baseline")
    for command in ("retro", "modification", "post", "course roadmap --tick 4", "retro"):
        twice(command)
