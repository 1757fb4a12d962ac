"""Model files that go wrong: each run says where and why, the others go on, nothing is retried in
secret."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.study import child_processes, presets, studies
from q1lab.train import crew, launch
from tests.kit.commands import q1lab
from tests.kit.faults import faulty, figures, read, tiny
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.slow

__all__ = ["faulty"]
Faulty = Callable[..., Path]


SURVIVED = "a message with file and line; q1lab survives"


def model_file(folder: Path, extra: str) -> Path:
    """The baseline with a little more at its end."""
    file = folder / "mine.py"
    file.write_text((paths.models_dir() / "baseline.py").read_text() + "\n\n" + extra)
    return file


def words(folder: Path, file: Path, iters: int = 60, eval_interval: int = 20) -> list[str]:
    arguments = tiny(folder, str(file), iters=iters, eval_interval=eval_interval, log_interval=5)
    return [*arguments, "--baseline", "baseline", "--jobs", "1", "--unchecked"]


WRAPPED = """
_forward, _calls = GPT.forward, 0


def forward(self, idx, targets=None):
    global _calls
    _calls += self.training
    {line}
    return _forward(self, idx, targets)


GPT.forward = forward
"""


def test_not_a_number_at_iter_k(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    k = 23
    extra = WRAPPED.format(line="pass").replace(
        "return _forward(self, idx, targets)",
        "logits, loss = _forward(self, idx, targets)\n"
        f"    return logits, loss * (float('nan') if _calls == {k} else 1.0)",
    )
    args = words(tmp_path, model_file(tmp_path, extra))
    record = json.loads(q1lab(*args, "--json", code=1).stdout)
    study = studies.load(record["study"])
    event = read(study, "modified-seed0")[-1]
    assert event["state"] == "diverged"
    assert k <= event["iter"] <= k + 5
    assert record["diverged"]["modified"] == [0]
    assert record["verdict"] == "no verdict"
    second_run = q1lab(*args, code=1)
    assert "modified-seed0 diverged" in second_run.stderr
    starts = sum(e["type"] == "start" for e in read(study, "modified-seed0"))
    figures(
        "a loss that is NaN at iter k",
        "diverged, within one eval, no silent retry",
        f"k = {k}: diverged at iter {event['iter']}, {starts} attempt",
    )
    assert starts == 1, "no silent retry"


def test_out_of_memory_is_a_failed_run(faulty: Faulty, tmp_path: Path) -> None:
    faulty(memory_mb=300)
    line = "if _calls == 9: self.big = torch.ones(2**30)"
    args = words(tmp_path, model_file(tmp_path, WRAPPED.format(line=line)))
    record = json.loads(q1lab(*args, "--json", code=1).stdout)
    study = studies.load(record["study"])
    event = read(study, "modified-seed0")[-1]
    assert event["state"] == "failed"
    assert "out of memory" in event["message"]
    assert not record["complete"]
    assert any("modified-seed0" in fact["text"] for fact in record["facts"])
    starts = sum(e["type"] == "start" for e in read(study, "modified-seed0"))
    figures(
        "out of memory (RLIMIT_AS)",
        "failed, no silent retry",
        f"{event['state']}: “{event['message'][:44]}…”, {starts} attempt",
    )
    assert starts == 1
    assert read(study, "baseline-seed0")[-1]["state"] == "finished"


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        (
            "raises",
            WRAPPED.format(line="if _calls == 30: raise ValueError('[red]no[/red]')"),
            "ValueError: [red]no",
        ),
        ("has a syntax error", "def f(:\n", "SyntaxError"),
        ("raises at import", "raise RuntimeError('not today')\n", "RuntimeError: not today"),
        ("exits at import", "import sys; sys.exit(3)\n", "exit"),
        ("exits when it is called", WRAPPED.format(line="raise SystemExit"), "it calls exit: take"),
        ("ends the process", "import os; os._exit(3)\n", "mine.py: does it call os._exit?"),
    ],
)
def test_a_model_file_that(
    faulty: Faulty, tmp_path: Path, kind: str, extra: str, message: str
) -> None:
    faulty()
    file = model_file(tmp_path, extra)
    done = q1lab(*words(tmp_path, file), code=None)
    assert done.returncode in (1, 2)
    line = next(line for line in done.stderr.splitlines() if message in line)
    assert "mine.py:" in line
    assert q1lab("status").returncode == 0


def test_a_model_file_that_loops_is_named_with_its_line(tmp_path: Path) -> None:
    file = model_file(tmp_path, WRAPPED.format(line="while True: pass"))
    line = file.read_text().splitlines().index("    while True: pass") + 1
    question = {
        "files": {"modified": str(file)},
        "vocab_size": 20,
        "config": presets.resolve_config("quick", {}),
    }
    with pytest.raises(Problem) as raised:
        child_processes.ask_child(child_processes.probe_command(), question, seconds=12)
    assert str(raised.value).startswith(f"{file}:{line}: ")
    assert "loop" in str(raised.value)


def test_a_model_file_that_prints_without_end(faulty: Faulty, tmp_path: Path) -> None:
    """Eight megabytes per iter: the log is cut, the run finishes, and the learner reads the
    beginning."""
    faulty()
    extra = WRAPPED.format(line="_calls > 20 and print('x' * 2**23)")
    args = words(tmp_path, model_file(tmp_path, extra), 155, eval_interval=1000)
    q1lab(*args, "--detach")
    study = studies.load("mine-1")
    log, largest = study.files.run("modified-seed0").log, 0
    began = time.monotonic()
    while launch.is_alive(study.files) and time.monotonic() < began + 150:
        largest = max(largest, log.stat().st_size if log.exists() else 0)
        time.sleep(0.01)
    printed = 8 * (155 - 20)
    figures(
        f"a model file that prints {printed} MB",
        SURVIVED,
        f"finished; its log was {largest >> 20} MB at most, {log.stat().st_size >> 20} MB at the end",
    )
    assert read(study, "modified-seed0")[-1]["state"] == "finished"
    assert log.stat().st_size <= 8 * crew.LARGEST_LOG
    assert "left out" in log.read_text()


def test_a_model_that_floods_the_probe_is_survived(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    file = model_file(
        tmp_path, "for _ in range(200): print('y' * 2**20)\nraise OSError('enough')\n"
    )
    done = q1lab(*words(tmp_path, file), code=2)
    assert "OSError: enough" in done.stderr
    assert len(done.stderr) < 5000


def test_a_model_file_that_loads_no_more_says_so_in_its_run(faulty: Faulty, tmp_path: Path) -> None:
    """It was fine when the study was planned; in training its import fails (another library,
    another disk)."""
    faulty()
    flag = tmp_path / "flag"
    flag.touch()
    extra = (
        f"import pathlib\nif not pathlib.Path({str(flag)!r}).exists(): raise ImportError('gone')\n"
    )
    args = words(tmp_path, model_file(tmp_path, extra), 200, eval_interval=1000)
    q1lab(*args, "--detach")
    study = studies.load("mine-1")
    wait_for(lambda: read(study, "baseline-seed0"))
    launch.stop_study(study)
    flag.unlink()
    launch.start_runner(study)
    wait_for(lambda: not launch.is_alive(study.files))
    status = json.loads(q1lab("status", study.id, "--json").stdout)["studies"][0]
    cell = next(run for run in status["runs"] if run["run"] == "modified-seed0")
    assert cell["state"] == "failed"
    assert "ImportError: gone" in cell["message"]
    assert (
        next(run for run in status["runs"] if run["run"] == "baseline-seed0")["state"] == "finished"
    )


def test_changed_data_is_said_in_the_run(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    args = words(tmp_path, paths.models_dir() / "rope.py")
    q1lab(*args, "--detach")
    study = studies.load(studies.latest())
    launch.stop_study(study)
    corpus = paths.home() / study.data.file
    corpus.write_text(corpus.read_text()[:-9] + "tampered!")
    launch.start_runner(study)
    wait_for(lambda: not launch.is_alive(study.files))
    status = json.loads(q1lab("status", study.id, "--json").stdout)["studies"][0]
    assert {run["state"] for run in status["runs"]} <= {"failed", "finished"}
    assert any("changed since" in (run["message"] or "") for run in status["runs"])
