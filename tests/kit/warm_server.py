"""Children that begin warm: forked from a process that has torch and the runner's modules, which cost
over a second of processor time to import.

Many tests need the real runner, trainer, probe, sampler or checks, each in a process of its own.
Such a child is started as ``subprocess.Popen`` starts it, with the same descriptors, environment,
folder, session, limits and signals. Its parent is the server, except for a trainer's, which is its
runner as ever. Tests with the mark ``cold``, and all that a real ``q1lab`` command starts, begin
with Python; and everything does where this isn't Linux: macOS lets nobody use its own libraries, as
torch does, in a process that was forked.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import gc
import inspect
import io
import json
import os
import resource
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:  # the server loads this module, too
    import pytest

ROOT = Path(__file__).parents[2]

FORKS = sys.platform == "linux"

RUNNER = ["q1lab.train.crew", "q1lab.train.series_members"]
TORCH = ["labs.torch_import", "torch.utils.flop_counter"]
WANDB = ["wandb", "wandb.apis.public"]
PULL = "q1lab.train.weights_and_biases.pull_runs"

WARM = {PULL, "labs.checks", "labs.probe", "labs.sample", "labs.train", "labs.loop"}
WARM |= {"q1lab.train.runner", "fault_trainer.py", "fake_train.py", "fake_probe.py"}
"""The modules and scripts that begin so."""


def warm_children(patch: pytest.MonkeyPatch) -> None:
    """Start such children warm where q1lab starts them in this process."""

    from q1lab.study import child_processes
    from q1lab.train import launch

    for module in (child_processes, launch):
        patch.setattr(module, "subprocess", _popen_with(WarmChild))


def start_module(at: Path, module: str, *arguments: str, log: Path) -> subprocess.Popen[Any]:
    """Start ``python -m module`` whose package lies in ``at``, or a script that lies there; what it
    prints goes to ``log``."""
    words = [module] if module.endswith(".py") else ["-m", module]
    with log.open("wb") as out:
        start = WarmChild if FORKS else subprocess.Popen
        return start(
            [sys.executable, *words, *arguments], cwd=at, stdout=out, stderr=subprocess.STDOUT
        )


def exit_status(child: subprocess.Popen[Any], seconds: float = 120) -> int:
    """Wait for a process that was started so; one that takes longer is killed."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _popen_with(child: type[subprocess.Popen[Any]]) -> SimpleNamespace:
    """The module ``subprocess`` whose Popen starts what is ``WARM`` as such a child."""

    def start(command: list[str], **options: Any) -> Any:
        warm = (
            FORKS and command[0] == sys.executable and WARM & {Path(word).name for word in command}
        )
        return (child if warm else subprocess.Popen)(command, **options)

    return SimpleNamespace(**{**vars(subprocess), "Popen": start})


class ForkedChild(subprocess.Popen[Any]):
    """A child that is forked from this process, rather than begun with Python."""

    def _execute_child(self, *arguments: Any) -> None:
        start = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
        given = start.bind(self, *arguments).arguments
        pipes = [given[end] for end in ("p2cread", "c2pwrite", "errwrite")]
        descriptors = {n: n if pipe == -1 else pipe for n, pipe in enumerate(pipes)}
        descriptors |= {n: n for n in given["pass_fds"]}
        os.umask(umask := os.umask(0o077))
        order = {
            "command": [os.fspath(word) for word in given["args"]],
            "cwd": os.fspath(given["cwd"] or Path.cwd()),
            "environment": dict(os.environ if given["env"] is None else given["env"]),
            "descriptors": [*descriptors],
            "new_session": given["start_new_session"],
            "umask": umask,
            "limits": [(number, resource.getrlimit(number)) for number in _limits()],
            "ignored": [s for s in _signals() if signal.getsignal(s) is signal.SIG_IGN],
            "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        }
        self.pid = self._fork(order, [*descriptors.values()])
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[end] for end in ends))  # type: ignore[attr-defined]

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> int:
        # a signal waits until the child has no handlers of this process any more
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            return os.fork() or _become(order, descriptors)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, order["blocked"])


class WarmChild(ForkedChild):
    """A child that the server forks. It says in a pipe when it has its session and all else that it
    was given, and the server says there how it ended."""

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> int:
        self._news, write_end = os.pipe()
        try:
            text = json.dumps(order).encode()
            with _ASKING:
                orders = _server(_needed(order))
                socket.send_fds(
                    orders, [struct.pack("I", len(text)) + text], [write_end, *descriptors]
                )
        finally:
            os.close(write_end)
        pid, status = self._next_news()
        if status != BEGUN:
            raise OSError(f"{order['command']} could not be started in {order['cwd']}")
        return pid

    def _next_news(self) -> tuple[int, int]:
        pid, status = struct.unpack("ii", os.read(self._news, 8))
        return pid, status

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if wait_flags & os.WNOHANG and not select.select([self._news], [], [], 0)[0]:
            return 0, 0
        news = self._next_news()
        os.close(self._news)
        return news

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        lock = self._waitpid_lock  # type: ignore[attr-defined]
        if self.returncode is None and lock.acquire(False):
            try:
                if self.returncode is None:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                lock.release()
        return self.returncode


_ASKING = threading.Lock()
BEGUN = -1
"""In place of a status: the child has begun."""


def _needed(order: dict[str, Any]) -> tuple[str, ...]:
    """What the child's server has imported beside the runner's modules: a process of a hundred
    megabytes takes longer to fork, and to end."""
    environment = order["environment"]
    trainer = [Path(word).name for word in environment.get("Q1LAB_TRAINER", "").split()]
    starts = {Path(word).name for word in order["command"]}
    if "q1lab.train.runner" in starts:
        starts = {*trainer} or {"labs.train"}
    if PULL in starts:
        return (*WANDB,)
    if "fault_trainer.py" in starts and not json.loads(environment["FAULTS"]).get("fake"):
        return (*TORCH,)
    light = {"fake_train.py", "fake_probe.py", "labs.loop", "fault_trainer.py"}
    return () if starts & light else (*TORCH,)


@functools.cache
def _server(modules: tuple[str, ...]) -> socket.socket:
    """The socket that orders go to. The server ends when nobody holds that socket."""
    ours, its = socket.socketpair()
    with its:
        server = subprocess.Popen(
            [sys.executable, "-P", __file__, str(its.fileno()), *modules],
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TMPDIR")},
            pass_fds=[its.fileno()],
        )
    atexit.register(server.wait)
    atexit.register(ours.close)  # the last that is registered is called first
    return ours


def serve(orders: socket.socket, modules: list[str]) -> None:
    """Fork a child for each order, until nobody can order any more."""
    sys.path.insert(0, str(ROOT))  # before a q1lab that is installed from elsewhere
    for module in [*RUNNER, *modules]:
        __import__(module)
    sys.path.remove(str(ROOT))
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended, wake = os.pipe()
    for end in (ended, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    news_by_child: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, ended], [], [])
        if ended in ready:
            os.read(ended, 1 << 16)
            while news_by_child:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                news = news_by_child.pop(pid)
                with contextlib.suppress(OSError):  # nobody waits for it any more
                    os.write(news, struct.pack("ii", pid, status))
                os.close(news)
        if orders in ready:
            size, descriptors, _, _ = socket.recv_fds(orders, 4, 100)
            if not size:
                return
            text = b""
            (length,) = struct.unpack("I", size)
            while len(text) < length:
                text += orders.recv(length - len(text))
            news, *descriptors = descriptors
            child = os.fork() or _become(json.loads(text), descriptors, news)
            for number in descriptors:
                os.close(number)
            news_by_child[child] = news


def _limits() -> list[int]:
    return [value for name, value in vars(resource).items() if name.startswith("RLIMIT_")]


def _signals() -> list[int]:
    """Those that Python doesn't ignore by itself."""
    kept = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP)
    return [number for number in signal.valid_signals() if number not in kept]


def _become(order: dict[str, Any], descriptors: list[int], news: int = -1) -> NoReturn:
    """Make this process what ``exec`` would have made of it, and run the command to its end."""
    status = 1
    try:
        _take_place(order, descriptors, news)
        status = _run(order["command"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _take_place(order: dict[str, Any], descriptors: list[int], news: int) -> None:
    atexit._clear()  # torch's take longer than most children
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    signal.set_wakeup_fd(-1)
    for number in _signals():
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN if number in order["ignored"] else signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, order["blocked"])
    if order["new_session"]:
        os.setsid()

    above = max(order["descriptors"]) + 1
    if news >= 0:
        news = fcntl.fcntl(news, fcntl.F_DUPFD, above)
    copies = [fcntl.fcntl(number, fcntl.F_DUPFD, above) for number in descriptors]
    os.closerange(0, above)
    for number, copy in zip(order["descriptors"], copies, strict=True):
        os.dup2(copy, number)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  a number, not a path
        if int(name) >= above and int(name) != news:
            with contextlib.suppress(OSError):
                os.close(int(name))

    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None
    for number, (soft, hard) in order["limits"]:
        if resource.getrlimit(number) != (soft, hard):
            resource.setrlimit(number, (soft, hard))

    if news >= 0:
        os.write(news, struct.pack("ii", os.getpid(), BEGUN))
        os.close(news)

    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        buffering = 0 if unbuffered else -1
        raw: Any = open(number, "wb", buffering, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(raw, errors=errors, write_through=unbuffered or number == 2)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _run(command: list[str]) -> int:
    """Run ``python [-P] SCRIPT …`` or ``python [-P] -m MODULE …``; its exit status."""
    words = command[1:]
    isolated = words[0] == "-P"
    words = words[isolated:]
    as_module = words[0] == "-m"
    sys.argv = words[as_module:]
    own = words[1].partition(".")[0] if as_module else ""
    for name in [*sys.modules]:  # the child may have another package of that name, or none
        if name.partition(".")[0] in {"labs", "q1lab"} - ({own} & {"q1lab"}):
            del sys.modules[name]
    folders = [] if isolated else ["" if as_module else str(Path(words[0]).parent)]
    folders += filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(Path(folder).absolute()) for folder in folders]
    if own == "q1lab":  # a runner starts its trainers
        from q1lab.train import crew

        crew.subprocess = _popen_with(ForkedChild)  # type: ignore[attr-defined]
    status = 0
    try:
        if as_module:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code is not None:
            status = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    return status & 0xFF


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        serve(asked, sys.argv[2:])
