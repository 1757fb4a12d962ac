"""The folder that a study leaves in the learner's repository, and the study that trains from it in
a clone: the same values, to the last bit."""

from __future__ import annotations

import contextlib
import html
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from q1lab.documents import comparison_page, reproduce
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.study import command_line, identity, kept_folder, kinds, studies
from q1lab.study.command_line import Request
from q1lab.study.studies import Study
from q1lab.train import begin_study, study_plan
from q1lab.week.own_model import model_file
from tests.kit import commands
from tests.kit.places import MODELS
from tests.kit.plans import changed, plan_one
from tests.kit.repos import begun, git, of_its_own

pytestmark = pytest.mark.slow

OF_ITS_FILES = "q1lab run {0}/source/modified/swiglu.py --baseline {0}/source/baseline/model.py"
Fake = Callable[..., None]
TINY = shlex.split(
    "--preset quick --max-iters 24 --seeds fresh:2 --unchecked --device cpu --data words.txt "
    "--wandb disabled --set n_layer=1 --set n_head=2 --set n_embd=16 --set block_size=16 "
    "--set batch_size=4 --set eval_windows=4 --set learning_rate=0.003"
)
WORDS = "".join(chr(97 + i * i % 23) + " " * (i % 5 == 0) for i in range(5000))


def laid(place: Path, patch: pytest.MonkeyPatch) -> Path:
    """A repository with the learner's model and a SwiGLU that was made from it; it is where one
    stands."""
    of_its_own(place, patch)
    model = "# mine\n" + (MODELS / "baseline.py").read_text()
    folder = begun(place / "transformer", {"model.py": model, "words.txt": WORDS})
    patch.chdir(folder)
    model_file.new_model_file("swiglu", folder)
    head = (folder / "swiglu.py").read_text().splitlines(keepends=True)[0]
    (folder / "swiglu.py").write_text(head + "# mine\n" + (MODELS / "swiglu.py").read_text())
    return folder


@pytest.fixture
def untrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return laid(tmp_path, monkeypatch)


def q1lab(folder: Path, *words: str, code: int = 0, home: Path | None = None) -> str:
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        if home is not None:
            patch.setenv("Q1LAB_HOME", str(home))
        done = commands.q1lab(*words, code=code)
    return done.stdout + done.stderr


def losses(home: Path) -> dict[str, list[tuple[str, int, float]]]:
    """Every loss of every run of the one study in a home, as it was written."""
    (study,) = (home / "studies").iterdir()
    losses_by_run = {}
    for events in study.glob("runs/*/events.jsonl"):
        kinds = ("iter", "eval", "exit")
        lines = [json.loads(line) for line in events.read_text().splitlines()]
        losses_by_run[events.parent.name] = [
            (event["type"], event["iter"], event.get("train_loss", event.get("val_loss")))
            for event in lines
            if event["type"] in kinds
        ]
    return losses_by_run


def printed_command(folder: Path) -> list[str]:
    text = (folder / "MODIFICATION.md").read_text()
    section = text.split("## How to reproduce")[1]
    code_block = re.search(r"```sh\n(.*?)\n```", section, re.DOTALL)
    assert code_block, section
    return shlex.split(code_block[1])


@pytest.mark.timeout(400)
def test_a_clone_trains_exactly_the_study(untrained: Path, home: Path, tmp_path: Path) -> None:
    """With the real trainer: from the study, over a merge and a clone, to the same bits."""
    repo = untrained
    q1lab(repo, "run", "./swiglu.py", *TINY)
    q1lab(repo, "modification", "swiglu", "--yes")
    committed = git(repo, "show", "--name-only", "--format=", "HEAD").split()
    assert committed == [
        "MODIFICATION.md",
        "figures/swiglu-1.svg",
        "studies/swiglu-1/.gitattributes",
        "studies/swiglu-1/bundle.json",
        *(f"studies/swiglu-1/runs/{run}/events.jsonl" for run in sorted(losses(home))),
        "studies/swiglu-1/source/baseline/model.py",
        "studies/swiglu-1/source/modified/swiglu.py",
        "studies/swiglu-1/study.json",
    ]
    merged = model_file.merge_into(repo / "swiglu.py", repo / "model.py")
    (repo / "model.py").write_bytes(merged.new)
    git(repo, "commit", "-qam", "merge")

    git(tmp_path, "clone", "-q", str(repo), "clone")
    clone, other = tmp_path / "clone", tmp_path / "another home"
    output = q1lab(clone, *printed_command(clone)[1:], "--wandb", "disabled", home=other)
    assert re.search(r"All 4 losses .* studies/swiglu-1\b", output)
    assert losses(other) == losses(home)
    assert len(losses(home)) == 4


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``place``, in which a study of the learner's file was trained without torch,
    and a copy of that place."""
    folder = tmp_path_factory.mktemp("trained")
    place = folder / "place"
    place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        commands.without_torch(patch, effect=-0.1, noise=0.01)
        patch.setenv("Q1LAB_HOME", str(place / "home"))
        q1lab(laid(place, patch), "run", "./swiglu.py", *TINY)
    shutil.copytree(place, folder / "copy")
    return folder


@pytest.fixture
def study(trained: Path, fake_trainer: Fake, monkeypatch: pytest.MonkeyPatch) -> Study:
    """That study, in a place that is as it was after the training: a study knows where its files
    were."""
    place = trained / "place"
    shutil.rmtree(place)
    shutil.copytree(trained / "copy", place)
    of_its_own(place, monkeypatch)
    monkeypatch.chdir(place / "transformer")
    monkeypatch.setenv("Q1LAB_HOME", str(place / "home"))
    return studies.load("swiglu-1")


@pytest.fixture
def repo(study: Study) -> Path:
    return Path.cwd()


def test_a_copy_of_a_model_file_is_one_line_of_the_preview(study: Study, repo: Path) -> None:
    shown = q1lab(repo, "modification", "swiglu", "--dry-run")
    lines = (repo / "swiglu.py").read_text().count("\n")
    copy = f"+++ studies/{study.id}/source/modified/swiglu.py"
    assert f"{copy} (new: {lines} lines, " in shown
    assert f"+++ studies/{study.id}/study.json (new)" in shown
    assert '+ "fresh_seeds": 2' in shown
    assert f"+++ studies/{study.id}/.gitattributes (new: 1 line)" in shown
    assert "+class GPT" not in shown


def keep(study: Study, root: Path) -> Path:
    for path, data in kept_folder.files_to_keep(study, root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root / kept_folder.folder_name(study)


def planned(folder: Path | str, **more: object) -> study_plan.Plan:
    with Store() as store:
        return plan_one(Request(str(folder), **more), store)  # type: ignore[arg-type]


def test_everything_that_was_decided_is_on_record(study: Study, repo: Path) -> None:
    kept_study = kept_folder.load_kept_study(keep(study, repo))
    recorded = kept_study.study
    assert recorded.trainer.config == study.trainer.config
    assert recorded.seeds == study.seeds
    assert recorded.design.fresh_seeds == 2
    assert (recorded.trainer.device, recorded.trainer.dtype) == ("cpu", "fp32")
    assert recorded.trainer.threads == study.trainer.threads
    assert kept_study.values == kept_folder.final_values(study)
    assert len(kept_study.values) == 4
    for file in keep(study, repo).rglob("*"):
        assert file.is_dir() or str(repo.parent) not in file.read_text()


def test_the_folder_plans_the_study_in_another_home(
    study: Study, repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = keep(study, repo)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "other"))
    plan = planned(folder)
    assert plan.is_new
    assert identity.identity_key(plan.study) == identity.identity_key(study)
    assert (plan.study.seeds, plan.study.trainer.threads) == (study.seeds, study.trainer.threads)
    assert [plan.study.arms[arm].variant for arm in studies.ARMS] == ["model", "swiglu"]


def test_threads_are_those_of_then(
    study: Study, repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = keep(changed(study, threads=3), repo)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "other"))
    assert planned(folder).study.trainer.threads == 3


def test_at_home_it_is_the_study_itself(study: Study, repo: Path) -> None:
    plan = planned(keep(study, repo))
    assert (plan.is_new, plan.missing, plan.study.id) == (False, (), "swiglu-1")
    assert plan.draft.kept_study
    assert kept_folder.compare_values(plan.draft.kept_study, plan.study).startswith("All 4 losses")


def test_other_losses_are_said_to_be_other(study: Study, repo: Path) -> None:
    kept_study = kept_folder.load_kept_study(keep(study, repo))
    name = f"modified-seed{study.seeds[1]}"
    values = {**kept_study.values, name: kept_study.values[name] + 0.25}
    words = kept_folder.compare_values(replace(kept_study, values=values), study)
    assert words.startswith("3 of 4 losses are equal")
    assert "by up to 0.25 nats" in words


def test_an_edited_file_is_not_what_trained(study: Study, repo: Path) -> None:
    folder = keep(study, repo)
    file = folder / "source/modified/swiglu.py"
    file.write_text(file.read_text() + "\nx = 1\n")
    with pytest.raises(Problem, match=r"is not the file .*swiglu-1") as no:
        kept_folder.load_kept_study(folder)
    assert OF_ITS_FILES.format(folder) in str(no.value)
    assert reproduce.bundle_files(study, repo, {})[0] == {}
    assert "no longer what" in reproduce.bundle_files(study, repo, {})[1][0]
    assert not reproduce.keeps_bundle(study, repo)


def test_more_than_the_folder_says_is_refused(study: Study, repo: Path) -> None:
    folder = keep(study, repo)
    for more in ({"seeds": "7"}, {"preset": "cpu"}, {"overrides": {"max_iters": "3"}}):
        with pytest.raises(Problem, match="says by itself") as no:
            planned(folder, **more)
        message = str(no.value)
        assert OF_ITS_FILES.format(folder) in message
        assert f" {next(iter(more.values()))}" in message or "--max-iters 3" in message
    assert planned(folder, jobs=1, wandb="disabled").study.id == "swiglu-1"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("study.json", "gone"),
        ("study.json", "{"),
        ("study.json", "[]"),
        ("study.json", "changed"),
        ("bundle.json", "{"),
        ("bundle.json", '{"v": 2, "study": "swiglu-1", "files": {}}'),
        ("bundle.json", '{"v": 1, "study": "other-1", "files": {}}'),
        ("bundle.json", '{"v": 1, "study": "swiglu-1", "files": {"../x.py": "0"}}'),
        ("bundle.json", '{"v": 1, "files": []}'),
        ("runs/modified-seed{}/events.jsonl", "gone"),
        ("runs/modified-seed{}/events.jsonl", "changed"),
        ("runs/modified-seed{}/events.jsonl", "link"),
        ("source/baseline/model.py", "gone"),
    ],
)
def test_a_damaged_folder_is_one_line(
    study: Study, repo: Path, tmp_path: Path, name: str, how: str
) -> None:
    folder = keep(study, repo)
    file = folder / name.format(study.seeds[0])
    if how == "changed":
        file.write_text(file.read_text() + " \n")
    elif how in ("gone", "link"):
        file.rename(tmp_path / "moved")
        if how == "link":
            file.symlink_to(tmp_path / "moved")
    else:
        file.write_text(how)
    with pytest.raises(Problem) as no:
        kept_folder.load_kept_study(folder)
    assert str(folder) in str(no.value)
    assert "\n" not in str(no.value)


def test_line_ends_that_git_made_are_no_damage(study: Study, repo: Path) -> None:
    folder = keep(study, repo)
    for file in folder.rglob("*.*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert kept_folder.load_kept_study(folder).values == kept_folder.final_values(study)


def test_data_of_ones_own(study: Study, repo: Path, tmp_path: Path) -> None:
    """In the repository: found there. Outside: asked for, and only the same text will do."""
    words = WORDS + "!"
    outside, inside = tmp_path / "own.txt", repo / "own.txt"
    for file in (outside, inside):
        file.write_text(words)
    study_of = {}
    for file in (outside, inside):
        request = Request(
            "./swiglu.py",
            data=str(file),
            preset="quick",
            unchecked=True,
            fresh=True,
            overrides={"max_iters": "20"},
        )
        with Store() as store:
            study_of[file] = begin_study.save_plan(plan_one(request, store), store)
            ingest_events.ingest_study(store, study_of[file])
    private, shared = keep(study_of[outside], repo), keep(study_of[inside], repo)
    assert str(tmp_path) not in (private / "study.json").read_text()
    shutil.rmtree(paths.data_dir())
    with pytest.raises(Problem, match=r"not here: .*--data"):
        planned(private)
    (tmp_path / "others.txt").write_text(words + "?")
    with pytest.raises(Problem, match=r"others\.txt is not"):
        planned(private, data=str(tmp_path / "others.txt"))
    assert planned(private, data=str(outside)).study.data.sha256 == study_of[outside].data.sha256
    shutil.rmtree(paths.data_dir())
    assert planned(shared).study.data.sha256 == study_of[inside].data.sha256
    elsewhere = reproduce.reproduction_of(study_of[outside], repo, keeps=True)
    assert any("are not here" in note for note in elsewhere.notes)
    assert elsewhere.command == f"q1lab run {elsewhere.folder} --data {outside.name}"
    (note,) = reproduce.reproduction_of(study_of[inside], repo, keeps=True).notes
    assert "are not here" in note
    git(repo, "add", "own.txt")
    git(repo, "commit", "-qm", "data")
    here = reproduce.reproduction_of(study_of[inside], repo, keeps=True)
    assert here.notes == ("The data are `own.txt`.",)
    assert here.command == f"q1lab run {here.folder}"
    inside.write_text(words + "?")
    git(repo, "commit", "-qam", "other data")
    (note,) = reproduce.reproduction_of(study_of[inside], repo, keeps=True).notes
    assert "are not here" in note


def test_the_document_says_what_is_true(study: Study, repo: Path) -> None:
    q1lab(repo, "modification", "swiglu", "--yes", "--no-study")
    text = (repo / "MODIFICATION.md").read_text()
    assert not (repo / "studies").exists()
    assert "This needs the folder `studies/swiglu-1`. Ask me" in text
    assert printed_command(repo) == ["q1lab", "run", "studies/swiglu-1"]
    assert command_line.argv(kinds.request(study))[2] not in text  # no private path
    keep(study, repo)
    q1lab(repo, "modification", "swiglu", "--yes", "--no-study")
    assert printed_command(repo) == ["q1lab", "run", "studies/swiglu-1"]


def test_the_page_says_how_a_stranger_trains_its_study(
    study: Study, repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the folder that its author sends, in an empty home; it named a file that nobody has."""
    with Store() as store:
        ingest_events.ingest_study(store, study)
        page = comparison_page.comparison_page(store, study)
    text = html.unescape(re.sub("<[^>]*>", "", page.partition("How to reproduce")[2]))
    (command,) = re.findall("q1lab run .*", text)
    assert "This needs the folder studies/swiglu-1." in text
    assert "commit" not in text, "a page is in no repository"
    keep(study, tmp_path / "sent")
    shutil.copy("words.txt", tmp_path / "sent")
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path / "sent")
    _, _, *options = shlex.split(command)
    plan = planned(options[0], data=options[2])
    assert plan.is_new
    assert identity.identity_key(plan.study) == identity.identity_key(study)


def test_of_a_variant_that_ships_no_file_is_kept(untrained: Path, fake_trainer: Fake) -> None:
    repo = untrained
    q1lab(repo, "run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled")
    q1lab(repo, "modification", "rope", "--yes")
    assert not (repo / "studies").exists()
    assert printed_command(repo)[:3] == ["q1lab", "run", "rope"]
    assert "Both model files" in (repo / "MODIFICATION.md").read_text()
