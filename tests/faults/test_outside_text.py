"""Text from outside: escape sequences, odd encodings, endless words, and Markdown that takes a
regex minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from q1lab.commands.error_boundary import shorten_message
from q1lab.documents import claim_lint, html_page, retro, roadmap, word_count
from q1lab.ground import config, paths
from q1lab.ground.errors import Problem
from q1lab.study import studies
from tests.kit import wandb_study as lab
from tests.kit.commands import q1lab
from tests.kit.wandb_server import WandbServer

pytestmark = pytest.mark.sample

ONE_LINE = "one line, no traceback"
Q1LAB = [sys.executable, "-P", "-m", "q1lab"]
RUN = (
    "run",
    "rope",
    "--preset",
    "quick",
    "--max-iters",
    "4",
    "--seeds",
    "1",
    "--wandb",
    "disabled",
)


def call(*arguments: str | bytes, **env: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*Q1LAB, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **env},
        timeout=100,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_encoding_of_the_output_will_do(
    encoding: str, fake_trainer: Callable[..., None]
) -> None:
    output = b""
    for command in (
        RUN,
        ("status",),
        ("compare",),
        ("--help",),
        ("config", "--keys"),
        ("course", "kpi"),
    ):
        done = call(*command, PYTHONIOENCODING=encoding)
        assert done.returncode in (0, 1, 2), done
        output += done.stdout + done.stderr
    # (click takes a terminal that claims ASCII for one that was set up wrongly, and writes UTF-8)
    output.decode("utf-8" if encoding == "ascii" else encoding)


@pytest.mark.parametrize(
    "arguments",
    [
        (b"\xff",),
        (b"status", b"\xff\xfe"),
        (b"run", b"./m\xff.py"),
        (b"config", b"set", b"theme", b"\xe9"),
    ],
)
def test_an_argument_that_is_no_text_is_one_line(arguments: tuple[bytes, ...]) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert b"not UTF-8 text" in done.stderr


def test_a_folder_that_is_no_text_is_one_line(
    tmp_path: Path, fake_trainer: Callable[..., None]
) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    done = subprocess.run(
        [*Q1LAB, *RUN],
        capture_output=True,
        check=False,
        timeout=100,
        env={**os.environ, "Q1LAB_HOME": os.fsdecode(folder)},
    )
    assert b"Traceback" not in done.stderr


def test_what_somebody_typed_is_cut_in_the_message() -> None:
    for arguments in (
        ("x" * 30_000,),
        ("status", "y " * 50_000),
        ("run", "./" + "z" * 30_000 + ".py"),
    ):
        done = q1lab(*arguments, code=None)
        assert done.returncode in (1, 2)
        assert len(done.stderr) < 2000, done.stderr
    shortened = shorten_message("rope-1: " + "w" * 5000 + " is too long; use a shorter name")
    assert shortened.startswith("rope-1: w")
    assert shortened.endswith("use a shorter name")


def test_escape_sequences_do_not_reach_the_terminal(fake_trainer: Callable[..., None]) -> None:
    q1lab(*RUN)
    file = studies.load("rope-1").files.plan
    record = json.loads(file.read_text())
    evil = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202eback"
    record["preset"] = record["device"] = record["created"] = record["data"]["name"] = evil
    for arm in record["arms"].values():
        arm["title"] = arm["variant"] = evil
    file.write_text(json.dumps(record))
    output = call("config", "theme", evil).stdout
    for command in (
        ("status",),
        ("compare",),
        ("config",),
        ("export", "-"),
    ):
        done = call(*command)
        output += done.stdout + done.stderr
    for sign in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert sign not in output.decode()


def test_deep_toml_is_one_line() -> None:
    paths.config_file().write_text("a = " + "[" * 50_000 + "\n")
    with pytest.raises(Problem, match="nested too deeply"):
        config.load_settings(env={})
    assert q1lab("config", code=None).returncode in (1, 2)


# ── Markdown

N = 10_000
ENDLESS = {
    "images that open": "![a" * N,
    "links that open": "[a](b" * N,
    "empty links": "[a](" * N,
    "brackets": "[" * N,
    "a heading of spaces": "# " + " " * 30_000 + "x",
    "a heading of hashes": "# " + "#" * 30_000,
    "blank lines": "\n" * 30_000,
    "backticks": "`" * N + "a" + "`" * (N - 1),
    "code spans that open": "".join("`" * i + "a" for i in range(1, 400)),
    "stars": "**a " * N,
    "quotes": ">" * N,
    "comments that open": "<!--" * N,
    "tags": "<a b='" * N,
    "digits": "1" * 30_000,
    "numbers": "1," * N,
    "addresses": "https://" * N,
    "entities": "&#" * N,
    "a box of spaces": "- [x] " + " " * 30_000 + "a",
    "escapes": "\\" * 30_000,
    "terminal codes": "\x1b[0;" * N,
}


@contextmanager
def processor(seconds: int) -> Iterator[None]:
    """A bound far above what it takes, and far below the minutes that it took."""

    def late(*_: object) -> None:
        raise AssertionError("it takes a regex minutes")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("kind", ENDLESS)
def test_markdown_is_read_in_bounded_time(kind: str, tmp_path: Path) -> None:
    text = ENDLESS[kind]
    readers: tuple[Callable[[], object], ...] = (
        lambda: html_page.html_page(f"# T\n{text}", "", b"", ""),
        lambda: word_count.draft_sections(text),
        lambda: list(word_count.lines_by_kind(text)),
        lambda: roadmap.week_boxes(text.encode(), "M03-W04"),
        lambda: retro.ticked_in(text.encode()),
        lambda: claim_lint._paragraphs(text, frozenset()),
    )
    for read in readers:
        with processor(5):
            read()


# ── what libraries leave behind


def test_a_relay_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    folder = tmp_path / "t"
    folder.mkdir()
    with WandbServer() as server:
        env = {**lab.environment(server.url), "TMPDIR": str(folder)}
        with lab.relay(study, env) as child:
            assert child.wait(timeout=60) == 0
        assert list(folder.iterdir()) == []
        with lab.relay(study, env, "--sync") as child:
            assert child.wait(timeout=60) == 0
    assert list(folder.iterdir()) == []


def test_a_copied_studys_wandb_settings_are_not_read(home: Path) -> None:
    """They could name another server for the learner's key."""
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    study.files.wandb.mkdir(parents=True, exist_ok=True)
    with WandbServer() as server:
        (study.files.wandb / "settings").write_text(f"[default]\nbase_url = {server.url}\n")
        env = lab.environment("http://127.0.0.1:9")
        with lab.relay(study, env, "--sync") as child:
            assert child.wait(timeout=60) == 1
        assert server.requests == []
