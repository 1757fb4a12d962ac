"""Every argument and option of every command, with values that nobody can mean: one line and exit
status 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest

from q1lab.commands.cli import run_command_line
from q1lab.ground import git_history, paths
from q1lab.ground.git_repository import Repository
from tests.kit import wandb_study as lab
from tests.kit.commands import Words, commands
from tests.kit.repos import begun, git, of_its_own

ALL = {" ".join(words) or "q1lab": (words, command) for words, command in commands()}


def filler(param: click.Parameter) -> str:
    if isinstance(param.type, click.Choice):
        return str(param.type.choices[0])
    if param.name == "variant":
        return "rope"
    return (
        "1"
        if isinstance(param.type, click.types.FloatParamType | click.types.IntParamType)
        else "x"
    )


def line(words: Words, command: click.Command, target: click.Parameter, value: str) -> list[str]:
    """A whole command line in which ``given`` has ``value``, and what must be there has something."""
    options: list[str] = []
    arguments: list[str] = []
    for param in command.params:
        text = value if param is target else filler(param)
        before = target in command.params[command.params.index(param) :]
        if isinstance(param, click.Argument) and (param.required or before):
            arguments.append(text)
        elif isinstance(param, click.Option) and (param is target or param.required):
            options += [param.opts[0], text]
    return [*words, *options, "--", *arguments] if arguments else [*words, *options]


def taking(*kinds: type) -> list[tuple[str, str]]:
    return [
        (name, str(param.name))
        for name, (_, command) in ALL.items()
        for param in command.params
        if isinstance(param.type, kinds) and not getattr(param, "is_flag", False)
    ]


def outcome(
    name: str, param: str, value: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, list[str]]:
    """Exit status, message and command line of a command whose ``param`` gets ``value``."""
    words, command = ALL[name]
    target = next(candidate for candidate in command.params if candidate.name == param)
    argv = line(words, command, target, value)
    capsys.readouterr()
    code = run_command_line(argv)
    return code, capsys.readouterr().err, argv


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_its_own(tmp_path, monkeypatch)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)


def test_an_empty_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for name, param in taking(click.types.StringParamType, click.Path):
        for value in ("", " "):
            code, err, argv = outcome(name, param, value, capsys)
            assert (code, len(err.splitlines())) == (2, 1), (argv, err)
            assert "empty" in err, (argv, err)
    assert list(Path.cwd().iterdir()) == []
    assert list(paths.home().iterdir()) == []


def test_a_setting_may_be_empty_where_that_means_something(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["config", "launcher", ""]) == 0
    assert run_command_line(["config", "repo", ""]) == 2
    assert "must be text" in capsys.readouterr().err


NUMBERS = ("inf", "-inf", "nan", "1e999", "9" * 400, "-" + "9" * 400, "9" * 5000)


def test_a_number_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for name, param in taking(click.types.FloatParamType, click.types.IntParamType):
        for value in NUMBERS:
            code, err, argv = outcome(name, param, value, capsys)
            assert (code, len(err.splitlines())) == (2, 1), (argv, err)


NUMBERS_IN_TEXT = {
    "predict": ("--size", "--matters", "--sure"),
    "run": ("--seeds", "--set learning_rate=", "--set max_iters=", "--set n_layer="),
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "option"), [(c, o) for c, options in NUMBERS_IN_TEXT.items() for o in options]
)
def test_a_number_in_a_text_too(
    command: str, option: str, fake_trainer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    others = {"--direction": "lower", "--size": "1", "--matters": "1", "--sure": "70"}
    for value in NUMBERS:
        words = [command, "rope"]
        for name, usual in others.items() if command == "predict" else ():
            words += [name, usual] if name != option else []
        head, _, last = option.rpartition(" ")
        words += [*head.split(), f"{last}{value}"] if "=" in last else [last, value]
        code = run_command_line(words)
        err = capsys.readouterr().err
        assert code in (1, 2), (words, err)
        messages = [row for row in err.splitlines() if not row.startswith("Looking at")]
        assert len(messages) == 1, (words, err)
    assert not list((paths.home()).glob("studies/*"))


NAMES = {"variant", "baseline", "data", "corpus", "modifications", "location"}
"""Texts that may be a file's name."""


def test_somebody_who_is_not_here_has_no_folder(
    fake_trainer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [(n, p) for n, p in taking(click.types.StringParamType) if p in NAMES and n != "judge"]
    for name, param in (*taking(click.Path), *texts):
        code, err, argv = outcome(name, param, "~nosuchuser/x.py", capsys)
        messages = [row for row in err.splitlines() if not row.startswith("Looking at")]
        assert (code, len(messages)) == (2, 1), (argv, err)
        if not (name in ("plan", "hint", "modification", "new") and param in NAMES):
            assert "nosuchuser" in err, (argv, err)


RUN = ["run", "rope", "--seeds", "1"]
USED = {
    "Q1LAB_HOME": ["status"],
    "Q1LAB_REPO": ["course", "kpi"],
    "Q1LAB_CONTENT": ["course", "kpi"],
    "Q1LAB_DATA": ["data", "shakespeare"],
    "WANDB_CONFIG_DIR": RUN,
    "NETRC": RUN,
}


@pytest.mark.parametrize("variable", USED)
def test_nor_in_the_environment(
    variable: str,
    fake_trainer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("Q1LAB_WANDB")
    monkeypatch.setenv(variable, "~nosuchuser/x")
    assert run_command_line(USED[variable]) == 2
    assert "'nosuchuser'" in capsys.readouterr().err


ADDRESSED: dict[str, list[str]] = {
    "W&B": ["sync"],
    "W&B, for a new study": RUN,
    "a post": ["post", "publish", "@"],
    "a channel": ["post", "share", "hn", "@"],
    "a paper": ["paper", "add", "one", "--link", "@"],
}


@pytest.mark.parametrize("addressed", ADDRESSED)
def test_an_address_that_is_none_is_refused(
    addressed: str,
    fake_trainer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("Q1LAB_WANDB")
    if addressed == "W&B":
        lab.train_all(lab.plan(wandb="offline"))
    for address in ("http://[::1", "http://[", "http://[::1]:x", "http://"):
        monkeypatch.setenv("WANDB_BASE_URL", address if "W&B" in addressed else "")
        assert (
            run_command_line([word.replace("@", address) for word in ADDRESSED[addressed]]) == 2
        ), address
        error_lines = capsys.readouterr().err.splitlines()
        assert len([row for row in error_lines if not row.startswith("Looking at")]) == 1, (
            error_lines
        )


def test_a_remote_that_is_no_address_is_none(tmp_path: Path) -> None:
    folder = begun(tmp_path / "repo")
    git(folder, "remote", "add", "origin", "http://[::1")
    assert git_history.web_url(Repository.discover(folder)) is None
