"""The wandb client behind a few functions. Only this module and pull_runs.py import wandb, and only
inside functions.

wandb's exceptions become one line without secrets, and all of wandb's files stay in the study's own
folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Literal

from q1lab.ground import files
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, private_folder, sha256_text, utc_now
from q1lab.judgment.run_states import RunState
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.events import read_new_events, standard_names
from q1lab.study.studies import Run, Study
from q1lab.study.wandb_runs import PROJECT, RelayedRun, scrub_keys
from q1lab.train.weights_and_biases.history_rows import RunHistory

FLUSH_SECONDS = 1.0
"""Seconds until a row is on the disk in wandb's own log. Its default of 15 loses all of a short
run."""

SEND_SECONDS = 3.0
"""Seconds between two uploads of rows to W&B. Its default of 15 makes a short run look dead."""

REACH_SECONDS, INIT_SECONDS, FINISH_SECONDS = 10.0, 30.0, 30.0
"""Seconds at most: for the server's first answer, a run's start, its end."""


class UnreachableError(Exception):
    """W&B can't be reached, or can't be used now; the text says why, for people."""


def prepare_process(root: Path) -> Path:
    """Point this process's environment at ``root``, a study's folder for example, before wandb is
    imported. Returns a new temporary folder for wandb.

    wandb would remove that folder in an exit hook, which never runs here (see ``relay.exit_now``).
    The next relay removes what a killed one left, so call this under the relay's lock. The folder
    is in the system's temporary folder, as wandb makes a socket there, whose path must be short.
    """
    environment = wandb_state.wandb_environment(root)
    for name in [
        name for name in os.environ if name.startswith("WANDB_") and name not in environment
    ]:
        del os.environ[name]
    os.environ.update(environment)
    os.umask(0o077)
    private_folder(root / "wandb")
    # q1lab writes no settings there; a copied study's could send the learner's key elsewhere
    (root / "wandb" / "settings").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.nice(10)
    prefix = f"q1lab-{sha256_text(str(root))[:10]}-"
    above = Path(tempfile.gettempdir())
    if above.name.startswith(prefix):  # this process is the child of a relay
        above = above.parent
    for leftover in above.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if leftover.lstat().st_uid == os.geteuid():
                shutil.rmtree(leftover)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=above))
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def run_settings(**more: Any) -> Any:
    """wandb's settings for one run, without those that this version of the client doesn't know."""
    import wandb

    settings = {
        "x_transaction_log_flush_interval": FLUSH_SECONDS,
        "x_file_stream_transmit_interval": SEND_SECONDS,
        "init_timeout": INIT_SECONDS,
        "finish_timeout": FINISH_SECONDS,
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
    supported = wandb.Settings.model_fields
    return wandb.Settings(**{key: value for key, value in settings.items() if key in supported})


def check_server() -> None:
    """Check that a key is configured and that the server answers. UnreachableError if not."""
    import urllib.error
    import urllib.request

    import wandb

    if not wandb_state.key_configured():
        login = wandb_state.wandb_command("login")
        raise UnreachableError(f"no W&B key is configured; run `{login}`, then `q1lab sync`")
    url = str(wandb.setup().settings.base_url)
    try:
        urllib.request.urlopen(url, timeout=REACH_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise UnreachableError(f"{url} answers with a server error ({error.code})") from None
    except Exception as error:
        raise UnreachableError(f"{url} can't be reached: {error_text(error)}") from None
    wandb.Api(timeout=int(REACH_SECONDS))  # asks for the account, and so checks the key


def error_text(error: BaseException) -> str:
    """An exception of wandb or of the network as one line without secrets."""
    if isinstance(error, UnreachableError):
        return scrub_keys(printable(str(error)))
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        error = inner
    text = scrub_keys(printable(" ".join(str(error).split())))
    if re.search(r"\b401\b|[Ii]nvalid API key|[Uu]nauthorized", text):
        return f"W&B refuses the key; run `{wandb_state.wandb_command('login', '--relogin')}`"
    if re.search(r"\b403\b|[Pp]ermission denied", text):
        return "W&B says permission denied: may this account write to the project?"
    late = isinstance(error, TimeoutError) or re.search("deadline exceeded|(?i:timed out)", text)
    if isinstance(error, ConnectionRefusedError) or (late and "connection refused" in text):
        return "connection refused"
    if late:
        server = re.search(r"HTTP (5\d\d)", text)
        return f"server error {server[1]}" if server else "no answer in time"
    return text[:300] or type(error).__name__


def open_run(
    study: Study,
    run: Run,
    relay: RelayedRun,
    config: dict[str, Any],
    mode: Literal["online", "offline"],
    *,
    resume: bool,
) -> Any:
    """A wandb run under its minted id.

    With ``resume`` the rows at W&B stay, and new rows are appended. Online, ``count_uploaded_rows``
    says which row is the first that W&B lacks; offline, the upload asks for it."""
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
        settings=run_settings(),
    )
    # every metric goes by the iter: W&B's own step only counts rows
    handle.define_metric("iter", hidden=True)
    # named ones go up with the run, those that the pattern matches some time later
    for name in (*standard_names(study.metric), "tok_per_s", "tokens", "*"):
        handle.define_metric(name, step_metric="iter")
    return handle


def stop_wandb_service() -> None:
    """Stop wandb's service, so that all its writes are on the disk: a run's ``finish`` may return
    before that. The next run starts the service again. A service that hangs is abandoned after
    ``FINISH_SECONDS``."""
    import wandb

    end = threading.Thread(target=wandb.teardown, daemon=True)
    end.start()
    end.join(timeout=FINISH_SECONDS)


def count_uploaded_rows(relay: RelayedRun) -> int:
    """The number of rows that W&B has of this run; 0 if it doesn't know the run."""
    import wandb

    api = wandb.Api(timeout=int(REACH_SECONDS))
    entity = relay.entity or api.default_entity
    try:
        run = api.run(f"{entity}/{PROJECT}/{relay.id}")
    except Exception as error:  # the client has several exceptions for this, all with these words
        if "could not find" in str(error).lower() or "not found" in str(error).lower():
            return 0
        raise
    count = run.attrs.get("historyLineCount") if hasattr(run, "attrs") else None
    return int(count if count is not None else run.lastHistoryStep + 1)


class RunUpload:
    """One run on its way to W&B: its history so far, and wandb's handle while the run is open."""

    def __init__(self, study: Study, run: Run) -> None:
        self.study = study
        self.run = run
        self.files = study.files.run(run.name)
        self.projection = RunHistory(study, run)
        self.offset = 0
        self.handle: Any = None
        self.written = 0
        self.closed_at = -1
        """Offset up to which the run was last closed; -1 before that."""

    def read_events(self) -> bool:
        """Read the events written since the last call. True if there were any."""
        before = self.offset
        while True:
            events, offset, _ = read_new_events(self.files.events, self.offset)
            if offset < self.offset:  # the file was replaced: start again
                self.projection = RunHistory(self.study, self.run)
            moved = offset != self.offset
            self.offset = offset
            self.projection.feed(events)
            if not moved:
                return self.offset != before

    def log_rows(self) -> None:
        rows = self.projection.rows
        for n in range(self.written, len(rows)):
            # without commit, wandb would hold the row back until the next one
            self.handle.log(rows[n], step=n, commit=True)
        self.written = max(self.written, len(rows))

    def finish_run(self, state: RunState | None = None) -> None:
        """Close the run at W&B with its summary and exit code. TimeoutError if W&B doesn't take
        everything in time."""
        handle, self.handle = self.handle, None
        self.closed_at = self.offset
        handle.summary.update(self.projection.summary(state))
        handle.finish(exit_code=self.projection.exit_code)


def remove_folders(folders: list[Path]) -> None:
    """Delete folders of wandb's (see ``wandb_state.wandb_folders``) that are not needed any
    more."""
    for folder in folders:
        with contextlib.suppress(Problem):
            files.remove_inside(folder)


def write_log(text: str) -> None:
    """Write a line on stderr, which is relay.log."""
    sys.stderr.write(f"{utc_now()} {scrub_keys(printable(text))}\n")
    sys.stderr.flush()


def load_study(root: Path) -> Study:
    """The study in the folder ``root``. Sets Q1LAB_HOME to the home that the folder belongs to."""
    root = root.absolute()
    os.environ["Q1LAB_HOME"] = str(root.parent.parent)
    study = studies.load(root.name)
    if study.id != root.name:
        raise Problem(
            f"{root}/study.json is the plan of {study.id!r}, not of {root.name!r}",
            FAILED,
            file=root,
        )
    return study
