"""kill -9 of the first look at a folder full of studies: what it said it had read is read."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.index.store import Store
from tests.kit.commands import q1lab
from tests.kit.faults import Q1LAB, figures, tables
from tests.kit.lab_home import finish, make_study

SAYS = re.compile(rb"reading ([\d,]+) of ([\d,]+) studies")
AT_ONCE = (
    "import sys; from q1lab.commands import _store; from q1lab.index import ingest_events; "
    "from q1lab.commands.cli import run_command_line; _store.SILENT_SECONDS = ingest_events.COMMIT_EVERY = 0.0; sys.exit(run_command_line(sys.argv[1:]))"
)
"""A command that commits after every study, and speaks from the second one on."""


def heap(count: int) -> None:
    """So many finished studies on disk, none of them in the tables yet."""
    first = make_study("rope-0", seeds=(0,))
    finish(first)
    plan = json.loads(first.files.plan.read_text())
    for number in range(1, count):
        folder = paths.studies_dir() / f"rope-{number}"
        shutil.copytree(first.files.root, folder)
        (folder / "study.json").write_text(json.dumps({**plan, "id": folder.name}))
    paths.database_file().unlink(missing_ok=True)


def last_count_before_a_kill(command: list[str], more: float) -> int:
    """Run a command in a terminal until it says how far it has come, and ``more`` seconds; kill it,
    and return the last number it said (0 when it was faster)."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        output, until = b"", None
        while until is None or time.monotonic() < until:
            try:
                block = os.read(ours, 4096)
            except OSError:  # Linux says the end of a terminal so
                break
            output += block
            if until is None and SAYS.search(output):
                until = time.monotonic() + more
        os.kill(child.pid, signal.SIGKILL)
        while True:  # what it had said by then
            try:
                block = os.read(ours, 4096)
            except OSError:
                break
            if not block:
                break
            output += block
    os.close(ours)
    counts = SAYS.findall(output)
    return int(counts[-1][0].replace(b",", b"")) if counts else 0


def indexed() -> int:
    """How many studies the tables have whole."""
    with Store() as store:
        assert store.notice is None
        return int(
            store.db.execute(
                "SELECT count(*) FROM (SELECT study_id FROM runs GROUP BY study_id "
                "HAVING min(state = 'finished'))"
            ).fetchone()[0]
        )


@pytest.mark.parametrize(
    ("kills", "studies", "command"),
    [
        (3, 60, [sys.executable, "-c", AT_ONCE, "status"]),
        pytest.param(
            4,
            12000,
            [*Q1LAB, "status"],
            marks=(pytest.mark.long, pytest.mark.timeout(1200)),
        ),
    ],
)
def test_a_first_look_that_is_killed_keeps_what_it_said(
    kills: int, studies: int, command: list[str], tmp_path: Path
) -> None:
    heap(studies)
    rng = random.Random(11)
    killed = lost = before = 0
    for _ in range(kills):
        last_count = last_count_before_a_kill(command, rng.uniform(0.0, 0.05))
        after = indexed()
        killed += last_count > 0
        lost += max(0, before + last_count - after)
        before = after
    status = q1lab("status", "--json")
    figures(
        "`kill -9` while q1lab first reads thousands of studies",
        "every study that it reported as read is in the index",
        f"{killed} kills, {studies:,} studies; {lost} of the reported ones lost",
    )
    assert killed > 0
    assert lost == 0
    assert before < studies, "each was cut off before its end"
    assert len(json.loads(status.stdout)["studies"]) == indexed() == studies
    assert tables() == tables(tmp_path / "again.db")


@pytest.mark.parametrize("command", [["compare", "rope-0"], ["plan", "rope", "--detect", "0.05"]])
def test_whichever_command_looks_first_says_how_far_it_has_come(command: list[str]) -> None:
    heap(30)
    assert last_count_before_a_kill([sys.executable, "-c", AT_ONCE, *command], 0.0) > 0
