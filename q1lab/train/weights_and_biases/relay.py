"""The relay, the only process that talks to Weights & Biases: it follows a study's events and
repeats them there.

``relay STUDY_DIR``          follow the study to its end, then upload
``relay --sync STUDY_DIR``   upload the events that no sync has confirmed (`q1lab sync`)

The trainers know nothing of it and no process waits for it, so it may block, fail or be killed. It
keeps no state that matters: the ids were minted before the launch, row n of a run is always the
same, and a connection begins with the number of rows that W&B has. A run counts as synced only when
`wandb sync` ended with exit 0 *and* left its ``.synced`` file.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import private_folder, try_lock
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.studies import Study
from q1lab.train.weights_and_biases.client import error_text, load_study, prepare_process, write_log
from q1lab.train.weights_and_biases.follow_study import Relay
from q1lab.train.weights_and_biases.upload import BUSY, upload_pending, upload_study

LAST_UPLOAD_SECONDS = 420.0
"""Seconds that the upload at the end of a study may take."""

TEMPORARY_FOLDERS: list[Path] = []
"""wandb's folders, which ``exit_now`` deletes."""


def exit_now(code: int) -> None:
    """Exit without running exit hooks: wandb's may wait for a server that is gone."""
    for folder in TEMPORARY_FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--sync", folder]:
            return _run_locked(load_study(Path(folder)), follow=False)
        case [folder] if not folder.startswith("-"):
            return _run_locked(load_study(Path(folder)), follow=True)
    sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n")
    return 2


def _run_locked(study: Study, *, follow: bool) -> int:
    """Follow or upload the study under the relay's lock, so that a study never has two relays."""
    private_folder(study.files.wandb)
    # another relay may be uploading; the command that asked for a sync has a time limit of its own
    lock = try_lock(wandb_state.relay_lock(study), wait=15 if follow else 120)
    if lock is None:
        write_log(f"{study.id}: another relay is at work")
        return BUSY
    TEMPORARY_FOLDERS.append(prepare_process(study.files.root))
    if not follow:
        return 0 if upload_pending(study) else 1
    relay = Relay(study)
    signal.signal(signal.SIGTERM, lambda *_: relay.stop.set())
    relay.follow()
    os.close(lock)
    if relay.study.trainer.wandb == "online" and not relay.stop.is_set():
        upload_study(relay.study, LAST_UPLOAD_SECONDS)
        return 1 if wandb_state.pending_runs(relay.study) else 0
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception as error:  # the runner starts the relay again at once: don't let it spin
        write_log(
            str(error)
            if isinstance(error, Problem)
            else f"{type(error).__name__}: {error_text(error)}"
        )
        status = error.code if isinstance(error, Problem) else FAILED
        time.sleep(3)
    exit_now(status)
