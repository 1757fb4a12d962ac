"""Ray through its REST API: answers and errors from a stand-in, and a study on a real cluster."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground.errors import Problem
from q1lab.plugins.ray.ray_engine import Ray, node_folder
from q1lab.runner import launch
from q1lab.runner.engine import OutOfReach, Refused
from q1lab.study import studies
from q1lab.study.engine_state import Job
from tests.kit.engines import ray as kit
from tests.kit.engines.client import (
    RUN,
    events,
    is_running,
    is_submitted,
    kill_runner,
    ladder,
    last_status,
    q1lab,
    status_of,
)
from tests.kit.lab_home import make_study
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.slow

# ── a stand-in: what the API may answer


class Board(ThreadingHTTPServer):
    """Answers by path. With ``behind``, the address of a dashboard, it passes requests on for as
    long as ``hiccup`` is None, and answers with that otherwise."""

    def __init__(self, behind: str = "") -> None:
        self.behind, self.hiccup = behind, None if behind else (404, b"")
        self.answers: dict[str, tuple[int, Any]] = {"/api/version": (200, {"ray_version": "2.60"})}
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        board = self.server
        assert isinstance(board, Board)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        board.asked.append((self.command, path))
        code, body = board.answers.get(path, (404, {"error": "no such thing"}))
        if board.behind:
            code, body = board.hiccup or self.passed_on(board.behind, sent)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def passed_on(self, address: str, sent: bytes) -> tuple[int, bytes]:
        head = {"Content-Type": self.headers.get("Content-Type", "")}
        request = urllib.request.Request(address + self.path, sent or None, head)
        request.method = self.command
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    do_GET = do_POST = do_PUT = answer  # noqa: N815  (the names that http.server calls)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def board() -> Iterator[Board]:
    fake_dashboard = Board()
    yield fake_dashboard
    fake_dashboard.shutdown()
    fake_dashboard.server_close()


def lines(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"n": n, **e}).encode() + b"\n" for n, e in enumerate(entries, 1))


def test_nobody_listens(home: Path) -> None:
    with pytest.raises(OutOfReach, match="does not answer"):
        Ray("http://127.0.0.1:9", {}).check()


@pytest.mark.parametrize("code", [401, 403])
def test_a_token_is_wanted(board: Board, code: int) -> None:
    board.answers["/api/version"] = (code, {})
    with pytest.raises(Refused, match="RAY_AUTH_TOKEN"):
        Ray(board.url, {}).check()


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_gateway_that_is_busy_is_asked_again(board: Board, code: int) -> None:
    board.answers["/api/version"] = (code, b"<html>later</html>")
    with pytest.raises(OutOfReach):
        Ray(board.url, {}).check()


def nodes(**resources: float) -> dict[str, Any]:
    rows = [{"state": "ALIVE", "resources_total": resources}]
    return {"data": {"result": {"result": rows}}}


def test_a_gpu_that_nobody_has_is_said_at_once(board: Board) -> None:
    board.answers["/api/v0/nodes"] = (200, nodes(CPU=8))
    with pytest.raises(Refused, match=r"no node has 1 CPUs and 0\.5 GPUs"):
        Ray(board.url, {"gpus": "0.5"}).ask({})


def test_the_same_submission_twice_is_one_job(board: Board, home: Path) -> None:
    study = make_study(seeds=(0,))
    data = home / study.data.file
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text("text")
    for arm in study.arms.values():
        file = study.files.root / arm.source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    board.answers["/api/jobs/"] = (500, b"ValueError: Job with submission_id x already exists")
    engine = Ray(board.url, {})
    package = "/api/packages/gcs/"
    with pytest.raises(Refused):  # the package store is not there
        engine.submit(study, Job("x", ("baseline-seed0",)))
    stored = next(path for _, path in board.asked if path.startswith(package))
    board.answers[stored] = (200, {})
    assert engine.submit(study, Job("x", ("baseline-seed0",))).name == "x"


def test_lines_join_whatever_the_log_shows(board: Board) -> None:
    study, job = make_study(seeds=(0,)), Job("x", ("baseline-seed0",))
    cell = "baseline-seed0"
    reported = lines(
        {"cell": cell, "state": "running", "attempt": 2, "why": "node lost", "node": "n1"},
        {"cell": cell, "event": "one"},
        {"cell": cell, "event": "two"},
    )
    board.answers["/api/jobs/x"] = (200, {"status": "RUNNING", "driver_node_id": "d"})
    torn = b"2026 INFO something else\n" + reported + b'{"n": 4, "cell": "base'
    board.answers["/api/v0/logs/file"] = (200, torn)
    news = Ray(board.url, {}).poll(study, job, 1)
    assert [(n, text) for n, _, text in news.lines] == [(2, "one"), (3, "two")]
    assert (news.cells[cell].state, news.cells[cell].words) == ("running", "attempt 2, node lost")
    assert not news.over


HICCUPS = [
    (401, b"{}"),
    (404, b"<html>no such page here</html>"),
    (500, b"Internal Server Error"),
    (502, b""),
    (200, b"<html>please log in</html>"),
    (200, b"{}"),
]


@pytest.mark.parametrize(("code", "body"), HICCUPS)
def test_what_says_nothing_of_a_job_is_no_end_of_it(board: Board, code: int, body: bytes) -> None:
    study, job = make_study(seeds=(0,)), Job("x", ("baseline-seed0",))
    board.answers["/api/jobs/x"] = (code, body)
    with pytest.raises((OutOfReach, Refused)):
        Ray(board.url, {}).poll(study, job, 0)


def test_a_job_that_ray_forgot_is_over(board: Board) -> None:
    study, job = make_study(seeds=(0,)), Job("x", ("baseline-seed0",))
    board.answers["/api/jobs/x"] = (404, b"Job x does not exist")
    news = Ray(board.url, {}).poll(study, job, 0)
    assert news.over
    assert "no longer knows" in news.cells["baseline-seed0"].words


def test_a_python_without_ray_is_named(board: Board) -> None:
    """Ray gives the driver's whole output; what matters is its last line."""
    study, job = make_study(seeds=(0,)), Job("x", ("baseline-seed0",))
    message = (
        "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 "
        'chars):\nTraceback (most recent call last):\n  File "ray_job.py", line 22, in <module>\n'
        "    import ray\nModuleNotFoundError: No module named 'ray'\n"
    )
    board.answers["/api/jobs/x"] = (200, {"status": "FAILED", "message": message})
    news = Ray(board.url, {}).poll(study, job, 0)
    assert news.why.endswith(message.splitlines()[-1])
    assert "exit code 1" in news.why
    assert "Traceback" not in news.why
    assert news.cells["baseline-seed0"].words == news.why


def test_a_token_is_sent_and_never_shown(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "very-secret")
    board.answers["/api/v0/nodes"] = (200, nodes(CPU=2))
    checks = Ray(board.url, {}).check()
    assert "very-secret" not in repr(checks)
    board.answers["/api/version"] = (500, b"boom")
    with pytest.raises(Refused) as caught:
        Ray(board.url, {}).check()
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "127.0.0.1:8265", "http://", "file:///etc/passwd"])
def test_no_address_of_a_dashboard(address: str) -> None:
    with pytest.raises(Problem, match="give the dashboard"):
        Ray(address, {})


# ── a real cluster on loopback, where Ray is installed: RAY names its command


PROGRAM = Path(os.environ.get("RAY", "") or Path(sys.executable).with_name("ray"))
absent = pytest.mark.skipif(not PROGRAM.is_file(), reason="Ray is not installed (RAY names it)")


def real(test: Callable[..., None]) -> Callable[..., None]:
    """On a real cluster, by `make test-engines`: other runs don't depend on what is installed."""
    return pytest.mark.long(pytest.mark.xdist_group("ray")(absent(test)))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Ray]:
    root = Path(f"/tmp/q1r{os.getpid()}")  # short: unix sockets go under it
    ray_cluster = kit.Ray(root, PROGRAM)
    yield ray_cluster
    ray_cluster.stop()


def ray_command(cluster: kit.Ray, *more: str) -> tuple[str, ...]:
    engine = ("--engine", f"ray={cluster.url}")
    return (*RUN, *engine, *more)


@real
def test_a_study_from_plan_to_verdict(cluster: kit.Ray) -> None:
    done = q1lab(*ray_command(cluster, "--seeds", "2", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    assert q1lab("status").stdout.startswith("rope-1: rope against baseline")


@real
def test_a_runner_killed_at_many_moments_loses_and_doubles_nothing(cluster: kit.Ray) -> None:
    done = q1lab(*ray_command(cluster, "--seeds", "2", "--detach"), pause=0.25)
    assert done.returncode == 0, done.stderr
    study = studies.load("rope-1")
    wait_for(lambda: is_submitted(study))
    kills = 0
    while (seen := last_status()) is not None and not seen.over:
        kills += kill_runner(study)
        time.sleep(0.4 + 0.05 * (kills % 7))  # another moment of its work each time
    assert kills >= 5
    for run in study.runs:
        run_events = events(study, run.name)
        kinds = [event["type"] for event in run_events]
        assert kinds.count("start") == 1
        assert kinds.count("exit") == 1
        iters = [event["iter"] for event in run_events if event["type"] == "iter"]
        assert iters == sorted(set(iters))
    done = q1lab("attach", "--json")
    assert json.loads(done.stdout)["complete"]


@real
def test_no_hiccup_ends_a_watch(cluster: kit.Ray) -> None:
    """Between here and the dashboard is a gateway that has bad moments."""
    gateway = Board(cluster.url)
    engine = ("--engine", f"ray={gateway.url}", "--seeds", "1", "--detach")
    assert q1lab(*RUN, *engine, pause=4.0).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: events(study, "baseline-seed0"))
    for gateway.hiccup in HICCUPS:
        wait_for(lambda: not status_of().reached)
        assert "out of touch" in q1lab("status").stdout
        gateway.hiccup = None
        wait_for(lambda: status_of().reached)
    assert q1lab("attach").returncode == 0
    assert len(status_of().jobs) == 1
    gateway.shutdown()
    gateway.server_close()


@real
def test_a_planned_range_is_given_more_cells(cluster: kit.Ray) -> None:
    done = q1lab(*ray_command(cluster, "--seeds", "3..4", "--json"), effect=0.0, noise=0.5)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    assert len(status_of().jobs) == 2
    done = q1lab(
        *ray_command(cluster, "--seeds", "3..12", "--json", "--fresh"), effect=-5, noise=0.001
    )
    assert json.loads(done.stdout)["verdict"] == "helps"
    assert len(studies.load("rope-2").seeds) == 3


@real
def test_a_ladder_trains_each_of_its_values(cluster: kit.Ray) -> None:
    ladder(*ray_command(cluster))


@real
def test_jobs_says_how_many_train_at_once(cluster: kit.Ray) -> None:
    """One, where there is room for two; when the study is stopped, none of the others begins."""
    command = ray_command(cluster, "--seeds", "2", "--jobs", "1")
    assert q1lab(*command, "--detach", pause=3.0).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: is_running(study, 1))
    assert q1lab("stop").returncode == 0
    assert len(list(study.files.root.glob("runs/*/events.jsonl"))) == 1
    assert q1lab("run", "rope-1").returncode == 0
    runs = [events(study, run.name) for run in study.runs]
    spans = sorted((run[0]["time"], run[-1]["time"]) for run in runs)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


@real
def test_a_full_cluster_is_no_error(cluster: kit.Ray) -> None:
    """A study is planned and handed over while each CPU is taken, and trains when one is free."""
    assert q1lab(*ray_command(cluster, "--seeds", "1", "--detach"), pause=60.0).returncode == 0
    try:
        wait_for(lambda: is_running(studies.load("rope-1"), 2))  # each of the two CPUs
        done = q1lab(*ray_command(cluster, "--seeds", "1", "--fresh", "--detach"), timeout=60)
        assert done.returncode == 0, done.stderr
        wait_for(lambda: "waits: no free place yet" in q1lab("status").stdout)
    finally:
        assert q1lab("stop", "rope-1").returncode == 0
    done = q1lab("attach", "rope-2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]


@real
def test_a_trainer_that_dies_runs_again(cluster: kit.Ray) -> None:
    done = q1lab(*ray_command(cluster, "--seeds", "1", "--json"), crash=["modified-seed0"])
    assert done.returncode == 0, done.stderr
    run_events = events(studies.load("rope-1"), "modified-seed0")
    assert [event["attempt"] for event in run_events if event["type"] == "start"] == [1, 2]


@real
def test_stop_and_go_on(cluster: kit.Ray) -> None:
    """A stopped study keeps its checkpoints on the node; a finished one leaves nothing there."""
    q1lab(*ray_command(cluster, "--seeds", "1", "--detach"), pause=3.0)
    study = studies.load("rope-1")
    wait_for(lambda: any(event["type"] == "iter" for event in events(study, "baseline-seed0")))
    on_node = (
        Path(tempfile.gettempdir()) / f"q1lab-{os.getuid()}" / "127.0.0.2" / node_folder(study)
    )
    assert q1lab("stop").returncode == 0
    assert not launch.is_alive(study.files)
    assert (on_node / "studies" / "it" / "runs" / "baseline-seed0").is_dir()
    done = q1lab(*ray_command(cluster, "--seeds", "1", "--json"))
    assert done.returncode == 0, done.stderr
    starts = [e for e in events(study, "baseline-seed0") if e["type"] == "start"]
    assert starts[-1]["resumed_from"] > 0
    assert not on_node.exists()


@real
def test_the_doctor_and_what_is_not_there(
    cluster: kit.Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = q1lab("doctor", "--engine", f"ray={cluster.url}")
    assert done.returncode == 0, done.stdout + done.stderr
    done = q1lab(*ray_command(cluster, "--seeds", "1", "--engine-option", "gpus=1"))
    assert done.returncode == 1
    assert "no node has" in done.stderr
    monkeypatch.setenv("Q1LAB_ENGINE_PROBE", "python3 -P -m torch_that_is_not_there")
    done = q1lab(*ray_command(cluster, "--seeds", "1"), probe=False)
    assert done.returncode == 1
    assert "No module named torch_that_is_not_there" in done.stderr  # and which Python, and where
    assert f"{PROGRAM.parent}/python3 on " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2  # "Looking at …", and why not
    assert studies.ids() == []
