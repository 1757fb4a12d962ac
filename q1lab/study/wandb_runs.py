"""A study's runs in Weights & Biases, as far as q1lab can know without wandb or the network.

``studies/<id>/wandb/runs.json`` holds, for each run, its id at W&B (minted by the relay before it
opens one, so that every attempt and every upload lands on the same run), what the relay did last,
and its last error. The events are the truth; losing this file costs the ids alone.

This module also finds out if a key is configured, and makes the environment that keeps all of
wandb's files inside the study. No key is ever stored.
"""

from __future__ import annotations

import configparser
import contextlib
import json
import netrc
import os
import re
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from q1lab.ground import json_records
from q1lab.ground.config import load_settings
from q1lab.ground.errors import Problem
from q1lab.ground.files import (
    exclusive_lock,
    expand_user,
    file_size,
    is_locked,
    printable,
    read_json,
    read_text,
    write_atomic,
)
from q1lab.ground.secret_text import without_secrets
from q1lab.study.events import final_loss
from q1lab.study.studies import Study

PROJECT = "q1-capstone"

OFF, OFFLINE, SYNCING, SYNCED, ERROR = "off", "offline", "syncing", "synced", "error"

WANDB_ID = re.compile(r"[a-z0-9]{8}")

MODES = ("online", "offline", "disabled")

DEFAULT_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""W&B's own servers, old name and new: the client takes a key of either."""

NETRCS = ("~/.netrc", "~/_netrc")

# Kept from the learner's environment: the server and the credentials. Any other WANDB_ variable
# could turn a study's run into another one (WANDB_RUN_ID, WANDB_MODE, WANDB_NAME …).
_KEPT_VARIABLES = {
    "WANDB_API_KEY",
    "WANDB_APP_URL",
    "WANDB_BASE_URL",
    "WANDB_CREDENTIALS_FILE",
    "WANDB_ENTITY",
    "WANDB_HTTP_PROXY",
    "WANDB_HTTPS_PROXY",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_INSECURE_DISABLE_SSL",
}


@dataclass(frozen=True)
class RelayedRun:
    """One run, as the relay left it."""

    id: str
    state: str = OFFLINE
    """``offline`` (kept here), ``syncing``, ``synced`` (W&B said that it has every row), or
    ``error``."""
    error: str | None = None
    url: str | None = None
    offset: int = 0
    """Bytes of ``events.jsonl`` that were there when the run was last closed, here or at W&B."""


@dataclass(frozen=True)
class WandbStatus:
    """A study at W&B, for `q1lab status` and the app."""

    state: str
    """off, offline, syncing, synced or error: the worst that holds for any run."""
    runs: dict[str, RelayedRun] = field(default_factory=dict)
    error: str | None = None
    """An error in words."""
    url: str | None = None
    """The study's runs at W&B, once something is there."""

    @property
    def words(self) -> str:
        """One line for people."""
        synced = sum(run.state == SYNCED for run in self.runs.values())
        match self.state:
            case "off":
                return "off"
            case "synced":
                return f"synced, {synced} run{'s' if synced != 1 else ''}"
            case "error":
                return f"error: {self.error}"
            case "syncing":
                return f"syncing, {synced} of {len(self.runs)} confirmed"
        done = f", {synced} of {len(self.runs)} synced" if synced else ""
        return f"offline{done}; `q1lab sync` uploads"


def relayed_runs_file(study: Study) -> Path:
    return study.files.wandb / "runs.json"


def relay_lock(study: Study) -> Path:
    """The lock of the one process that speaks to W&B for this study."""
    return study.files.wandb / "relay.lock"


def read_relayed_runs(study: Study) -> dict[str, RelayedRun]:
    """Run name → the run as the relay left it, in the order of the plan; empty without ids, or if
    the file is damaged."""
    try:
        runs = read_json(relayed_runs_file(study))["runs"]
        relayed = {name: json_records.from_json(RelayedRun, run) for name, run in runs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {
        run.name: relayed[run.name]
        for run in study.runs
        if run.name in relayed and WANDB_ID.fullmatch(str(relayed[run.name].id))
    }


@contextlib.contextmanager
def _changing_runs(study: Study) -> Iterator[dict[str, RelayedRun]]:
    """The runs, each with an id, to change in place; they are written at the end of the block,
    under a lock."""
    with exclusive_lock(study.files.wandb / "runs.lock"):
        before = read_relayed_runs(study)
        runs = {
            run.name: before.get(run.name) or RelayedRun(secrets.token_hex(4)) for run in study.runs
        }
        yield runs
        if runs != before:
            record = {
                "v": 1,
                "project": PROJECT,
                "runs": {name: asdict(run) for name, run in runs.items()},
            }
            write_atomic(relayed_runs_file(study), json.dumps(record, indent=1) + "\n")


def mint_ids(study: Study) -> dict[str, str]:
    """Give every run of the study an id at W&B; ids that exist stay. Returns run name → id.

    Call it again when the plan has grown. Problem when the folder can't be written.
    """
    with _changing_runs(study) as runs:
        return {name: run.id for name, run in runs.items()}


def update_run(study: Study, name: str, **changes: Any) -> None:
    """Write down what became of a run, without a password of the server's address."""
    if changes.get("url"):
        changes["url"] = without_secrets(changes["url"])
    with _changing_runs(study) as runs:
        runs[name] = replace(runs[name], **changes)


def wandb_status(study: Study) -> WandbStatus:
    """The study at W&B. Reads small files and a lock; never the network."""
    relayed = read_relayed_runs(study)
    if study.trainer.wandb == "disabled" and not relayed:
        return WandbStatus(OFF)
    busy = is_locked(relay_lock(study))
    sizes = {name: file_size(study.files.run(name).events) for name in relayed}
    runs = {name: _as_it_is_now(run, sizes[name], busy) for name, run in relayed.items()}
    begun = [run for name, run in runs.items() if sizes[name]] or list(runs.values())
    states = {run.state for run in begun}
    error = next((run.error for run in reversed(begun) if run.error), None)
    url = next((run.url for run in runs.values() if run.url), None)
    return WandbStatus(
        next((state for state in (ERROR, SYNCING, OFFLINE, SYNCED) if state in states), OFFLINE),
        runs,
        printable(error) if error else None,
        url.split("/runs/")[0] if url else None,
    )


def _as_it_is_now(run: RelayedRun, size: int, busy: bool) -> RelayedRun:
    """A run with the state that it has while its events are ``size`` bytes and its relay is
    ``busy``, or gone: then nothing else will confirm what was on its way."""
    went_on = run.state == SYNCED and run.offset != size
    if went_on or (run.state == SYNCING and not busy):
        return replace(run, state=SYNCING if busy else OFFLINE)
    return run


def pending_runs(study: Study) -> list[str]:
    """Names of the runs that have events which W&B has not confirmed."""
    relayed = read_relayed_runs(study)
    names = []
    for run in study.runs:
        size = file_size(study.files.run(run.name).events)
        known = relayed.get(run.name)
        if size and not (known and known.state == SYNCED and known.offset == size):
            names.append(run.name)
    return names


MOST_LISTED = 24
"""At most this many runs of a study are listed."""


def run_lines(study: Study) -> list[str]:
    """The study's runs as their page at W&B lists them: project and group, then a line for each
    run, with its name, its config, the last value of what the study measures, and its address at
    W&B or its state. Reads the files here alone."""
    status = wandb_status(study)
    others = OFF if status.state == OFF else OFFLINE
    rows = [("run", "cfg", "seed", study.metric.name, "at W&B")]
    for run in study.runs[:MOST_LISTED]:
        value = final_loss(study.files.run(run.name).events)
        last = "–" if value is None else f"{value:.4f}"
        relayed = status.runs.get(run.name)
        state = relayed.state if relayed else others
        where = relayed.url if relayed and state == SYNCED and relayed.url else state
        rows.append((run.name, run.arm, str(run.seed), last, where))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(study.runs) - MOST_LISTED
    return [
        f"project {PROJECT}, group {study.id}",
        *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
        *([f"… and {left} more"] if left > 0 else []),
    ]


# ── wandb's folders


def wandb_folders(study: Study, run_id: str) -> list[Path]:
    """wandb's folders of one run inside the study, online and offline, oldest first; links are left
    out."""
    pattern = re.compile(rf"(offline-)?run-\d{{8}}_\d{{6}}-{re.escape(run_id)}(-\d+)?")
    root = study.files.wandb
    folders = [
        path
        for path in (root.iterdir() if root.is_dir() else ())
        if pattern.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]
    return sorted(folders, key=lambda path: (path.stat().st_mtime, path.name))


def has_wandb_folders(study: Study) -> bool:
    """True if a folder of wandb's holds data of the study here."""
    return any(wandb_folders(study, run.id) for run in read_relayed_runs(study).values())


def leet_command(study: Study) -> str:
    """The command that opens the study's runs in wandb's terminal viewer, ready to paste."""
    return wandb_command("leet", str(study.files.wandb))


def where_to_look(study: Study) -> list[str]:
    """Where the study's runs can be seen as W&B shows them, a line each: their page, and the viewer
    in the terminal."""
    status = wandb_status(study)
    if status.state == OFF:
        return ["W&B keeps nothing of it: this study trained with W&B off."]
    online = [f"their page: {status.url}"] if status.url else []
    offline = [f"in a terminal: {leet_command(study)}"] if has_wandb_folders(study) else []
    return [*online, *offline]


# ── the learner's settings


def learner_settings() -> dict[str, str]:
    """The ``[default]`` section of the learner's own wandb settings file; {} when there is none."""
    folder = expand_user(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_text(folder / "settings"))
    except (OSError, configparser.Error, UnicodeDecodeError):
        return {}
    return dict(parser.items("default")) if parser.has_section("default") else {}


def key_configured() -> bool:
    """True if the wandb client would find credentials for its server (it alone reads them in
    earnest). Problem if the server's address is not one."""
    env, settings = os.environ, learner_settings()
    if env.get("WANDB_API_KEY") or env.get("WANDB_IDENTITY_TOKEN_FILE") or settings.get("api_key"):
        return True
    server = env.get("WANDB_BASE_URL") or settings.get("base_url")
    hosts = (_host(server),) if server else DEFAULT_HOSTS
    for path in _netrcs():
        with contextlib.suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):
            logins = netrc.netrc(path)
            if any((login := logins.authenticators(host)) and login[2] for host in hosts):
                return True
    return False


def _host(server: str) -> str:
    """The host, with its port, of W&B's address. Problem if it is not a web address."""
    try:
        parts = urlsplit(server)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.netloc.rpartition("@")[2]
    except ValueError:  # http://[::1, or an invalid port
        pass
    shown = without_secrets(server)
    raise Problem(
        f"{shown!r} (WANDB_BASE_URL, or base_url in wandb's settings) is not a web address",
        next="it looks like https://api.wandb.ai",
    )


def _netrcs() -> list[Path]:
    """The netrc files that are files: ``netrc`` opens whatever it is given, and waits at a pipe."""
    typed = os.environ.get("NETRC")
    files = map(expand_user, [typed] if typed else NETRCS)
    return [path for path in files if path.is_file()]


def wandb_mode(chosen: str) -> str:
    """The value of ``--wandb``, else the learner's setting, else ``default_mode``."""
    chosen = load_settings().wandb if chosen == "auto" else chosen
    return default_mode() if chosen == "auto" else chosen


def default_mode() -> str:
    """The default of ``--wandb``: WANDB_MODE, else online if a key is configured, else offline."""
    mode = (os.environ.get("WANDB_MODE") or learner_settings().get("mode") or "").lower()
    if mode in MODES:
        return mode
    return "online" if key_configured() else "offline"


def wandb_environment(root: Path) -> dict[str, str]:
    """The environment for a process that uses wandb on the study in ``root``: all of its files stay
    inside.

    The learner's key, server and entity stay readable (netrc, environment, their settings file);
    other WANDB_ variables are dropped, since they could rename or redirect the study's runs.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WANDB_") or name in _KEPT_VARIABLES
    }
    settings = learner_settings()
    for name in ("api_key", "base_url", "entity"):
        if name in settings and not env.get(f"WANDB_{name.upper()}"):
            env[f"WANDB_{name.upper()}"] = settings[name]
    if not _netrcs():
        env["NETRC"] = os.devnull  # the client would wait at a pipe
    folder = root / "wandb"
    return env | {
        "WANDB_DIR": str(root),
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_CONFIG_DIR": str(folder / "config"),
        "WANDB_DATA_DIR": str(folder / "data"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
    }


def wandb_command(*args: str) -> str:
    """A call of wandb, ready to paste: pipx and ``uv tool`` put only q1lab on the PATH."""
    on_path = shutil.which("wandb")
    return shlex.join(["wandb" if on_path else str(Path(sys.executable).with_name("wandb")), *args])
