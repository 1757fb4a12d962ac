"""The wandb client behind a few functions. Only this module and pull_runs.py import wandb, and only
inside functions.

wandb's exceptions become one line without secrets, and all of wandb's files stay in the study's own
folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, private_folder, utc_now
from q1lab.ground.secret_text import LOGIN, without_secrets
from q1lab.judgment.run_states import RunState
from q1lab.study.events import read_new_events, standard_names
from q1lab.study.studies import Run, Study
from q1lab.study.wandb_runs import (
    PROJECT,
    key_configured,
    wandb_command,
    wandb_environment,
)
from q1lab.train.weights_and_biases.history_rows import RunHistory

FLUSH_SECONDS = 1.0
"""Seconds until a row is on the disk in wandb's own log. Its default of 15 loses all of a short
run."""

SEND_SECONDS = 3.0
"""Seconds between two uploads of rows to W&B. Its default of 15 makes a short run look dead."""

REACH_SECONDS, INIT_SECONDS, FINISH_SECONDS = 10.0, 30.0, 30.0
"""Seconds at most: for the server's first answer, a run's start, its end."""


@contextlib.contextmanager
def prepared_process(root: Path) -> Iterator[None]:
    """Point this process's environment at ``root``, a study's folder for example, before wandb is
    imported, and keep wandb's temporary files in a folder that goes at the end of the block.

    That folder is in the system's temporary folder, as wandb makes a socket there, whose path must
    be short.
    """
    environment = wandb_environment(root)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    os.umask(0o077)
    private_folder(root / "wandb")
    # q1lab writes no settings there; a copied study's could send the learner's key elsewhere
    (root / "wandb" / "settings").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.nice(10)
    with tempfile.TemporaryDirectory(prefix="q1lab-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield


def run_settings() -> Any:
    """wandb's settings for one run."""
    import wandb

    return wandb.Settings(
        x_transaction_log_flush_interval=FLUSH_SECONDS,
        x_file_stream_transmit_interval=SEND_SECONDS,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        reinit="create_new",
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def check_server() -> None:
    """Check that a key is configured, and that the server answers and takes it. Whatever is raised
    if not, ``error_text`` puts into words."""
    import urllib.error
    import urllib.request

    import wandb

    if not key_configured():
        login = wandb_command("login")
        raise Problem("no W&B key is configured", FAILED, next=f"run `{login}`, then `q1lab sync`")
    url = LOGIN.sub("", str(wandb.setup().settings.base_url))  # urllib takes a login for a host
    try:  # wandb itself would try for minutes
        urllib.request.urlopen(url, timeout=REACH_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise Problem(f"{url} answers with a server error ({error.code})", FAILED) from None
    except Exception as error:
        raise Problem(f"{url} can't be reached: {error_text(error)}", FAILED) from None
    wandb.Api(timeout=int(REACH_SECONDS))  # asks for the account, and so checks the key


def error_text(error: BaseException) -> str:
    """An exception of wandb or of the network as one line without secrets."""
    if isinstance(error, Problem):
        return without_secrets(printable(str(error)))
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        error = inner
    text = without_secrets(printable(" ".join(str(error).split())))
    if re.search(r"\b401\b|[Ii]nvalid API key|[Uu]nauthorized", text):
        return f"W&B refuses the key; run `{wandb_command('login', '--relogin')}`"
    if re.search(r"\b403\b|[Pp]ermission denied", text):
        return "W&B says permission denied: may this account write to the project?"
    late = isinstance(error, TimeoutError) or re.search("deadline exceeded|(?i:timed out)", text)
    if isinstance(error, ConnectionRefusedError) or (late and "connection refused" in text):
        return "connection refused"
    if late:
        server = re.search(r"HTTP (5\d\d)", text)
        return f"server error {server[1]}" if server else "no answer in time"
    return text[:300] or type(error).__name__


def rows_and_url(wandb_id: str) -> tuple[int, str]:
    """The number of rows that W&B has of a run, and the run's address; (0, "") if W&B doesn't know
    the run."""
    import wandb

    try:
        run = wandb.Api(timeout=int(REACH_SECONDS)).run(f"{PROJECT}/{wandb_id}")
    except Exception as error:  # the client has several exceptions for this, all with these words
        if re.search("could not find|not found", str(error), re.IGNORECASE):
            return 0, ""
        raise
    return int(run.historyLineCount), without_secrets(run.url)


def stop_wandb_service() -> None:
    """Stop wandb's service, so that all its writes are on the disk: a run's ``finish`` may return
    before that. The next run starts the service again. A service that hangs is abandoned after
    ``FINISH_SECONDS``."""
    import wandb

    end = threading.Thread(target=wandb.teardown, daemon=True)
    end.start()
    end.join(timeout=FINISH_SECONDS)


def write_log(text: str) -> None:
    """Write a line on stderr, which is relay.log."""
    sys.stderr.write(f"{utc_now()} {without_secrets(printable(text))}\n")
    sys.stderr.flush()


class OpenRun:
    """One run on its way to W&B: its history so far, and wandb's handle while it is open."""

    def __init__(self, study: Study, run: Run, wandb_id: str) -> None:
        self.study = study
        self.run = run
        self.name = run.name
        self.wandb_id = wandb_id
        self.history = RunHistory(study, run)
        self.offset = 0
        """Bytes of the run's events that were read."""
        self.handle: Any = None
        self._logged = 0

    def read_events(self) -> None:
        """Read the events written since the last call."""
        while True:
            before = self.offset
            events, self.offset, _ = read_new_events(
                self.study.files.run(self.run.name).events, before
            )
            if self.offset < before:  # the file was replaced: start again
                self.history = RunHistory(self.study, self.run)
            self.history.feed(events)
            if self.offset == before:
                return

    def open(self, mode: Literal["online", "offline"], first: int = 0) -> None:
        """Begin the run under its minted id; its next row is ``first``. Online, the rows that W&B
        has stay, and the next row is the first that it lacks."""
        import wandb

        self.handle = wandb.init(
            project=PROJECT,
            id=self.wandb_id,
            name=self.run.name,
            group=self.study.id,
            job_type=self.run.arm,
            tags=["q1lab", self.study.variant],
            config=self.history.config,
            mode=mode,
            resume="allow" if mode == "online" else None,
            settings=run_settings(),
        )
        # every metric goes by the iter: W&B's own step only counts rows
        self.handle.define_metric("iter", hidden=True)
        # named ones go up with the run, those that the pattern matches some time later
        for name in (*standard_names(self.study.metric), "tok_per_s", "tokens", "*"):
            self.handle.define_metric(name, step_metric="iter")
        self._logged = self.handle.starting_step if self.handle.resumed else first

    def log_rows(self) -> None:
        """Hand the rows that are new to wandb."""
        rows = self.history.rows
        for n in range(self._logged, len(rows)):
            # without commit, wandb would hold the row back until the next one
            self.handle.log(rows[n], step=n, commit=True)
        self._logged = max(self._logged, len(rows))

    def check_arrived(self) -> str:
        """The run's address at W&B. Problem if W&B lacks rows of it: neither wandb's ``finish`` nor
        `wandb sync` says so where the server refused them."""
        rows, url = rows_and_url(self.wandb_id)
        if rows < len(self.history.rows):
            raise Problem(f"W&B has {rows} of the run's {len(self.history.rows)} rows", FAILED)
        return url

    def finish(self, state: RunState | None = None) -> None:
        """Close the run with its summary and exit code; ``state`` is its state if it left none.
        TimeoutError if W&B doesn't take everything in time."""
        handle, self.handle = self.handle, None
        handle.summary.update(self.history.summary(state))
        handle.finish(exit_code=self.history.exit_code)
