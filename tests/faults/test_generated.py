"""Made by a generator: whatever is handed to `judge` and `restore`, and whatever lies where a study
should be. One line each, the exit status that is promised, and nothing half taken in."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from q1lab.ground import paths
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit import hostile
from tests.kit.commands import q1lab
from tests.kit.faults import figures

SHORT, LONG = 40, 3000
"""Examples of each kind with the other tests, and by `make faults`."""


def run_q1lab(*args: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a command."""
    done = q1lab(*args, code=None)
    return done.returncode, done.stdout, done.stderr


def empty_home() -> None:
    shutil.rmtree(paths.home(), ignore_errors=True)


def check_csv(data: bytes) -> None:
    """A table that is judged, or refused in one line; nothing is kept."""
    empty_home()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs.csv"
        file.write_bytes(data)
        code, out, err = run_q1lab("judge", str(file))
        assert file.read_bytes() == data, "judge changed the table"
    assert code in (0, 1, 2)
    for text in (out, err):
        text.encode()
        assert "\x1b[31m" not in text, "a sequence of the table reaches the terminal"
    assert not code or len(err.strip().splitlines()) == 1, err
    assert not code or len(err) < 2000, "what is echoed is not cut"
    assert studies.ids() == []


def run_folder(folder: Path, files: list[bytes]) -> Path:
    names = [f"{arm}-seed{seed}" for seed in (0, 1) for arm in ("baseline", "modified")]
    for name, data in zip(names, files, strict=True):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "events.jsonl").write_bytes(data)
    return folder


some_runs = some.tuples(
    *(hostile.event_files(arm, seed) for seed in (0, 1) for arm in ("baseline", "modified"))
).map(list)


def check_in_place(plan: dict[str, Any], files: list[bytes]) -> None:
    """The same study lying among the others, as a bad disk leaves it."""
    empty_home()
    good, bad = paths.study_dir("good-1"), paths.study_dir("rope-1")
    for folder in (good, bad):
        (folder / "source").mkdir(parents=True)
    (good / "study.json").write_text(json.dumps({**hostile.PLAN, "id": "good-1"}))
    (bad / "study.json").write_text(json.dumps(plan))
    run_folder(bad, files)
    code, out, err = run_q1lab("status")
    assert code == 0, err
    assert any(line.startswith("good-1") for line in out.splitlines())
    assert any("rope-1" in line.split(":")[0] for line in out.splitlines()), out
    code, out, err = run_q1lab("compare", "rope-1", "--json")
    assert code in (0, 1), err
    assert code == 0 or len(err.strip().splitlines()) == 1
    with Store() as store:
        lines = study_view.read_study_rows(store, unreadable=ingest_events.ingest_all(store))
    assert len(lines) == 2


def check_archive(data: bytes) -> None:
    """Restored whole, or one line and nothing left behind; and looked at by a stranger."""
    empty_home()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rope-1.zip"
        file.write_bytes(data)
        code, _, err = run_q1lab("verify", str(file), "--cells", "0")
        assert code in (1, 2, 20, 21), err
        assert code >= 20 or len(err.strip().splitlines()) == 1, err
        assert not list(paths.home().glob(".*"))
        code, _, err = run_q1lab("restore", str(file))
        assert [path.name for path in Path(folder).iterdir()] == [file.name]
    assert code in (0, 1, 2)
    assert not list(paths.studies_dir().glob(".*"))
    if code:
        assert len(err.strip().splitlines()) == 1, err
        assert studies.ids() == []
        return
    (name,) = studies.ids()
    for args in (("status",), ("compare", name, "--json")):
        assert run_q1lab(*args)[0] in (0, 1), args


KINDS: dict[str, tuple[Callable[..., None], tuple[some.SearchStrategy[Any], ...]]] = {
    "CSVs to judge": (check_csv, (hostile.csv_files(),)),
    "studies among the others": (check_in_place, (hostile.plans(), some_runs)),
    "archives to restore": (check_archive, (hostile.archives(),)),
}


@pytest.mark.parametrize(
    "examples",
    [SHORT, pytest.param(LONG, marks=(pytest.mark.long, pytest.mark.timeout(1800)))],
)
@pytest.mark.parametrize("kind", KINDS)
def test_any(kind: str, examples: int) -> None:
    check, files = KINDS[kind]
    examples_run = 0

    def counted(given_files: tuple[Any, ...]) -> None:
        nonlocal examples_run
        examples_run += 1
        check(*given_files)

    # the same examples for every commit in CI; `make faults` looks for new ones
    how = settings(
        deadline=None,
        max_examples=examples,
        derandomize=examples < 100,
        suppress_health_check=list(HealthCheck),
    )
    how(given(some.tuples(*files))(counted))()
    figures(
        f"{kind}, made by a generator",
        "refused in one line, or read completely; no traceback, no hang",
        f"{examples_run:,} made, 0 tracebacks",
    )
