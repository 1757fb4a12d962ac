"""``python -m q1lab.commands.run_on_end STUDY KIND``: run the learner's ``on_end`` command.

The runner starts it, detached. The command is a line for the shell and gets these environment
variables:

================== ==========================================================================
``Q1LAB_STUDY``    the study's name
``Q1LAB_WHAT``     ended, diverged or stalled
``Q1LAB_VERDICT``  helps, hurts, too small to matter, cannot tell, no verdict;
                   empty unless ended
``Q1LAB_SENTENCE`` the news in a sentence or two
================== ==========================================================================
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from q1lab.commands._store import open_store
from q1lab.compare.comparison_cache import compare
from q1lab.ground import config, paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, utc_now
from q1lab.judgment import facts
from q1lab.study import studies
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.train import alerts

MAX_SECONDS = 60.0
"""Seconds that the command may take, and that this process waits for the runner to end."""


def main(arguments: list[str]) -> int:
    match arguments:
        case [name, kind] if kind in alerts.ALERT_KINDS:
            pass
        case _:
            raise Problem("usage: python -m q1lab.commands.run_on_end STUDY ended|diverged|stalled")
    line = config.load_settings().on_end
    if not line:
        return 0
    study = studies.load(name)
    return run_in_shell(line, command_environment(study, kind))


def command_environment(study: Study, kind: str) -> dict[str, str]:
    """The environment variables that tell the command about the study."""
    verdict = ""
    if kind == alerts.ENDED:
        verdict, sentence = _verdict_sentence(study)
    else:
        sentence = alerts.alert_text(study.id, kind)
    return {
        "Q1LAB_STUDY": study.id,
        "Q1LAB_WHAT": kind,
        "Q1LAB_VERDICT": verdict,
        "Q1LAB_SENTENCE": printable(sentence),
    }


def _verdict_sentence(study: Study) -> tuple[str, str]:
    """The verdict and its sentence, once the study's processes have ended."""
    deadline = time.monotonic() + MAX_SECONDS
    while is_alive(study.files) and time.monotonic() < deadline:
        time.sleep(0.1)

    with open_store() as store:
        comparison = compare(store, study)
    return (
        comparison.analysis.verdict,
        f"{study.id} has ended. {facts.answer(comparison)}",
    )


def run_in_shell(line: str, about: Mapping[str, str]) -> int:
    """Run the learner's line in a shell and return its exit status. The shell's process group is
    killed after ``MAX_SECONDS``."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", line],
        stdin=subprocess.DEVNULL,
        cwd=paths.scratch_dir(),
        env={**os.environ, **about},
        start_new_session=True,
    )
    try:
        return child.wait(timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        raise Problem(
            f"on_end took longer than {MAX_SECONDS:.0f} s and was ended", FAILED
        ) from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, 9)
            child.wait()


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        text = "" if status == 0 else f"on_end ended with status {status}"
    except Problem as problem:
        status, text = problem.code, str(problem)
    if text:
        sys.stderr.write(f"{utc_now()} {printable(text)}\n")
    sys.exit(status)
