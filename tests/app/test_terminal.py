"""The installed `q1lab` in a real terminal: a pty, with pyte as the screen that a person would
see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.week import content, progress
from q1lab.week.syllabus import Week
from tests.kit.tui_home import some_progress

pytestmark = pytest.mark.sample

LABEL = "M03-W04"
Q1LAB = Path(sys.executable).with_name("q1lab")


class Terminal:
    """One program on a pty, its output kept as a screen of ``columns`` × ``lines``."""

    def __init__(self, argv: list[str], columns: int = 100, lines: int = 30, **env: str) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            # An environment of its own: readline puts COLUMNS and LINES into the process's, past
            # os.environ.
            environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
            os.execve(argv[0], argv, {**environment, "TERM": "xterm-256color", **env})
        self.status: int | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def read(self, seconds: float = 0.05) -> bool:
        """Take what the program wrote; False when it has ended."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        if not data:
            return False
        # pyte does not know the queries and modes of newer terminals, and would print their letters
        for query in (
            b"\x1b[?2026$p",
            b"\x1b[?2048$p",
            b"\x1b[>1u",
            b"\x1b[?u",
            b"\x1b[<u",
            b"\x1b[>4;1m",
        ):
            data = data.replace(query, b"")
        self.stream.feed(data)
        return True

    def quiet(self) -> None:
        """Read until nothing comes any more."""
        while select.select([self.fd], [], [], 0.4)[0] and self.read():
            pass

    def until(self, true: Callable[[], object], awaited: str) -> None:
        """Read until ``true()``: generous, since other tests may fill the machine."""
        end = time.monotonic() + 20
        while not true():
            if time.monotonic() > end or not self.read():
                log = paths.home() / "app.log"
                more = log.read_text() if log.exists() else ""
                raise AssertionError(
                    f"never saw {awaited}:\n{self.text}\nstatus {self.end(0)}\n{more}"
                )

    def sees(self, *words: str) -> None:
        self.until(lambda: all(word in self.text for word in words), " and ".join(words))

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send a signal (0: none) and wait; gives the wait status."""
        if self.status is None:
            if number:
                os.kill(self.pid, number)
            end = time.monotonic() + 20
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            while not pid and time.monotonic() < end:
                self.read(0.1)
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not pid:  # it hangs: the status says killed, and the test fails
                os.kill(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
            self.status = status
            os.close(self.fd)
        return self.status

    def drain(self) -> None:
        """Read until the program has ended by itself."""
        end = time.monotonic() + 20
        while self.read(0.2) and time.monotonic() < end:
            pass


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts `q1lab`; what is left of it is ended after the test."""
    started: list[Terminal] = []

    def make(*argv: str, program: str = str(Q1LAB), **options: object) -> Terminal:
        started.append(Terminal([program, *argv], **options))  # type: ignore[arg-type]
        return started[-1]

    yield make
    for terminal in started:
        terminal.end()


def welcomed(fill: Callable[[Store, Week], None] | None = None) -> None:
    week = content.load_week(paths.content_dir())
    with Store() as store:
        progress.save_week_setting(store, week.label, "welcomed", True)
        if fill:
            fill(store, week)


def stored() -> progress.Progress:
    with Store() as store:
        return progress.recorded_progress(store, LABEL)


def test_a_killed_app_opens_at_the_page_that_was_open(start: Callable[..., Terminal]) -> None:
    welcomed()
    first = start()
    first.sees("left of 30")
    first.press("n")
    first.sees("A2 · Read")
    first.until(lambda: stored().settings.get("place") == "a2", "the page on disk")
    first.end(signal.SIGKILL)
    start(columns=80, lines=24).sees("A2 · Read")


def test_a_page_that_is_scrolled_through_is_painted_whole(start: Callable[..., Terminal]) -> None:
    """The toolkit repaints what moved since its last layout, which may be older than the paint."""
    welcomed()
    app = start("--session", "A", columns=80, lines=24)
    app.sees("A1 · Pick the modification", "Check your own model")
    app.quiet()
    for pages in (3, 3, 4):
        app.press("\x1b[H")
        app.quiet()
        for _ in range(pages):
            app.press("\x1b[6~")
            app.quiet()
        shown = app.text
        app.press("?")
        app.sees("This screen")
        app.quiet()
        app.press("\x1b")
        app.until(lambda: "This screen" not in app.text, "the page again")
        app.quiet()
        assert app.text == shown


def test_it_leaves_the_terminal_as_it_was(start: Callable[..., Terminal]) -> None:
    welcomed(some_progress)
    app = start()
    app.sees("A2 · Read the paper")
    before = termios.tcgetattr(app.fd)
    assert not before[3] & termios.ECHO
    app.press("q")
    app.drain()
    assert os.waitstatus_to_exitcode(app.end(0)) == 0
    assert pyte.modes.DECTCEM in app.screen.mode, "the cursor is visible again"


@pytest.mark.parametrize("name", ["NO_COLOR", "COLORTERM"])
def test_without_color_everything_can_be_read(start: Callable[..., Terminal], name: str) -> None:
    welcomed(some_progress)
    app = start(**{name: "1"})
    app.sees("1 Study", "A2 · Read the paper", "✓", "3:00 left of 107")


def until_the_paragraph(store: Store, week: Week) -> None:
    """The steps of A1 before its paragraph are done."""
    part = week.find_part("a1")
    assert part is not None
    for step in part.steps:
        if step.id == "a1-why":
            return
        progress.tick_step(store, week.label, step.id, True)


def test_answers_are_written_in_the_learners_editor(
    start: Callable[..., Terminal], tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'from [my] editor' > \"$1\"\n")
    editor.chmod(0o755)
    welcomed(until_the_paragraph)
    app = start(EDITOR=str(editor), VISUAL="")
    app.sees("A1 · Pick the modi")
    app.press("u")
    app.sees("▸ ☐ Write one paragraph")
    app.press("E")
    app.until(lambda: stored().of("a1-why").answer == "from [my] editor", "the answer on disk")
    app.sees("yours: from [my] editor")


def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Q1LAB), *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
    )


def test_without_a_terminal_it_says_one_sentence(home: Path) -> None:
    result = run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "q1lab status" in result.stderr


@pytest.mark.parametrize(
    ("argv", "config", "words"),
    [
        (["--session", "Z"], "", ["no session", "A, B, C"]),
        (["--content", "/nowhere"], "", ["/nowhere"]),
        ([], "theme = 1\n", ["config.toml", "theme"]),
        ([], '[keymap]\n"study.tik" = "x"\n', ["config.toml", "study.tick"]),
    ],
)
def test_bad_input_is_one_line_before_the_app_opens(
    start: Callable[..., Terminal], home: Path, argv: list[str], config: str, words: list[str]
) -> None:
    (home / "config.toml").write_text(config)
    app = start(*argv, columns=200)
    app.drain()
    assert os.waitstatus_to_exitcode(app.end(0)) == 2
    shown = app.text.strip()
    assert shown.startswith("q1lab: ")
    for word in words:
        assert word in shown


def test_a_damaged_database_is_one_line(start: Callable[..., Terminal], home: Path) -> None:
    Store().close()
    paths.database_file().write_bytes(b"no database at all" * 200)
    app = start()
    app.sees("q1lab.db is damaged")


def test_an_app_that_is_continued_reads_its_terminal_once(
    start: Callable[..., Terminal],
) -> None:
    """As after ``kill -STOP`` from elsewhere, or where a terminal closes. A thread too many would
    take keys from the other, and stay when the app ends."""
    welcomed()
    app = start()
    app.sees("Study")
    threads = Path(f"/proc/{app.pid}/task")
    app.quiet()
    before = len([*threads.iterdir()])
    for number in (signal.SIGSTOP, signal.SIGCONT) * 2:
        os.kill(app.pid, number)
        app.quiet()
    assert len([*threads.iterdir()]) <= before, "two threads share the keys between them"
    app.press("4")
    app.sees("Counts against targets")
    assert os.waitstatus_to_exitcode(app.end(signal.SIGHUP)) == 128 + signal.SIGHUP


def test_signals_in_a_burst_leave_the_app_alive(start: Callable[..., Terminal]) -> None:
    """``timeout`` sends two SIGCONT, one right after the other: the second came while the first
    wrote to the terminal, and the app waited for itself."""
    welcomed()
    app = start()
    app.sees("Study")
    for _ in range(300):
        os.kill(app.pid, signal.SIGCONT)
        app.read(0.001)
    app.quiet()
    app.press("4")
    app.sees("Counts against targets")
    assert os.waitstatus_to_exitcode(app.end(signal.SIGINT)) == 128 + signal.SIGINT


def job(shell: Terminal) -> int:
    """The process of the shell's job."""
    children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
    shell.until(children.read_text, "a job of the shell")
    return int(children.read_text().split()[0])


def test_a_job_that_was_stopped_is_painted_again_and_can_be_killed(
    start: Callable[..., Terminal],
) -> None:
    welcomed()
    script = f"set -m; {Q1LAB}; fg; kill %1; wait -f %1; echo ended $?"
    shell = start("-c", script, program="/bin/bash")
    shell.sees("Study", "palette")
    shell.quiet()
    shell.screen.reset()
    os.kill(job(shell), signal.SIGTSTP)
    shell.sees("Study", "palette")
    shell.quiet()
    os.kill(job(shell), signal.SIGTSTP)
    shell.sees("ended 143")


def test_in_the_background_it_waits_for_the_terminal_and_can_be_interrupted(
    start: Callable[..., Terminal],
) -> None:
    """As in ``timeout -s INT 6 q1lab`` in a script."""
    welcomed()
    shell = start("-c", f"set -m; {Q1LAB} & sleep 60", program="/bin/bash")
    pid = job(shell)
    stat = Path(f"/proc/{pid}/stat")
    shell.until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "a stopped job")
    for number in (signal.SIGINT, signal.SIGCONT):
        os.kill(pid, number)
    shell.until(lambda: not stat.exists(), "the end of the job")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_a_signal_gives_the_terminal_its_screen_back(
    start: Callable[..., Terminal], number: signal.Signals
) -> None:
    welcomed()
    app = start()
    app.sees("Study")
    assert os.waitstatus_to_exitcode(app.end(number)) == 128 + number
