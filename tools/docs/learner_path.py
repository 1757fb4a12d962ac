"""Record a learner's way in a terminal, from an empty folder to a study that somebody else trains
again, into docs/learner-path.md.

    python tools/docs/learner_path.py [--max-iters 300]

Every command runs for real on a pseudo-terminal of 110 columns, in a folder and a home of its own;
what is on the screen at its end is what the page shows. The two edits of rope.py are made between
the commands, as they say.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "learner-path.md"
COLUMNS, LINES = 110, 300

ROTATE = "        q, k = apply_rotary_emb(q, k, self.freqs_cis)\n"
SPLIT = "        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # each (B, H, T, D)\n"


def terminal(command: str, folder: Path) -> str:
    """What a terminal shows when the command, typed into bash, has ended."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    answered = -1
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.chdir(folder)
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-c", command])
    while True:
        if not select.select([fd], [], [], 60)[0]:
            sys.exit(f"`{command}` says nothing more:\n" + "\n".join(screen.display).rstrip())
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        stream.feed(data)
        row = screen.cursor.y
        asked = screen.display[row].rstrip()
        if row != answered and asked.endswith(("[y/N]:", "[Y/n]:", "[y]:")):  # the learner says yes
            answered = row
            os.write(fd, b"y\n")
    os.waitpid(pid, 0)
    os.close(fd)
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-iters", type=int, default=300)
    given = parser.parse_args()
    parts = [
        "# A learner's way, in a terminal\n\n<!-- made by `python tools/docs/learner_path.py`; "
        "do not edit -->\n\n"
        "Their own file from an empty folder to a merge. Each block is what a terminal showed; "
        "q1lab wrote every\n"
        "number. In the week itself the runs take more iters."
    ]
    with tempfile.TemporaryDirectory() as place:
        work = Path(place) / "work"
        work.mkdir()
        os.environ.update(
            HOME=place,
            Q1LAB_HOME=f"{place}/home",
            WANDB_MODE="disabled",
            TERM="xterm-256color",
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(ROOT),
            GIT_AUTHOR_NAME="A learner",
            GIT_AUTHOR_EMAIL="learner@example.org",
            GIT_COMMITTER_NAME="A learner",
            GIT_COMMITTER_EMAIL="learner@example.org",
        )
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)

        def show(words: str, command: str, folder: Path = work / "my-transformer") -> None:
            out = terminal(command, folder).replace(str(work), "~")
            parts.append(f"{words}\n\n```text\n$ {command}\n{out.replace(place, '~')}\n```")
            print(f"$ {command}\n{out}\n")

        repo = work / "my-transformer"
        show("A repository with a model of their own:", "q1lab new --repo my-transformer", work)
        show(
            "Their first commit:",
            "git add model.py && git commit -qm 'feat: a baseline' && git log --oneline",
        )
        show("A copy of it, to write RoPE into:", "q1lab new rope")
        file = repo / "rope.py"
        header = file.read_text().partition("\n")[0] + "\n"
        right = header + (ROOT / "labs" / "models" / "rope.py").read_text()
        assert ROTATE + SPLIT in right
        file.write_text(right.replace(ROTATE + SPLIT, SPLIT + ROTATE))
        show(
            "They write the rotation, but after the heads were moved in front of the positions, so "
            "that it rotates\nby head. The checks notice:",
            "q1lab check rope.py",
        )
        show("A hint is a question first:", "q1lab hint rope")
        file.write_text(right)
        show("They rotate before the heads are moved:", "q1lab check rope.py")
        show(
            "Before the runs, what they expect, and what would be too small to matter:",
            "q1lab predict rope --direction lower --size 0.05 --matters 0.02 --sure 70% "
            "--why 'distance no longer has to be learned'",
        )
        show(
            f"Six runs of their own two files, short ones here ({given.max_iters} iters):",
            f"q1lab run ./rope.py --preset quick --max-iters {given.max_iters}",
        )
        show(
            "What they know so far goes into a document, and with it the two files that trained:",
            "q1lab modification",
        )
        show("Into their transformer, checked once more and committed:", "q1lab merge rope.py")
        show("What git has:", "git log --oneline --stat -3")
        show(
            "Somebody else clones it and trains that study again:",
            "git clone -q my-transformer theirs && cd theirs && "
            "Q1LAB_HOME=$HOME/theirs q1lab run studies/rope-1",
            work,
        )
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
