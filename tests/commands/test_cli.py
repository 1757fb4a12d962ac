"""Every command can be found, explains itself, and shows an example."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands._output import print_diff, print_wrapped
from q1lab.commands.cli import MODULES, cli, run_command_line
from q1lab.journal.store import Store
from q1lab.week.lists import papers
from tests.kit.commands import commands, q1lab
from tests.kit.lab_home import make_study


def test_the_first_page_of_help_has_twenty_commands_and_names_the_other() -> None:
    first, everything = (
        set(re.findall(r"^  ([a-z]+)  ", q1lab(word).stdout, re.MULTILINE))
        for word in ("--help", "--help-all")
    )
    assert len(first) <= 20
    assert first < everything == set(MODULES) - {"course"}, "it is for who follows the course"
    assert "q1lab --help-all" in q1lab("--help").stdout


def test_the_options_of_run_stand_in_three_groups() -> None:
    page = q1lab("run", "--help").stdout
    places = [page.index(f"{word}:\n") for word in ("Every day", "Your command", "Experts")]
    places += [page.index("  --launcher "), page.index("Examples:")]
    assert places == sorted(places)
    assert places[0] < page.index("  --seeds ") < places[1] < page.index("  --metric ") < places[2]


def test_the_help_of_every_command_has_an_example() -> None:
    for words, _ in commands():
        done = CliRunner().invoke(cli, [*words, "--help"], prog_name="q1lab")
        assert done.exit_code == 0, done.output
        assert not re.search(r"[a-z,]\.\.\.$", done.output, re.MULTILINE), "a sentence is cut off"
        assert " ".join(("q1lab", *words[:1])) in done.output.split("Example", 1)[1], words


def test_the_app_draws_itself_for_a_server_of_textual() -> None:
    """As `textual serve q1lab` starts it: through pipes, with a driver of its own."""
    env = {**os.environ, "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "q1lab"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"__GANGLION__\n"
        assert child.stdout.read(1) == b"D", "no data for the page"
    finally:
        child.kill()
        child.communicate(timeout=20)


def test_sentences_are_broken_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "note: " + "a sentence of many words " * 8
    print_wrapped(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_wrapped(text)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert all(line.startswith("  ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == text.strip()


def test_a_long_line_of_a_diff_is_shown_whole_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_diff("+" + " ".join(f"word{number}" for number in range(40)) + "\n")
    out = capsys.readouterr().out
    assert all(f"word{number}" in out for number in range(40))


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-"])
def test_a_closed_output_is_no_traceback_and_takes_no_file(home: Path, closed: str) -> None:
    q1lab = f"{shlex.quote(sys.executable)} -m q1lab"
    for words in ("diff rope", "status", "paper add RoFormer"):
        done = subprocess.run(
            f"{q1lab} {words} {closed}", shell=True, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    with Store() as store:  # nothing of it was written into the database or the journal
        assert [row["title"] for row in papers.all_papers(store)] == ["RoFormer"]


@pytest.mark.parametrize("words", ["status", "diff rope", "course kpi", "status --help", "no"])
def test_whoever_prints_for_a_reader_that_left_ends_as_other_programs_do(words: str) -> None:
    """`compare | head -1` ended with 1, as if something had failed."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "q1lab", *words.split(), *["--json"] * (words == "no")]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr.count("\n") == (words == "no")


@pytest.mark.parametrize("name", ["x.parquet", "x.csv.gz", "x.txt"])
def test_an_export_in_a_format_that_there_is_not_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study()
    assert run_command_line(["export", "rope-1", str(tmp_path / name)]) == 2
    assert Path(name).suffix in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_an_export_goes_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study()
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["export", "rope-1", "-"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("study,")
    assert printed.err == ""  # it stands there
    assert list(tmp_path.iterdir()) == []


# ── a shell's own ways: completion, colors, a pager


@pytest.mark.parametrize("login", ["alice:hidden-t0ken@", "hidden-t0ken@"])
@pytest.mark.parametrize(
    "words",
    [
        "paper add URL",
        "paper add Title --link URL",
        "paper add Title --notes URL",
        "paper done URL",
        "course artifact add repo Name --at URL",
        "course artifact add repo URL",
        "course kpi URL --actual 3",
        "post --title URL --no-commit",
        "post publish URL",
        "post share hn URL",
        "data URL",
        "judge URL",
        "compare URL",
        "verify URL",
        "restore URL",
        "predict rope lower --size 0.1 --matters 0.1 --sure 70 --why URL",
    ],
)
def test_the_password_of_an_address_is_neither_kept_nor_printed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, login: str
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = words.replace("URL", f"https://{login}example.org/x").split()
    done = q1lab(*typed, "--json", code=None) if typed[0] == "post" else q1lab(*typed, code=None)
    assert done.returncode
    kept = [file for file in (*home.rglob("*"), *tmp_path.rglob("*")) if file.is_file()]
    said = [done.stdout, done.stderr, *(file.read_bytes().decode("latin-1") for file in kept)]
    assert not [text for text in said if "hidden-t0ken" in text]


def test_what_only_sounds_like_a_secret_is_kept(home: Path) -> None:
    commit = "https://github.com/ada/lab/commit/" + "0123456789" * 4
    for title in ("Token Merging: your ViT but faster", "mailto:ada.lovelace@example.org"):
        q1lab("paper", "add", title)
    q1lab("paper", "add", "A commit", "--link", commit)
    q1lab("paper", "add", "A page", "--link", "https://medium.com/@ada/x")


def completed(typed: str) -> list[str]:
    """The completions of a line, as click's script for bash asks for them."""
    words = typed.split(" ")
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    env = {**os.environ, "_Q1LAB_COMPLETE": "bash_complete", **asked}
    command = [sys.executable, "-c", "from q1lab.__main__ import main; main()"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert not done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_and_studies(home: Path) -> None:
    make_study("rope-1", "rope")
    make_study("gqa-1", "gqa")
    assert completed("q1lab comp") == ["compare"]
    assert completed("q1lab compare r") == ["rope-1"]
    assert completed("q1lab run r") == ["relu_squared", "rmsnorm", "rope", "rope-1"]
    assert completed("q1lab compare --pl") == ["--plot"]


JUDGE = (
    "judge",
    "--baseline",
    "1.91,1.90,1.92",
    "--modified",
    "1.79,1.80,1.85",
    "--better",
    "lower",
)


def at_a_terminal(*words: str, lines: int = 24, **variables: str) -> str:
    """The output of a command at a terminal of so many lines."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (lines, 80))
    env = {name: value for name, value in os.environ.items() if name not in COLOR_VARIABLES}
    env |= {"TERM": "xterm-256color", **variables}
    child = subprocess.Popen(
        [sys.executable, "-m", "q1lab", *words], env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux: EIO when the other end has closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert child.wait() == 0
    return shown.decode()


COLOR_VARIABLES = ("NO_COLOR", "FORCE_COLOR", "PAGER", "LESS", "COLUMNS", "LINES")


@pytest.mark.slow
def test_long_output_goes_through_a_pager_at_a_terminal_only() -> None:
    pager = {"PAGER": "sed s/^/paged:/"}
    assert at_a_terminal(*JUDGE, "--full", lines=12, **pager).count("paged:") > 12
    assert "paged:" not in at_a_terminal(*JUDGE, **pager)
    assert "paged:" not in at_a_terminal(*JUDGE, "--full", lines=200, **pager)
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", *JUDGE, "--full"],
        env={**os.environ, **pager},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "paged:" not in done.stdout


@pytest.mark.slow
def test_colors_are_the_persons_to_say() -> None:
    color = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    assert color.search(at_a_terminal(*JUDGE))
    assert not color.search(at_a_terminal(*JUDGE, NO_COLOR="1"))
    command = [sys.executable, "-m", "q1lab", *JUDGE]
    for variables, colored in (({}, False), ({"FORCE_COLOR": "1"}, True)):
        env = {name: value for name, value in os.environ.items() if name not in COLOR_VARIABLES}
        done = subprocess.run(
            command, env={**env, **variables}, capture_output=True, text=True, check=True
        )
        assert bool(color.search(done.stdout)) is colored
