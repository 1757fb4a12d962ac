"""A loopback stand-in for the W&B server, so that tests run the real wandb client against it.

It answers what the client asks (GraphQL, the file stream, uploads, telemetry) and keeps what was
sent, line by line at the offset that the client gave: a row sent again to its place lands on
itself, a row sent at another offset shows up as a duplicate. Faults are switched on by attributes.
It listens on 127.0.0.1 only, and takes at most ``MAX_BYTES`` per request.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = "learner"
KEY = "0123456789abcdef0123456789abcdef01234567"
"""The only key it takes: forty hexadecimal digits, as the client demands."""

PROJECT = {"id": "UHJvamVjdDox"}
MAX_BYTES = 16 << 20
MAX_DELAY = 30.0


@dataclass
class Received:
    """One run as the server knows it."""

    id: str
    entity: str
    project: str
    name: str = ""
    group: str | None = None
    job_type: str | None = None
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    """File of the stream → line number → text."""
    exitcode: int | None = None

    @property
    def state(self) -> str:
        return (
            "running" if self.exitcode is None else "finished" if self.exitcode == 0 else "failed"
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rows in order; a hole in the offsets fails the test that looks."""
        lines = self.lines.get("wandb-history.jsonl", {})
        assert sorted(lines) == list(range(len(lines))), f"holes in the history of {self.name}"
        return [json.loads(lines[n]) for n in sorted(lines)]

    @property
    def values(self) -> dict[str, Any]:
        """The config as the learner gave it."""
        return {key: item.get("value") for key, item in self.config.items() if key != "_wandb"}

    def points(self, metric: str) -> list[tuple[int, float]]:
        return [(row["iter"], row[metric]) for row in self.history if metric in row]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the tests; anything else is kept for them to see."""
        import sys

        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            self.owner.errors.append(repr(error))  # type: ignore[attr-defined]


class WandbServer:
    """Use as a context manager. ``url`` is the base URL for ``WANDB_BASE_URL``.

    ``fault``: "" works; "500" every answer is a server error; "401" the key is refused; "hang"
    accepts and never answers; "stall" does so with the file stream only.
    """

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.forbidden: set[str] = set()
        """GraphQL operations that are answered with 403."""
        self.empty: set[str] = set()
        """Projects that have no run."""
        self.page = 1000
        """The most runs of a project in one answer."""
        self.runs: dict[str, Received] = {}
        self.requests: list[str] = []
        """GraphQL operations and paths, in order."""
        self.errors: list[str] = []
        self.dead = threading.Event()
        self._lock = threading.RLock()
        self._http: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        self.port = 0

    # ── life

    def __enter__(self) -> WandbServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before when it was stopped; what was received stays."""
        server = self

        class Handler(_Handler):
            owner = server

        self.dead.clear()
        self._http = _Quiet(("127.0.0.1", self.port), Handler)
        self._http.owner = self  # type: ignore[attr-defined]
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the listener and cut every connection."""
        self.dead.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        with self._lock:
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, name: str) -> Received:
        """The one run with this display name."""
        runs = [run for run in self.runs.values() if run.name == name]
        assert len(runs) == 1, (
            f"{len(runs)} runs called {name}: {[r.name for r in self.runs.values()]}"
        )
        return runs[0]

    # ── what is asked

    def stream(self, run_id: str, body: dict[str, Any], entity: str, project: str) -> None:
        with self._lock:
            run = self.runs.setdefault(run_id, Received(run_id, entity, project))
            for name, part in body.get("files", {}).items():
                if name == "wandb-summary.json":
                    run.summary = json.loads(part["content"][-1])
                    continue
                lines = run.lines.setdefault(name, {})
                for n, line in enumerate(part["content"]):
                    lines[part["offset"] + n] = line
            if body.get("complete"):
                run.exitcode = int(body.get("exitcode", 0))

    def graphql(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to an operation; to an unknown one, no data."""
        method = "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        with self._lock:
            answer = getattr(self, method, None)
            return answer(variables) if answer else {}

    def _viewer(self, variables: dict[str, Any]) -> dict[str, Any]:
        names = dict.fromkeys(("entity", "username", "name"), ENTITY)
        lists = {name: {"edges": []} for name in ("apiKeys", "teams")}
        return {"viewer": {"id": "VXNlcjox", "admin": False, "flags": "{}", **names, **lists}}

    _get_viewer = _get_default_entity = _viewer

    def _server_features_query(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        run_id = variables.get("name") or base64.b64decode(variables["id"]).decode().split(":")[-1]
        new = run_id not in self.runs
        place = variables.get("entity") or ENTITY, variables.get("project") or "uncategorized"
        run = self.runs.setdefault(run_id, Received(run_id, *place))
        run.name = variables.get("displayName") or run.name or run_id
        run.group = variables.get("groupName") or run.group
        run.job_type = variables.get("jobType") or run.job_type
        run.tags = tuple(variables.get("tags") or run.tags)
        if variables.get("config"):
            run.config = json.loads(variables["config"])
        if variables.get("summaryMetrics"):
            run.summary = json.loads(variables["summaryMetrics"])
        return {"upsertBucket": {"bucket": self._node(run), "inserted": new}}

    def _run_resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(variables["name"])
        model = {**PROJECT, "name": variables["project"], "entity": {"id": "x", "name": ENTITY}}
        return {"model": {**model, "bucket": self._node(run) if run else None}}

    def _create_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        storage = f"{self.url}/storage/{variables['run']}"
        files = [{"name": name, "uploadUrl": f"{storage}/{name}"} for name in variables["files"]]
        answer = {"runID": variables["run"], "uploadHeaders": [], "files": files}
        return {"createRunFiles": answer}

    def _run_stopped_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"run": {"stopped": False}}}

    def _runs(self, variables: dict[str, Any]) -> dict[str, Any]:
        project = variables["project"]
        runs = [run for run in self.runs.values() if run.project == project]
        if not runs and project not in self.empty:
            return {"project": None}
        ids = [run.id for run in runs]
        begin = ids.index(variables["cursor"]) + 1 if variables.get("cursor") else 0
        end = begin + min(self.page, variables.get("perPage") or self.page)
        edges = [{"node": self._node(run), "cursor": run.id} for run in runs[begin:end]]
        page = {
            "endCursor": edges[-1]["cursor"] if edges else None,
            "hasNextPage": end < len(runs),
        }
        found = {"edges": edges, "pageInfo": page}
        return {
            "project": {"internalId": "1", "runCount": len(runs), "readOnly": True, "runs": found}
        }

    def _run(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(variables["name"])
        return {"project": {"run": self._node(run) if run else None}}

    def _run_parquet_history(self, variables: dict[str, Any]) -> dict[str, Any]:
        rows = self.runs[variables["runName"]].history
        return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": rows}}}}

    def _history_page(self, variables: dict[str, Any]) -> dict[str, Any]:
        rows = [
            json.dumps(row)
            for row in self.runs[variables["run"]].history
            if variables["minStep"] <= row["_step"] < variables["maxStep"]
        ][: variables["pageSize"]]
        return {"project": {"run": {"history": rows}}}

    def _run_history_keys(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[variables["name"]]
        return {"project": {"run": {"historyKeys": self._history_keys(run)}}}

    @staticmethod
    def _history_keys(run: Received) -> dict[str, Any]:
        last = run.history[-1]["_step"] if run.history else -1
        names = {key for row in run.history for key in row}
        return {"lastStep": last, "sets": [], "keys": {name: {"typeCounts": []} for name in names}}

    def _node(self, run: Received) -> dict[str, Any]:
        """A run, with all that any query asks of one."""
        history = run.lines.get("wandb-history.jsonl", {})
        events = run.lines.get("wandb-events.jsonl", {})
        return {
            **dict.fromkeys(("description", "sweepName", "notes", "commit")),
            "id": base64.b64encode(f"Run:v1:{run.id}".encode()).decode(),
            "name": run.id,
            "displayName": run.name,
            "state": run.state,
            "group": run.group,
            "jobType": run.job_type,
            "tags": list(run.tags),
            "readOnly": True,
            "createdAt": "2026-03-07T09:30:00Z",
            "heartbeatAt": "2026-03-07T09:40:00Z",
            "config": json.dumps(run.config),
            "summaryMetrics": json.dumps(run.summary),
            "systemMetrics": "{}",
            "wandbConfig": json.dumps({"t": 1}),
            "logLineCount": len(run.lines.get("output.log", {})),
            "historyLineCount": len(history),
            "eventsLineCount": len(events),
            "historyTail": json.dumps([history[max(history)]] if history else []),
            "eventsTail": json.dumps([events[max(events)]] if events else []),
            "historyKeys": self._history_keys(run),
            "projectId": "1",
            "project": {**PROJECT, "name": run.project, "entity": {"id": "x", "name": run.entity}},
            "user": {"name": ENTITY, "username": ENTITY},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: WandbServer

    def setup(self) -> None:
        super().setup()
        with self.owner._lock:
            self.owner._open.add(self.connection)

    def finish(self) -> None:
        with self.owner._lock:
            self.owner._open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silent: tests look at ``requests``."""

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length", 0))
        assert length <= MAX_BYTES, f"a request of {length} bytes"
        data = self.rfile.read(length)
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(self, record: Any, status: int = 200) -> None:
        data = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        body = self._body()
        owner = self.owner
        if owner.dead.is_set():
            self.close_connection = True
            return
        if owner.fault == "hang" or (owner.fault == "stall" and self.path.endswith("/file_stream")):
            owner.requests.append(self.path)
            owner.dead.wait(MAX_DELAY)
            self.close_connection = True
            return
        if owner.fault == "500":
            owner.requests.append(self.path)
            self._answer({"error": "the server is not well"}, 500)
            return
        if "/sdk/otel/" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not self._authorized():
            owner.requests.append("401")
            self._answer({"errors": [{"message": "invalid API key"}]}, 401)
            return
        stream = re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", self.path)
        if self.path == "/graphql":
            request = json.loads(body)
            query = request["query"]
            operation_match = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
            operation = operation_match.group(1) if operation_match else "?"
            owner.requests.append(operation)
            if operation in owner.forbidden:
                self._answer({"errors": [{"message": "permission denied"}]}, 403)
                return
            self._answer({"data": owner.graphql(operation, request.get("variables") or {})})
        elif stream:
            owner.requests.append("file_stream")
            entity, project, run_id = stream.groups()
            owner.stream(run_id, json.loads(body), entity, project)
            self._answer({"exitcode": None, "limits": {}})
        else:
            owner.requests.append(self.path.split("?")[0])
            self._answer({})

    def _authorized(self) -> bool:
        if self.path.startswith("/storage/"):
            return True
        header = self.headers.get("Authorization", "")
        key = ""
        if header.startswith("Basic "):
            key = base64.b64decode(header[6:]).decode().partition(":")[2]
        return self.owner.fault != "401" and key == KEY

    do_POST = do_GET = do_PUT = _handle  # noqa: N815 - the base class names them so
