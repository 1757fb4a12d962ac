"""The Ray engine: the Jobs REST API of Ray's dashboard, with the standard library alone.

Ray need not be installed here, and no version has to match: one port is enough, which can come
through an ssh tunnel. Source, data and config travel with the job as its working directory. On the
cluster labs/engines/ray_job.py runs one task per cell and prints numbered lines, which the
dashboard serves from the driver's log.

The token is read from the same places as by Ray itself: ``RAY_AUTH_TOKEN``, the file that
``RAY_AUTH_TOKEN_PATH`` names, ``~/.ray/auth_token``. It goes into a header and nowhere else.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable, read_bytes
from q1lab.runner.engine import EngineCheck, JobNews, OutOfReach, Refused
from q1lab.runner.remote_engine import Remote
from q1lab.study import bundle, corpora
from q1lab.study.engine_state import CANCELLED, ENDED, LOST, RUNNING, WAITING, CellStatus, Job
from q1lab.study.studies import Study

OPTIONS = ("cpus", "gpus", "retries", "storage")
"""CPUs and GPUs of one run; the number of times that Ray restarts it; a folder shared by all nodes,
where another node finds the checkpoint of a lost one."""
FINAL_STATUSES = ("SUCCEEDED", "FAILED", "STOPPED")
UNKNOWN_TO_RAY = ("does not exist", "Could not find a log file")
"""Parts of Ray's answers (HTTP 404 or 500) about a job or file that it does not know."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROBE_SECONDS = 300
"""Seconds within which the cluster must have tried the model files."""
MAX_LINES = 5000
"""Log lines that one poll fetches; the next poll fetches more."""


class Ray(Remote):
    """A Ray cluster, reached at its dashboard's address."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        try:
            parts = urllib.parse.urlsplit(address)
            _ = parts.port
        except ValueError:  # http://[::1
            parts = urllib.parse.urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Problem(
                f"--engine ray={address}: ", next="give the dashboard, ray=http://127.0.0.1:8265"
            )
        for key in options:
            if key not in OPTIONS:
                raise Problem(f"--engine-option {key}: Ray takes {', '.join(OPTIONS)}")
        self.address, self.options = address, options
        self.cpus, self.gpus = self._number_option("cpus", 1.0), self._number_option("gpus", 0.0)
        self.retries, self.storage = (
            int(self._number_option("retries", 3)),
            options.get("storage", ""),
        )
        if self.storage and not self.storage.startswith("/"):
            raise Problem(
                f"--engine-option storage={self.storage}: ",
                next="give a folder that all nodes share, with its full path",
            )
        self.token = auth_token()
        if parts.hostname not in LOOPBACK and not self.token:
            raise Problem(
                f"{address} is neither on this machine nor guarded by a token: whoever reaches it "
                "can run code there. ",
                next=(
                    "Start Ray with RAY_AUTH_MODE=token, or use an ssh tunnel: "
                    "ssh -L 8265:127.0.0.1:8265 HOST, then --engine ray=http://127.0.0.1:8265"
                ),
            )

    def _number_option(self, key: str, default: float) -> float:
        text = self.options.get(key)
        try:
            value = default if text is None else float(text)
            if not 0 <= value <= 1024:
                raise ValueError
        except ValueError:
            raise Problem(
                f"--engine-option {key}={text}: ", next="give a number, such as 0.5"
            ) from None
        return value

    # ── the interface of an engine

    def check(self) -> list[EngineCheck]:
        version = self._call_api("GET", "/api/version").get("ray_version", "of unknown version")
        findings = [EngineCheck("dashboard", True, f"{self.address} answers, Ray {version}")]
        none = "none: this address is on this machine"
        findings.append(
            EngineCheck("token", True, "sent with each request" if self.token else none)
        )
        nodes = self._live_nodes()
        cpus = sum(float(n.get("CPU", 0)) for n in nodes)
        gpus = sum(float(n.get("GPU", 0)) for n in nodes)
        findings.append(
            EngineCheck("nodes", bool(nodes), f"{len(nodes)} alive, {cpus:g} CPUs, {gpus:g} GPUs")
        )
        if nodes:
            findings.append(self._check_room(nodes))
        return findings

    def _check_room(self, nodes: list[dict[str, Any]]) -> EngineCheck:
        resources = f"{self.cpus:g} CPUs and {self.gpus:g} GPUs per run"
        good = any(
            float(n.get("CPU", 0)) >= self.cpus and float(n.get("GPU", 0)) >= self.gpus
            for n in nodes
        )
        return EngineCheck(
            "room", good, resources if good else f"no node has {resources}; runs would wait forever"
        )

    def choose_slots(self, device: str, runs: int, first: int, jobs: int | None) -> tuple[int, int]:
        return jobs or first, max(1, int(self.cpus))

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        nodes = self._live_nodes()
        fit = self._check_room(nodes) if nodes else EngineCheck("nodes", False, "no node is alive")
        if not fit.good:
            raise Refused(fit.words)
        files = question.get("files", {})
        inner = {f"probe/{arm}.py": read_bytes(Path(file)) for arm, file in files.items()}
        remote_question = {**question, "files": {arm: f"probe/{arm}.py" for arm in files}}
        inner["probe/question.json"] = json.dumps(remote_question).encode()
        name = f"q1lab-probe-{secrets.token_hex(6)}"
        probe = _command("Q1LAB_ENGINE_PROBE", ["python3", "-P", "-m", "labs.probe"])
        driver_options = {"probe": probe, "cpus": self.cpus, "gpus": self.gpus}
        self._submit_job(
            name, self._upload({**inner, **_trainer_files()}), ["probe"], driver_options
        )
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            record = self._read_job(name)
            answers = [
                line["answer"] for line in self._read_log(record, name, 200) if "answer" in line
            ]
            if answers and isinstance(answers[0], dict):
                if "error" in answers[0]:
                    raise Refused(str(answers[0]["error"]))
                return answers[0]
            if record.get("status") in FINAL_STATUSES:
                raise Refused(_job_reason(record) or "the cluster's probe ended without an answer")
            if time.monotonic() > deadline:
                self._call_api("POST", f"/api/jobs/{name}/stop")
                raise Refused(f"the cluster did not try the model within {PROBE_SECONDS} s")
            time.sleep(0.5)

    def submit(self, study: Study, job: Job) -> Job:
        inner = {"study/study.json": read_bytes(study.files.plan), **_trainer_files()}
        for arm in study.arms.values():
            inner[f"study/{arm.source}"] = read_bytes(study.files.root / arm.source)
        inner[study.data.file] = read_bytes(paths.home() / study.data.file, corpora.LARGEST_CORPUS)
        trainer = ["python3", "-P", "-m", "labs.train"]
        driver_options = {
            "trainer": _command("Q1LAB_ENGINE_TRAINER", trainer),
            "threads": study.trainer.threads,
            "attempts": dict(job.attempts),
            "last": dict(job.last),
            "cpus": self.cpus,
            "gpus": self.gpus,
            "retries": self.retries,
            "at_once": study.trainer.jobs,
            "study": node_folder(study),
            "storage": self.storage,
        }
        self._submit_job(job.name, self._upload(inner), list(job.cells), driver_options)
        return job

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        record = self._read_job(job.name)
        status = str(record.get("status"))
        if status not in (*FINAL_STATUSES, "PENDING", "RUNNING"):
            raise OutOfReach(f"{self.address} does not report the job's status")
        log_lines = self._read_log(record, job.name, MAX_LINES)
        if log_lines and log_lines[0]["n"] > cursor + 1:
            log_lines = self._read_log(record, job.name, -1)
        cells: dict[str, CellStatus] = {}
        lines: list[tuple[int, str, str]] = []
        for entry in log_lines:
            n, cell = entry["n"], entry["cell"]
            if cell and isinstance(entry.get("state"), str):
                cells[cell] = _cell_state(entry)
            if n == cursor + len(lines) + 1:
                lines.append((n, cell, str(entry.get("event", ""))))
        over = status in FINAL_STATUSES
        driver_ended = any(entry.get("state") == "over" for entry in log_lines)
        if status == "PENDING":
            cells = {cell: CellStatus(WAITING, "waits: Ray starts the job") for cell in job.cells}
        why = _job_reason(record) if over and not driver_ended else ""
        if status == "STOPPED":  # also if the trainers had time to report it
            cells = dict.fromkeys(
                job.cells, CellStatus(CANCELLED, "cancelled at Ray, not by q1lab")
            )
        elif over and not driver_ended:
            for cell in job.cells:
                if cells.get(cell, CellStatus(WAITING)).state in (WAITING, RUNNING):
                    cells[cell] = CellStatus(LOST, why)
        return JobNews(cells, tuple(lines), over, why)

    def stop(self, job: Job) -> None:
        self._call_api("POST", f"/api/jobs/{job.name}/stop")

    # ── the REST API

    def _live_nodes(self) -> list[dict[str, Any]]:
        """The resources of each live node."""
        answer = self._call_api("GET", "/api/v0/nodes?detail=1")
        try:
            rows = answer["data"]["result"]["result"]
            return [dict(r.get("resources_total") or {}) for r in rows if r["state"] == "ALIVE"]
        except (KeyError, TypeError):
            raise Refused(f"{self.address} does not say which nodes it has; is it Ray?") from None

    def _read_job(self, name: str) -> dict[str, Any]:
        try:
            return self._call_api("GET", f"/api/jobs/{name}")
        except _UnknownToRay:
            return {"status": "FAILED", "message": "Ray no longer knows this job"}

    def _read_log(self, record: Mapping[str, Any], name: str, lines: int) -> list[dict[str, Any]]:
        """The driver's last numbered lines, parsed; a line cut off in the middle is left out."""
        node = record.get("driver_node_id")
        if not node:
            return []
        query = urllib.parse.urlencode({"node_id": node, "submission_id": name, "lines": lines})
        try:
            text = self._request("GET", f"/api/v0/logs/file?{query}", None, 60)
        except _UnknownToRay:
            return []
        log_lines = []
        for line in text[: text.rfind(b"\n") + 1].split(b"\n"):
            start = line.find(b'{"n"')
            if start < 0:
                continue
            try:
                entry = json.loads(line[start:])
            except ValueError:
                continue
            if isinstance(entry.get("n"), int) and isinstance(entry.get("cell"), str):
                log_lines.append(entry)
        return log_lines

    def _upload(self, files: Mapping[str, bytes]) -> str:
        """Upload the files into the cluster's package store, named by their hash; returns the
        URI."""
        block = io.BytesIO()
        bundle.write_zip(block, files)
        package = f"_ray_pkg_{hashlib.sha256(block.getvalue()).hexdigest()[:16]}.zip"
        try:
            self._call_api("GET", f"/api/packages/gcs/{package}")
        except _UnknownToRay:
            self._request("PUT", f"/api/packages/gcs/{package}", block.getvalue(), 300)
        return f"gcs://{package}"

    def _submit_job(
        self, name: str, uri: str, cells: list[str], driver_options: Mapping[str, Any]
    ) -> None:
        body = {
            "entrypoint": "python3 -P labs/engines/ray_job.py " + " ".join(cells),
            "submission_id": name,
            "runtime_env": {
                "working_dir": uri,
                "env_vars": {
                    "Q1LAB_HOW": json.dumps(driver_options),
                    "PYTHONUNBUFFERED": "1",
                    **{k: v for k, v in os.environ.items() if k == "FAKE_TRAIN"},
                },
            },
        }
        try:
            self._call_api("POST", "/api/jobs/", body)
        except Refused as error:
            if "already exists" not in str(error):  # an earlier attempt got through after all
                raise

    def _call_api(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        text = self._request(method, path, data, 30)
        try:
            answer = json.loads(text) if text.strip() else {}
        except ValueError:
            raise OutOfReach(f"{self.address} does not answer as Ray does") from None
        return answer if isinstance(answer, dict) else {"data": answer}

    def _request(self, method: str, path: str, data: bytes | None, seconds: float) -> bytes:
        kind = "application/octet-stream" if method == "PUT" else "application/json"
        headers = {"Content-Type": kind}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            # without proxies: the address is the end of a tunnel, or the cluster's own
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(request, timeout=seconds) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            body = error.read(4000).decode(errors="replace")
            if any(part in body for part in UNKNOWN_TO_RAY):
                raise _UnknownToRay(printable(f"{self.address}: {body}")[:600]) from None
            if error.code == 404:  # a gateway between here and Ray
                raise Refused(f"{self.address} has no {path.partition('?')[0]}") from None
            if error.code in (401, 403):
                raise Refused(
                    f"{self.address} wants a token (HTTP {error.code}): set RAY_AUTH_TOKEN"
                ) from None
            if error.code in (429, 502, 503, 504):
                raise OutOfReach(f"{self.address} answers HTTP {error.code}") from None
            last_lines = [line for line in body.strip().splitlines() if line.strip()]
            message = last_lines[-1].strip()[:300] if last_lines else f"HTTP {error.code}"
            message = body if "already exists" in body else message
            raise Refused(printable(f"{self.address}: {message}")[:600]) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            why = printable(getattr(reason, "strerror", None) or str(reason))
            raise OutOfReach(f"{self.address} does not answer ({why})") from None


class _UnknownToRay(Refused):
    """Ray's own answer that it does not know the job, package or file."""


def auth_token() -> str:
    """The token that Ray's own tools would send; empty without one."""
    from_environment = os.environ.get("RAY_AUTH_TOKEN", "").strip()
    if from_environment:
        return from_environment
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        with file.open(encoding="utf-8") as stream:
            return stream.read(4096).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _trainer_files() -> dict[str, bytes]:
    """The trainer's files by path, with the program that runs as the job's driver."""
    folder = paths.PACKAGE.parent / "labs"
    return {f"labs/{file.relative_to(folder)}": file.read_bytes() for file in folder.rglob("*.py")}


def node_folder(study: Study) -> str:
    """The name of the study's folder on the nodes, unique among all users' studies. A restarted run
    finds its checkpoint there."""
    fingerprint = hashlib.sha256(f"{paths.home()} {study.id} {study.created}".encode()).hexdigest()
    return f"{study.id}-{fingerprint[:12]}"


def _command(variable: str, default: list[str]) -> list[str]:
    """A program's command on the cluster. The environment variable replaces it (tests use a program
    without torch)."""
    return os.environ.get(variable, "").split() or default


def _cell_state(entry: Mapping[str, Any]) -> CellStatus:
    """A cell's state, from a line that the driver printed."""
    state, attempt = str(entry.get("state")), entry.get("attempt", 1)
    node = printable(str(entry.get("node", "")))[:80]
    why = printable(str(entry.get("why", "")))[:300]
    if state == "running":
        message = f"attempt {attempt}, {why}" if why else ""
        return CellStatus(RUNNING, message, node)
    if state == "ended":
        return CellStatus(ENDED, "", node)
    if state == "lost":
        return CellStatus(LOST, why, node)
    return CellStatus(WAITING, why or "waits: no free place yet", node)


def _job_reason(record: Mapping[str, Any]) -> str:
    """The reason why a job ended, in Ray's words, on one line. For a driver that failed, Ray
    appends its last output, whose last line has the error."""
    text = printable(str(record.get("message") or record.get("status") or ""))
    first, has_output, output = text.partition(", last available logs")
    last = [line for line in output.splitlines() if line.strip()][-1:] if has_output else []
    return " ".join(": ".join([first, *last]).split())[:300]
