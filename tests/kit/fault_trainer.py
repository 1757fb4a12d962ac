"""The trainer (real, or the fake one), with two additions: it writes down what its event log
acknowledged, and it can kill itself at the worst moments of a checkpoint.

``FAULTS`` (JSON): ``fake`` (which trainer), ``acks`` (a folder for what was acknowledged),
``share`` (of checkpoints in which it dies), ``memory_mb`` (RLIMIT_AS beyond what it has when the
model is loaded).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from labs import report

HOW = json.loads(os.environ["FAULTS"])
rng = random.Random(os.getpid())


def die(where: str) -> None:
    with (Path(HOW["acks"]) / "deaths").open("a") as out:
        out.write(where + "\n")
    os.kill(os.getpid(), signal.SIGKILL)


def note_acknowledged() -> None:
    """After an event was written, say so in a file of this process: then it must never be lost."""
    out = os.open(Path(HOW["acks"]) / f"acks-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begin, call = report.Report.__init__, report.Report.__call__

    def init(self: Any, path: Path, *rest: Any) -> None:
        begin(self, path, *rest)
        self.name = path.parent.name

    def call_and_note(self: Any, kind: str, **fields: Any) -> None:
        call(self, kind, **fields)
        self.attempt = fields.get("attempt", getattr(self, "attempt", 0))
        os.write(
            out, json.dumps([self.name, self.attempt, kind, fields.get("iter")]).encode() + b"\n"
        )

    report.Report.__init__, report.Report.__call__ = init, call_and_note  # type: ignore[method-assign]


def die_in_checkpoints() -> None:
    """In some checkpoints: with half of the temp file written, before the rename, or just after
    it."""
    from labs import checkpoint

    write = checkpoint.write

    def fatal(path: Path, data: Any) -> None:
        if not path.name.startswith("iter-") or rng.random() > HOW["share"]:
            return write(path, data)
        where = rng.choice(["half written", "before the rename", "after the rename"])
        if where == "half written":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.part").write_bytes(bytes(data[: len(data) // 2]))
            die(where)
        replace = Path.replace

        def deadly(self: Path, target: Path) -> Path:
            if where == "after the rename":
                replace(self, target)
            die(where)
            return target

        Path.replace = deadly  # type: ignore[method-assign, assignment]
        return write(path, data)

    checkpoint.write = fatal


def limit_memory() -> None:
    """Let the process have so much more address space than it has, from the first batch on."""
    import resource

    from labs import data

    make = data.Batches.__init__

    def limited(self: Any, *args: Any) -> None:
        make(self, *args)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = size + HOW["memory_mb"] * 2**20
        if resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    data.Batches.__init__ = limited  # type: ignore[method-assign]


def main() -> int:
    if HOW.get("acks"):
        note_acknowledged()
    if HOW.get("fake"):
        import fake_train

        return fake_train.main()
    from labs import train

    if HOW.get("share"):
        die_in_checkpoints()
    if HOW.get("memory_mb"):
        limit_memory()
    return train.main()


if __name__ == "__main__":
    sys.exit(main())
