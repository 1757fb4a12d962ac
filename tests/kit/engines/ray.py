"""Ray nodes on loopback for tests, each ended by its process ids: ``ray stop`` would end every Ray
of the machine.

The head is 127.0.0.2, since Ray turns 127.0.0.1 into the address of the machine's network card and
then listens there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_autoscaler_v2": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_memory_monitor_refresh_ms": "0",
}
COMMON = ["--disable-usage-stats", "--block", "--object-store-memory=80000000"]


class Ray:
    """A head with ``cpus`` CPUs; ``add`` starts another node. ``program`` is the ``ray`` command;
    a job's python is the one beside it. Keep ``root`` short: unix sockets go under it."""

    def __init__(
        self, root: Path, program: Path, *, cpus: int = 2, port: int = 6399, board: int = 8365
    ) -> None:
        self.root, self.program, self.port, self.board = root, program, port, board
        self.url = f"http://127.0.0.1:{board}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.env = {**os.environ, **QUIET, "PATH": f"{program.parent}:{os.environ['PATH']}"}
        for key in ("RAY_ADDRESS", "PYTHONPATH"):
            self.env.pop(key, None)
        self._start(
            "head",
            "--head",
            "--node-ip-address=127.0.0.2",
            f"--port={port}",
            f"--num-cpus={cpus}",
            f"--temp-dir={root}",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={board}",
            "--include-dashboard=true",
            f"--ray-client-server-port={self.ports(0)[3]}",
            *self._own_ports(0),
        )
        self._until(lambda: bool(self.get("/api/version")))
        self._until(lambda: self.alive() >= 1)

    def add(self, cpus: int = 2) -> None:
        n = len(self.nodes)
        self._start(
            f"node{n}",
            f"--address=127.0.0.2:{self.port}",
            f"--node-ip-address=127.0.0.{n + 2}",
            f"--num-cpus={cpus}",
            *self._own_ports(n),
        )
        self._until(lambda: self.alive() >= n + 1)

    def ports(self, n: int) -> range:
        """Ports of the n-th node's agents; another cluster of this machine has others."""
        first = 52465 + (self.board - 8365) + 10 * n
        return range(first, first + 10)

    def _own_ports(self, n: int) -> list[str]:
        first = 23000 + 10 * (self.board - 8365) + 200 * n
        return [
            f"--dashboard-agent-listen-port={self.ports(n)[0]}",
            f"--dashboard-agent-grpc-port={self.ports(n)[1]}",
            f"--metrics-export-port={self.ports(n)[2]}",
            f"--min-worker-port={first}",
            f"--max-worker-port={first + 199}",
        ]

    def alive(self) -> int:
        rows = self.get("/nodes?view=summary")["data"]["summary"]
        return sum(row["raylet"].get("state") == "ALIVE" for row in rows)

    def get(self, path: str) -> Any:
        token = os.environ.get("RAY_AUTH_TOKEN")
        head = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, headers=head)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def tree(self, n: int) -> list[int]:
        """Process ids of everything below a node's command."""
        return below(self.nodes[n].pid)

    def trainer_of(self, cell: str) -> int:
        """Process id of the trainer that has this cell now, on whichever node."""
        return self._process(f"--only\0{cell}\0".encode())

    def worker_of(self, cell: str) -> int:
        """Process id of the Ray worker that has this cell now: the trainer's parent."""
        return parent(self.trainer_of(cell))

    def driver(self) -> int:
        """Process id of the program that Ray runs for the job."""
        return self._process(b"python3\0-P\0labs/engines/ray_job.py\0")

    def _process(self, mark: bytes) -> int:
        for n in range(len(self.nodes)):
            for pid in self.tree(n):
                with contextlib.suppress(OSError):
                    if mark in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
        raise LookupError(f"no process has {mark!r} in its command line")

    def drain(self, n: int, seconds: int) -> None:
        """Announce that a node goes, as a cloud does before it takes a cheap machine back."""
        rows = self.get("/nodes?view=summary")["data"]["summary"]
        address = f"127.0.0.{n + 2}"
        node = next(r["raylet"] for r in rows if r["raylet"]["nodeManagerAddress"] == address)
        words = ["drain-node", f"--address=127.0.0.2:{self.port}", f"--node-id={node['nodeId']}"]
        words += ["--reason=DRAIN_NODE_REASON_PREEMPTION", "--reason-message=test"]
        words += [f"--deadline-remaining-seconds={seconds}"]
        subprocess.run([self.program, *words], env=self.env, capture_output=True, check=True)

    def kill(self, n: int) -> None:
        """The whole node at once, as when its machine is gone."""
        for pid in [self.nodes[n].pid, *self.tree(n)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nodes[n].wait()

    def stop(self) -> None:
        for n, node in reversed(list(enumerate(self.nodes))):
            if node.poll() is None:
                self.kill(n)
        shutil.rmtree(self.root, ignore_errors=True)

    def _start(self, name: str, *arguments: str) -> None:
        with Path(f"{self.root}.{name}.log").open("wb") as log:
            self.nodes.append(
                subprocess.Popen(
                    [str(self.program), "start", *arguments, *COMMON],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self.env,
                    start_new_session=True,
                )
            )

    def _until(self, ask: Any, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, KeyError, ValueError):
                if ask():
                    return
            if time.monotonic() > deadline or self.nodes[-1].poll() is not None:
                self.stop()
                raise RuntimeError(f"Ray did not come up; see {self.root}.*.log")
            time.sleep(0.2)


def parent(pid: int) -> int:
    """Process id of a process's parent. OSError when it is gone."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def below(pid: int) -> list[int]:
    """Process ids of all descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                children.setdefault(parent(int(entry.name)), []).append(int(entry.name))
    descendants, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            descendants.append(child)
            todo.append(child)
    return descendants
