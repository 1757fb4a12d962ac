"""The one process that speaks to Weights & Biases: it follows a study's events and repeats them
there.

``python -m q1lab.tracking.relay STUDY_DIR``          follow the study until nothing of it is alive, then upload
``python -m q1lab.tracking.relay --sync STUDY_DIR``   upload what no upload has confirmed yet (`q1lab sync`)
``python -m q1lab.tracking.relay --pull PATH FILE``   write the runs of ENTITY/PROJECT as JSON (`q1lab pull`)

The trainers know nothing of it and nobody waits for it, so it may block, fail or be killed. It
keeps no state that matters: the ids were minted before the launch, row n of a run is the same
whenever it is asked for, and a connection starts by asking W&B how many rows it has. A run counts
as synced only when `wandb sync` ended with exit 0 *and* left its ``.synced`` mark.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from q1lab.errors import FAILED, Problem
from q1lab.files import plain, sha256_file, try_lock, utc_now, write_atomic
from q1lab.study import children, studies
from q1lab.study.alive import is_alive
from q1lab.study.events import read_new
from q1lab.study.states import State
from q1lab.study.studies import Run, Study
from q1lab.tracking import state as wandb_state
from q1lab.tracking.rows import METRICS, Projection
from q1lab.tracking.state import ERROR, OFFLINE, PROJECT, SYNCED, SYNCING, RunRelay, scrub

POLL = 0.4
"""Seconds between two looks at the events."""

FLUSH = 1.0
"""Seconds until a row is on the disk in wandb's own log (its default of 15 loses all of a short
run)."""

SEND = 3.0
"""Seconds between two sendings of rows to W&B: its default of 15 makes a short run look dead."""

REACH, INIT, FINISH, UPLOAD, LAST_FLUSH = 10.0, 30.0, 30.0, 300.0, 420.0
"""Seconds at most: for the server's first answer, a run's start, its end, an upload, all after the
study."""

PAUSE, AGAIN = "Q1LAB_RELAY_PAUSE", "Q1LAB_RELAY_AGAIN"
"""Environment of a relay that starts itself anew: seconds to stay offline, and how often it did
so."""

RETRY = 60.0
"""Seconds before a server that failed is tried again for the next run; until then runs are kept
offline."""

MAX_RUNS, MAX_ROWS = 500, 200_000
"""Bounds for a pull: runs of a project, rows of a run."""

PULLED = {"_step", "_timestamp", "_runtime", "iter", "step", "iteration", "global_step", "epoch"}


class UnreachableError(Exception):
    """W&B can't be had now; the text says why, for people."""


class RestartError(Exception):
    """wandb is in a state that only a new process gets it out of: after a start that failed, its
    service holds on to the run's id."""


# ── wandb, kept at arm's length
# ──────────────────────────────────────────────────────────────────────────


def prepare(study: Study) -> None:
    """Point this process's environment at the study's own folder. Before wandb is imported."""
    kept = wandb_state.environment(study)
    for name in [name for name in os.environ if name.startswith("WANDB_") and name not in kept]:
        del os.environ[name]
    os.environ.update(kept)
    os.umask(0o077)
    study.files.wandb.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        os.nice(10)


def settings(**more: Any) -> Any:
    """wandb's settings for one run; those that this version of the client doesn't know are left
    out."""
    import wandb

    wished = {
        "x_transaction_log_flush_interval": FLUSH,
        "x_file_stream_transmit_interval": SEND,
        "init_timeout": INIT,
        "finish_timeout": FINISH,
        "finish_timeout_raises": True,
        "reinit": "create_new",
        "console": "off",
        "silent": True,
        "disable_git": True,
        "disable_code": True,
        "save_code": False,
        "x_disable_stats": True,
        "x_disable_meta": True,
        "x_disable_machine_info": True,
        "x_save_requirements": False,
        **more,
    }
    known = wandb.Settings.model_fields
    return wandb.Settings(**{key: value for key, value in wished.items() if key in known})


def reach() -> None:
    """Ask the server for a sign of life and look for a key; UnreachableError says what is wrong."""
    import urllib.error
    import urllib.request

    import wandb

    if not wandb_state.key_configured():
        raise UnreachableError("no W&B key is configured; run `wandb login`, then `q1lab sync`")
    url = str(wandb.setup().settings.base_url)
    try:
        urllib.request.urlopen(url, timeout=REACH).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise UnreachableError(f"{url} answers with a server error ({error.code})") from None
    except Exception as error:
        raise UnreachableError(f"{url} can't be reached: {reason(error)}") from None
    wandb.Api(timeout=int(REACH))  # asks who we are, and so whether the key is good


def reason(error: BaseException) -> str:
    """An exception of wandb or of the network as one line without secrets."""
    if isinstance(error, UnreachableError):
        return scrub(plain(str(error)))
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        error = inner
    text = scrub(plain(" ".join(str(error).split())))
    if re.search(r"\b401\b|[Ii]nvalid API key|[Uu]nauthorized", text):
        return "W&B refuses the key; run `wandb login --relogin`"
    if re.search(r"\b403\b|[Pp]ermission denied", text):
        return "W&B says permission denied: may this account write to the project?"
    if (
        isinstance(error, TimeoutError)
        or "deadline exceeded" in text
        or "timed out" in text.lower()
    ):
        refused = "connection refused" in text
        server = re.search(r"HTTP (5\d\d)", text)
        return (
            "connection refused"
            if refused
            else f"server error {server[1]}"
            if server
            else "no answer in time"
        )
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return text[:300] or type(error).__name__


def open_run(
    study: Study,
    run: Run,
    relay: RunRelay,
    config: dict[str, Any],
    mode: Literal["online", "offline"],
    *,
    resume: bool,
) -> Any:
    """A wandb run under its minted id.

    ``resume``: what W&B has stays, and new rows go behind it. Online, ``starting_step`` is then the
    first row that W&B lacks; offline, the upload asks for it.
    """
    import wandb

    handle = wandb.init(
        project=PROJECT,
        entity=relay.entity,
        id=relay.id,
        name=run.name,
        group=study.id,
        job_type=run.arm,
        tags=["q1lab", study.variant],
        config=config,
        mode=mode,
        resume="allow" if resume else None,
        settings=settings(),
    )
    define(handle)
    return handle


def define(handle: Any) -> None:
    """Every metric goes by the iter: W&B's own step only counts rows."""
    handle.define_metric("iter", hidden=True)
    for name in METRICS:
        handle.define_metric(name, step_metric="iter")


def shut_down() -> None:
    """End wandb's service, so that all it wrote is on the disk: a run's ``finish`` may return
    before that. The next run starts the service again. A service that hangs is left behind after
    FINISH seconds."""
    import wandb

    end = threading.Thread(target=wandb.teardown, daemon=True)
    end.start()
    end.join(timeout=FINISH)


def settle(study: Study) -> None:
    """Once nothing is open: end wandb's service, and keep the digests of the logs that are whole
    now."""
    shut_down()
    with wandb_state.changing(study) as runs:
        for name, relay in runs.items():
            if relay.closed and relay.folder and not relay.digest:
                with contextlib.suppress(OSError):
                    runs[name] = replace(
                        relay, digest=sha256_file(wandb_state.log_file(study, relay))
                    )


# ── following
# ────────────────────────────────────────────────────────────────────────────────────────────


class Line:
    """One run on its way to W&B: its events so far, and wandb's handle while it is open."""

    def __init__(self, study: Study, run: Run) -> None:
        self.study = study
        self.run = run
        self.files = study.files.run(run.name)
        self.projection = Projection(study, run)
        self.offset = 0
        self.handle: Any = None
        self.mode = OFFLINE
        self.written = 0
        self.closed_at = -1
        """Offset up to which the run was last closed; -1 before that."""

    def read(self) -> bool:
        """Take in what the trainer wrote since; whether there was anything."""
        before = self.offset
        while True:
            events, offset, _ = read_new(self.files.events, self.offset)
            if offset < self.offset:  # the file was replaced: start again
                self.projection = Projection(self.study, self.run)
            moved = offset != self.offset
            self.offset = offset
            self.projection.feed(events)
            if not moved:
                return self.offset != before

    def write(self) -> None:
        rows = self.projection.rows
        for n in range(self.written, len(rows)):
            # else wandb holds it back until the next one
            self.handle.log(rows[n], step=n, commit=True)
        self.written = max(self.written, len(rows))

    def finish(self, state: State | None = None) -> None:
        """Leave summary and exit code; raises TimeoutError when W&B doesn't take it all in time."""
        handle, self.handle = self.handle, None
        self.closed_at = self.offset
        handle.summary.update(self.projection.summary(state))
        handle.finish(exit_code=self.projection.exit_code)


class Relay:
    """Follows one study until its lock is free."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.lines: dict[str, Line] = {}
        self.not_before = time.monotonic() + float(os.environ.pop(PAUSE, 0))
        """Monotonic time before which W&B isn't tried again."""
        self.stop = threading.Event()

    def follow(self) -> None:
        """Until nothing of the study is alive, and every event is written."""
        plan = self.study.files.plan
        seen = None
        while True:
            # before reading: no last event can slip in between
            alive = is_alive(self.study.files)
            stamp = plan.stat().st_mtime_ns
            if stamp != seen:
                seen = stamp
                self._take_plan()
            for line in self.lines.values():
                self._step(line)
            if not alive or self.stop.wait(POLL):
                break
        for line in self.lines.values():
            if line.handle is not None:
                self._close(line, State.CRASHED)
        settle(self.study)

    def _take_plan(self) -> None:
        """Read the plan (again: it may have grown), mint the ids that are missing, open a line per
        run."""
        self.study = load(self.study.files.root)
        wandb_state.mint(self.study)
        known = wandb_state.read(self.study)
        for run in self.study.runs:
            if run.name in self.lines:
                continue
            line = Line(self.study, run)
            relay = known[run.name]
            if relay.offset:  # closed before, by this relay or by one before it
                line.closed_at = relay.offset
            self.lines[run.name] = line

    def _step(self, line: Line) -> None:
        line.read()
        projection = line.projection
        if not projection.started:
            return
        if line.handle is None:
            if line.closed_at >= line.offset:
                return
            self._open(line)
        try:
            line.write()
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._lost(line, error)
            return
        if projection.ended is not None:
            self._close(line, None)

    def _open(self, line: Line) -> None:
        study, run = self.study, line.run
        relay = wandb_state.read(study)[run.name]
        config = line.projection.config
        error: str | None = None
        line.written = 0
        if study.wandb == "online":
            try:
                if time.monotonic() < self.not_before:
                    raise UnreachableError(relay.error or self._last_error())
                reach()
                wandb_state.update(study, run.name, sent=True, state=SYNCING)
                line.handle = open_run(study, run, relay, config, "online", resume=True)
                line.mode = "online"
                line.written = line.handle.starting_step if line.handle.resumed else 0
                wandb_state.update(
                    study, run.name, state=SYNCING, error=None, url=line.handle.url,
                    entity=line.handle.entity, closed=False, folder=None, offset=0,
                )  # fmt: skip
                return
            except Exception as problem:
                error = reason(problem)
                if time.monotonic() >= self.not_before:
                    say(f"{run.name}: kept offline, since {error}")
                    self.not_before = time.monotonic() + RETRY
                line.written = 0
        old = wandb_state.folders(study, relay.id)
        try:
            line.handle = open_run(study, run, relay, config, "offline", resume=False)
        except Exception as problem:
            wandb_state.update(
                study, run.name, state=ERROR, error=error or reason(problem), offset=0
            )
            raise RestartError(reason(problem)) from problem
        line.mode = OFFLINE
        remove(old)
        wandb_state.update(
            study, run.name, state=ERROR if error else OFFLINE, error=error, folder=folder_of(line.handle),
            closed=False, offset=0,
        )  # fmt: skip

    def _last_error(self) -> str:
        errors = [relay.error for relay in wandb_state.read(self.study).values() if relay.error]
        return errors[-1] if errors else "W&B did not answer a moment ago"

    def _lost(self, line: Line, error: BaseException) -> None:
        """wandb gave up on an open run: the next step opens it again, from the events."""
        text = reason(error)
        say(f"{line.run.name}: {text}")
        handle, line.handle = line.handle, None
        self.not_before = time.monotonic() + RETRY
        with contextlib.suppress(Exception):
            handle.finish(exit_code=1)
        wandb_state.update(self.study, line.run.name, state=ERROR, error=text)

    def _close(self, line: Line, state: State | None) -> None:
        offset, rows = line.offset, len(line.projection.rows)
        online = line.mode == "online"
        try:
            line.finish(state)
        except Exception as error:
            text = f"{reason(error)} at the end of the run; everything is kept, `q1lab sync` uploads it"
            say(f"{line.run.name}: {text}")
            self.not_before = time.monotonic() + RETRY
            wandb_state.update(
                self.study, line.run.name, state=ERROR, error=text, offset=offset, rows=rows
            )
            return
        wandb_state.update(
            self.study, line.run.name, offset=offset, rows=rows, closed=not online, digest=None
        )


# ── uploading
# ────────────────────────────────────────────────────────────────────────────────────────────


def sync(study: Study) -> bool:
    """Upload every run that no upload has confirmed; True when all are confirmed in the end.

    A run that W&B knows nothing of goes up from its offline folder, made anew from the events
    unless it was finished properly. Where something arrived before, W&B is asked how many rows it
    has, and only the rest goes up. The outcome of each run, and the last error in words, is kept in
    ``runs.json``.
    """
    wandb_state.mint(study)
    names = wandb_state.pending(study)
    if not names:
        return True
    try:
        reach()
        ready = {name: folder for name in names if (folder := _stage(study, name))}
        settle(study)
    except Exception as error:
        for name in names:
            wandb_state.update(study, name, state=ERROR, error=reason(error))
        say(f"{study.id}: {reason(error)}")
        return False
    code, said = _wandb_sync(list(ready.values()))
    urls = dict(re.findall(r"\[[^\]\n]*/([a-z0-9]{8})\] View run .*? at (https?://\S+)", said))
    for name, folder in ready.items():
        relay = wandb_state.read(study)[name]
        if code == 0 and list(folder.glob("*.wandb.synced")):
            wandb_state.update(
                study, name, state=SYNCED, error=None, url=urls.get(relay.id, relay.url), sent=True
            )
            _tidy(study, name, folder)
        else:
            wandb_state.update(study, name, state=ERROR, error=_sync_error(code, said))
    settle(study)
    return not wandb_state.pending(study)


def _stage(study: Study, name: str) -> Path | None:
    """A finished offline folder with what W&B lacks of this run; None when the run has no start
    event yet."""
    run = next(run for run in study.runs if run.name == name)
    relay = wandb_state.read(study)[name]
    line = Line(study, run)
    line.read()
    projection = line.projection
    if not projection.started:
        return None
    have = rows_there(relay) if relay.sent else 0
    if have > len(projection.rows):
        raise UnreachableError(
            f"W&B holds {have} rows for {name} ({relay.id}) and the events {len(projection.rows)}; "
            "they are not the same run, and nothing was uploaded"
        )
    kept = wandb_state.intact(study, relay)
    if kept and relay.offset == line.offset and not have:
        wandb_state.update(study, name, state=SYNCING, sent=True)
        return kept
    old = wandb_state.folders(study, relay.id)
    line.handle = open_run(study, run, relay, projection.config, "offline", resume=have > 0)
    folder = study.files.wandb / folder_of(line.handle)
    line.written = have
    line.write()
    alive = is_alive(study.files.run(name))
    line.finish(State.RUNNING if alive else State.CRASHED)
    remove(old)
    wandb_state.update(
        study, name, state=SYNCING, sent=True, offset=line.offset, rows=len(projection.rows),
        folder=None if have else folder.name, closed=not have,
        digest=None,
    )  # fmt: skip
    return folder


def rows_there(relay: RunRelay) -> int:
    """How many rows W&B has of this run; 0 when it doesn't know it."""
    import wandb

    api = wandb.Api(timeout=int(REACH))
    entity = relay.entity or api.default_entity
    try:
        run = api.run(f"{entity}/{PROJECT}/{relay.id}")
    except Exception as error:  # the client has several for this, all of them with these words
        if "could not find" in str(error).lower() or "not found" in str(error).lower():
            return 0
        raise
    count = run.attrs.get("historyLineCount") if hasattr(run, "attrs") else None
    return int(count if count is not None else run.lastHistoryStep + 1)


def _wandb_sync(folders: list[Path]) -> tuple[int, str]:
    """Run `wandb sync` on the folders; returns its exit code (-1: it took too long) and what it
    said."""
    if not folders:
        return 0, ""
    env = {key: value for key, value in os.environ.items() if key != "WANDB_SILENT"}
    command = [*children.python_module("wandb"), "sync", "--include-online", "--include-synced"]
    how: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "errors": "replace",
    }
    with children.asked(
        [*command, *map(str, folders)], seconds=UPLOAD, env=env, cwd=folders[0].parent, **how
    ) as child:
        try:
            said, _ = child.communicate(timeout=UPLOAD)
            code = child.returncode
        except subprocess.TimeoutExpired:
            child.kill()  # its service ends with it
            said, _ = child.communicate()
            code = -1
    return code, scrub(plain(said))


def _sync_error(code: int, said: str) -> str:
    if code == -1:
        return f"the upload was not through after {UPLOAD:.0f} s; `q1lab sync` goes on with it"
    lines = [line.removeprefix("wandb: ").strip() for line in said.splitlines()]
    told = [
        line for line in lines if re.search(r"error|fail|refus|denied|invalid|HTTP \d", line, re.I)
    ]
    told = told or lines
    why = reason(Exception(told[-1])) if told else "it said nothing"
    return (
        f"`wandb sync` left no mark (exit {code}): {why}"
        if code == 0
        else f"`wandb sync` failed: {why}"
    )


def _tidy(study: Study, name: str, folder: Path) -> None:
    """After a confirmed upload one folder a run remains, with its whole history, marked as
    synced."""
    relay = wandb_state.read(study)[name]
    # what was uploaded was the rest of a history: write the whole for `wandb leet`
    if relay.folder is None:
        line = Line(study, next(run for run in study.runs if run.name == name))
        line.read()
        line.handle = open_run(
            study, line.run, relay, line.projection.config, "offline", resume=False
        )
        folder = study.files.wandb / folder_of(line.handle)
        line.write()
        line.finish(State.CRASHED)
        (folder / f"run-{relay.id}.wandb.synced").touch(mode=0o600)
        wandb_state.update(study, name, folder=folder.name, closed=True, digest=None)
    remove([old for old in wandb_state.folders(study, relay.id) if old != folder])


def folder_of(handle: Any) -> str:
    """Name of wandb's folder of an open run."""
    return Path(handle.dir).parent.name


def remove(folders: list[Path]) -> None:
    """Delete wandb folders that were found by ``wandb_state.folders`` and are of no more use."""
    import shutil

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


# ── pulling
# ──────────────────────────────────────────────────────────────────────────────────────────────


def pull(path: str, group: str | None) -> dict[str, Any]:
    """The runs of ENTITY/PROJECT: name, state, group, config, summary and the history of steps and
    losses."""
    import wandb

    api = wandb.Api(timeout=30)
    entity, _, project = path.partition("/")
    filters = {"group": group} if group else {}
    found: list[dict[str, Any]] = []
    for run in api.runs(f"{entity}/{project}", filters=filters, lazy=False):
        if len(found) >= MAX_RUNS:
            raise Problem(f"{path} has more than {MAX_RUNS} runs; choose some with --group", FAILED)
        rows = []
        for row in run.scan_history(page_size=1000, use_cache=False):
            rows.append(
                {key: value for key, value in row.items() if key in PULLED or "loss" in key.lower()}
            )
            if len(rows) > MAX_ROWS:
                raise Problem(f"{run.name} has more than {MAX_ROWS} rows", FAILED)
        found.append(
            {
                "id": run.id, "name": run.name, "state": run.state, "group": run.group, "url": run.url,
                "created": run.created_at, "config": dict(run.config), "history": rows,
                "summary": {k: v for k, v in dict(run.summary).items() if isinstance(v, int | float | str)},
            }
        )  # fmt: skip
    return {"path": path, "pulled": utc_now(), "runs": found}


# ── the process
# ──────────────────────────────────────────────────────────────────────────────────────────


def load(root: Path) -> Study:
    """The study that lies in ``root``; q1lab's home is made the one it belongs to."""
    root = root.absolute()
    os.environ["Q1LAB_HOME"] = str(root.parent.parent)
    study = studies.load(root.name)
    if study.id != root.name:
        raise Problem(
            f"{root}/study.json is the plan of {study.id!r}, not of {root.name!r}", FAILED
        )
    return study


def say(text: str) -> None:
    """A line for relay.log."""
    sys.stderr.write(f"{utc_now()} {scrub(plain(text))}\n")
    sys.stderr.flush()


def leave(code: int) -> None:
    """End at once: wandb's own exit hooks may wait for a server that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--pull", path, file, *group]:
            return _pull(path, Path(file), group[0] if group else None)
        case ["--sync", folder]:
            return _alone(load(Path(folder)), follow=False)
        case [folder] if not folder.startswith("-"):
            return _alone(load(Path(folder)), follow=True)
    sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n")
    return 2


def _alone(study: Study, *, follow: bool) -> int:
    """Do the work under the relay's lock, so that there is never more than one per study."""
    prepare(study)
    lock = try_lock(wandb_state.relay_lock(study), wait=15)
    if lock is None:
        say(f"{study.id}: another relay is at work")
        return 3
    if not follow:
        return 0 if sync(study) else 1
    relay = Relay(study)
    signal.signal(signal.SIGTERM, lambda *_: relay.stop.set())
    try:
        relay.follow()
    except RestartError as error:
        _again(study, error)
    os.close(lock)
    if relay.study.wandb == "online" and not relay.stop.is_set():
        return _last_flush(relay.study)
    return 0


def _again(study: Study, error: RestartError) -> None:
    """Become a new relay in this same process, a few times at most. It begins from the events."""
    count = int(os.environ.get(AGAIN, 0))
    say(f"{study.id}: {error}; starting anew")
    if count >= 5:
        raise error
    shut_down()
    os.environ |= {AGAIN: str(count + 1), PAUSE: str(RETRY)}
    command = [*children.python_module("q1lab.tracking.relay"), str(study.files.root)]
    os.execv(command[0], command)


def _last_flush(study: Study) -> int:
    """Upload in a process of its own: a wandb that met a broken server may still hold on to the
    runs' ids."""
    command = [*children.python_module("q1lab.tracking.relay"), "--sync", str(study.files.root)]
    with children.asked(
        command, seconds=LAST_FLUSH, env=dict(os.environ), cwd=study.files.root
    ) as child:
        try:
            return child.wait(timeout=LAST_FLUSH)
        except subprocess.TimeoutExpired:
            say(
                f"{study.id}: the last upload was not through after {LAST_FLUSH:.0f} s; "
                "`q1lab sync` goes on with it"
            )
            return FAILED


def _pull(path: str, file: Path, group: str | None) -> int:
    os.umask(0o077)
    for name in ("CACHE", "CONFIG", "DATA"):
        own = wandb_state.learner_settings() if name == "CONFIG" else {}
        for key, value in own.items():
            if key in ("api_key", "base_url", "entity"):
                os.environ.setdefault(f"WANDB_{key.upper()}", value)
        os.environ[f"WANDB_{name}_DIR"] = str(file.parent / name.lower())
    os.environ["WANDB_DIR"] = str(file.parent)
    os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    try:
        reach()
        record = pull(path, group)
    except Exception as error:
        record = {"error": str(error) if isinstance(error, Problem) else reason(error)}
    write_atomic(file, json.dumps(record))
    return 1 if "error" in record else 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception as error:  # the runner starts it again at once: don't let it spin
        say(
            str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {reason(error)}"
        )
        status = error.code if isinstance(error, Problem) else FAILED
        time.sleep(3)
    leave(status)
