"""A home of its own for every test, and a trainer without torch for those that ask for it."""

from __future__ import annotations

import fcntl
import gc
import itertools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from q1lab.ground.errors import NOTICES
from tests.kit.commands import without_torch
from tests.kit.places import ROOT
from tests.kit.warm_server import warm_children

# Tests run beside each other, and torch's threads would wait for each other in busy loops: six
# times the processor time for tiny models. Set before anybody imports torch.
os.environ["OMP_NUM_THREADS"] = "1"
# A study of one run at a time takes all cores: its threads sleep while they wait.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

# An installed q1lab has its bytecode. Without it each of some thousand children would compile the
# same modules again: a quarter of the suite's processor time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What q1lab writes it syncs, and on a disk most of a test's time is spent waiting for that. Tests
# kill processes, not machines: files in memory show the same.
IN_MEMORY = Path("/dev/shm")
if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK):
    space = os.statvfs(IN_MEMORY)
    if space.f_bavail * space.f_frsize > 4 << 30 and not space.f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


@pytest.fixture(autouse=True)
def working_folder() -> Iterator[None]:
    """The folder of a test that passed is removed, and a process may have been left standing in
    it."""
    os.chdir(ROOT)
    yield
    os.chdir(ROOT)


@pytest.fixture(autouse=True)
def signals() -> None:
    """What is ignored is inherited by children, and Ctrl-C and a hang-up are what some tests send
    to q1lab. They are ignored where the tests run in the background (`&`, nohup), and once a test
    has run a trainer's own code in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that check, try or sample a model file begin with torch imported."""
    if not request.node.get_closest_marker("cold"):
        warm_children(monkeypatch)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="keep the app's screens as they are now")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: tests wait often, for children, screens and servers.

    Of two cores, three workers left 13% idle, four 4%.
    """
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Choose what `make test` runs: a selection of three minutes on two cores.

    It runs all tests of most files. A file that takes over ten seconds of processor, because it
    trains, kills processes, opens the app or judges model files by the dozen, has the mark
    `sample`: `make test` runs the first test of it, which walks the main path through its subject,
    and the others are slow. With `sample(6)` it runs every sixth one, too. Where even one test
    takes long, the file or the test itself has the mark `slow`. `make test-all` and CI run
    everything.
    """
    seen: Counter[Path] = Counter()
    for item in items:
        if mark := item.get_closest_marker("sample"):
            every = mark.args[0] if mark.args else len(items)
            if seen[item.path] % every:
                item.add_marker(pytest.mark.slow)
            seen[item.path] += 1


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes an empty folder. pytest's own `mktemp` reads the names of all folders before it, and
    there are thousands of homes."""
    folder = tmp_path_factory.mktemp("homes")
    numbers = itertools.count()

    def new() -> Path:
        home = folder / f"home{next(numbers)}"
        home.mkdir(0o700)
        return home

    return new


@pytest.fixture(autouse=True)
def home(new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Q1LAB_HOME; nothing of the person's own is read or written."""
    NOTICES.clear()
    folder = new_home()
    monkeypatch.setenv("Q1LAB_HOME", str(folder))
    for name in [
        key for key in os.environ if key.startswith(("Q1LAB_", "WANDB_")) and key != "Q1LAB_HOME"
    ]:
        if name != "Q1LAB_DATA":
            monkeypatch.delenv(name)
    return folder


@pytest.fixture
def fake_trainer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the trainer and the probe without torch in place; call it with FAKE_TRAIN's settings."""
    without_torch(monkeypatch)
    return lambda **how: monkeypatch.setenv("FAKE_TRAIN", json.dumps(how))


@pytest.fixture
def shakespeare() -> Iterator[Path]:
    """Tiny Shakespeare where there is a copy; the test is skipped elsewhere."""
    for candidate in (
        os.environ.get("Q1LAB_DATA"),
        str(ROOT.parent / "shared" / "data" / "tinyshakespeare.txt"),
    ):
        if candidate and Path(candidate).is_file():
            yield Path(candidate)
            return
    pytest.skip("needs Tiny Shakespeare: set Q1LAB_DATA to the file")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let one worker at a time collect a file whose asserts pytest has not rewritten yet: the
    others read what it has kept. In a new clone each of them would rewrite all of them, which takes
    eight seconds of processor."""
    if not isinstance(collector, pytest.Module) or _is_rewritten(collector.path):
        return (yield)
    with collector.path.open() as source:
        fcntl.flock(source, fcntl.LOCK_EX)
        return (yield)


def _is_rewritten(test_file: Path) -> bool:
    kept = (test_file.parent / "__pycache__").glob(f"{test_file.stem}.*-pytest-*.pyc")
    return any(file.stat().st_mtime >= test_file.stat().st_mtime for file in kept)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Four thousand tests and all that they import stay to the end: no collection of garbage needs
    to go through them, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """pytest collects garbage five times at its end, to find what could not be closed. Once is as
    good, and what is alive then need not be gone through again."""
    gc.collect()
    gc.freeze()
