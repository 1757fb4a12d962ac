"""`q1lab` without a command: open the app."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab.app.app_setup import AppSetup
from q1lab.app.keys import check_keymap
from q1lab.app.snapshot import Snapshot
from q1lab.commands._store import open_store
from q1lab.ground import config, paths
from q1lab.ground.config import Config
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.week import content, evidence, progress
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    import click


def start_app(session: str | None, content: Path | None) -> None:
    """Open the app where the learner left it, or at ``session``. Problem without a terminal."""
    # `textual serve q1lab`: pipes, and a page at their other end
    in_browser = "TEXTUAL_DRIVER" in os.environ
    if not in_browser and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Problem(
            "the app needs a terminal",
            next="without one, `q1lab status` says where you are and `q1lab run` trains",
        )
    if not in_browser and os.environ.get("TERM") == "dumb":
        raise Problem(
            "the app needs more than TERM=dumb",
            next="`q1lab status` and every other command work here",
        )
    if not in_browser:
        _wait_for_foreground()
    gc.disable()  # starting makes no garbage; the app turns it on again after the first paint
    setup = prepare_app(session, content)
    from q1lab.app.app import Q1Lab

    app = Q1Lab(setup)
    if not in_browser and not sys.stderr.isatty():
        # Textual draws on stderr; with `2>file` the screen would stay blank
        vars(sys)["__stderr__"] = sys.__stdout__
    app.run()
    if app.exit_signal:
        sys.exit(128 + app.exit_signal)
    if app.return_code:
        raise Problem(
            f"the app ended by an error; nothing was lost, {paths.home() / 'app.log'} has it", 1
        )


def _wait_for_foreground() -> None:
    """Stop, as every program that wants the terminal's keys, until `fg` brings q1lab to the front.
    Problem if it comes back in the background, or nothing can stop it there."""
    for stop in (True, False):
        try:
            if os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp():
                return
        except OSError:  # not the terminal that controls this process: there is no background
            return
        if stop:
            os.kill(os.getpid(), signal.SIGTTIN)
    raise Problem("the app can't run in the background", next="start it without `&`")


def prepare_app(session: str | None, folder: Path | None) -> AppSetup:
    """The app's settings, week and first snapshot of the database. Problem for bad input."""
    paths.ensure_home()
    settings = config.load_settings()
    check_keymap(settings.keymap, str(paths.config_file()))
    root = folder or settings.content or paths.content_dir()
    week = content.load_week(root, settings.course)
    session_id = week.session(session).id if session else None
    snapshot, starts_in_lab = None, False
    if paths.database_file().exists():
        with open_store() as store:
            starts_in_lab = session is None and _came_for_studies(store, week, settings)
            if starts_in_lab:
                from q1lab.app.snapshot_taker import SnapshotReader

                snapshot = SnapshotReader(week.label, week).read_snapshot(store, ingest=False)
            else:  # the studies come with the first look
                snapshot = Snapshot(evidence.read_progress(store, week))
    return AppSetup(week, _command, settings, session_id, snapshot, starts_in_lab=starts_in_lab)


def _command(words: str) -> click.Command:
    """The command of these words; the app starts without the parser."""
    from q1lab.commands.cli import load_command

    return load_command(words)


def _came_for_studies(store: Store, week: Week, settings: Config) -> bool:
    """True if the app is to open in the lab: no step of the week is done and there is a study of
    the person's own, or the week is put away and there is any. The models that ship are the week's,
    and `make run`, README's first step, trains one of them."""
    if not any(paths.studies_dir().glob("*/study.json")):
        return False
    if not settings.week:
        return True
    records = progress.recorded_progress(store, week.label).records
    if any(record.done for record in records.values()):
        return False
    from q1lab.study import studies, variants  # not before the first frame of a new home

    shipped = variants.variant_names()
    return any(study.arms["modified"].origin not in shipped for study in studies.StudiesOnDisk())
