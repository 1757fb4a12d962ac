"""`q1lab sample`: what both models write, from weights that are here and files that trained here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from q1lab.commands.sample.passages import PassagePair
from q1lab.commands.sample.sample_command import print_pair
from q1lab.ground.files import printable
from q1lab.study import corpora, studies
from q1lab.study.studies import Study
from tests.kit import lab_home
from tests.kit.commands import q1lab
from tests.kit.places import ROOT
from tests.kit.tiny_study import CONFIG, TEXT

pytestmark = pytest.mark.sample

PROMPT = "is not"


def study_with_weights(name: str = "rope-1", seeds: tuple[int, ...] = (0, 1)) -> Study:
    """A study of tiny models that have finished: untrained weights of seed 1, none of seed 0."""
    import torch

    from labs import keyed, loading

    data = corpora.store_corpus("text", (TEXT + "\a").encode(), 16)
    study = lab_home.make_study(name, seeds=seeds, sha256=data.sha256, data="text")
    study = study.with_trainer(config={**study.trainer.config, **CONFIG})
    studies.save(study)
    lab_home.finish(study)
    for arm in study.arms:
        module = loading.load(study.files.root / study.arms[arm].source)
        model = keyed.build(
            lambda: loading.build(module, CONFIG, data.vocab_size),  # noqa: B023
            1,
        )
        torch.save(model.state_dict(), study.files.run(f"{arm}-seed{seeds[-1]}").model)
    return study


def test_both_models_go_on_from_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    study_with_weights()
    record = json.loads(
        q1lab("sample", "rope-1", "--prompt", PROMPT, "--tokens", "90", "--json").stdout
    )
    assert (record["seed"], record["prompt"]) == (1, PROMPT), "the first seed that has weights"
    texts = {arm: facts["text"] for arm, facts in record["arms"].items()}
    assert all(text == printable(text) and len(text) > 60 for text in texts.values())
    monkeypatch.setenv("COLUMNS", "120")
    beside = q1lab("sample", "rope", "--prompt", PROMPT, "--tokens", "90").stdout
    heading = next(line for line in beside.splitlines() if line.startswith("baseline"))
    assert "modified (rope)" in heading
    assert "\a" not in beside


def test_ctrl_c_in_the_middle() -> None:
    study_with_weights()
    child = subprocess.Popen(
        [sys.executable, "-m", "q1lab", "sample", "rope-1", "--tokens", "10000"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stderr is not None
        assert "write" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert "Traceback" not in child.stderr.read()
    assert child.returncode == 130


def refusal(*words: str) -> str:
    done = q1lab("sample", *words, code=2)
    (line,) = done.stderr.splitlines()
    return line


def test_what_cannot_be_sampled_is_one_line() -> None:
    study = study_with_weights()
    assert "'é'" in q1lab("sample", "rope-1", "--prompt", "é", code=2).stderr.splitlines()[-1]
    assert "0 is not in the range" in refusal("rope-1", "--tokens", "0")
    assert "<=10000" in refusal("rope-1", "--tokens", "10001")
    assert "it has those of seed 1" in refusal("rope-1", "--seed", "0")
    assert "no seed 7; it has 0, 1" in refusal("rope-1", "--seed", "7")
    study.files.run("modified-seed1").model.unlink()
    assert "on the machine that trained" in refusal("rope-1")
    lab_home.make_study("rope-2", seeds=(0,), created="2026-04-01T00:00:00+00:00")
    assert "when it has finished" in refusal("rope-2")


def test_a_strangers_model_file_is_not_run_unasked() -> None:
    """It ran here if its study, or another with the same file, was launched here; what ships is
    known, too."""
    study = study_with_weights()
    file = study.files.root / study.arms["modified"].source
    file.write_text(f"{file.read_text()}\nraise SystemExit('it ran')\n")
    asked = q1lab("sample", "rope-1", code=2)
    assert str(file) in asked.stderr
    assert "--yes" in asked.stderr.splitlines()[-1]
    assert "it ran" not in asked.stderr
    assert "exit while it is imported" in q1lab("sample", "rope-1", "--yes", code=2).stderr
    other = lab_home.make_study("rope-2", seeds=(0,))
    (other.files.root / other.arms["modified"].source).write_text(file.read_text())
    assert "--yes" in q1lab("sample", "rope-1", code=2).stderr
    other.files.launch.write_text("{}")
    assert "--yes" not in q1lab("sample", "rope-1", code=2).stderr


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("80", "baseline\na b\n\nmodified (rope)\na bc\nd"),
        ("120", f"baseline{' ' * 53}modified (rope)\na b{' ' * 58}a bc\n{' ' * 61}d"),
    ],
)
def test_passages_stand_side_by_side_where_there_is_room(
    columns: str,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    study = lab_home.make_study()
    print_pair(study, PassagePair("\nPETRUCHIO:\nI say 'no'", "a b", "a bc\nd"))
    lines = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    start = "after:\nPETRUCHIO:\nI say 'no'\n\n"
    assert lines == f"{start}{shown}\n\nThe first 3 of 6 characters are the same."
    print_pair(study, PassagePair("\n", "a", "a"))
    assert "after:\n(a new line)\n" in capsys.readouterr().out
