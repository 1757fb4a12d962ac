"""Every option that writes a file where a person wants it: over a file that q1lab did not write,
only with --overwrite."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from q1lab.commands.cli import cli, run_command_line
from q1lab.ground import paths
from tests.kit.commands import without_torch
from tests.kit.repos import begun, of_its_own

pytestmark = pytest.mark.sample

SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled", "--json")

WRITERS: dict[str, tuple[str, ...]] = {
    "compare --plot": ("compare", "rope-1", "--plot", "@.svg"),
    "export": ("export", "rope-1", "@.csv"),
    "post export --output": ("post", "export", "--output", "@.md"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a draft, and a home with a study that has ended."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch)
        patch.setenv("Q1LAB_HOME", str(folder / "home"))
        of_its_own(folder, patch)
        patch.chdir(begun(folder / "repo", {"model.py": "x = 1\n"}))
        assert run_command_line(["run", "rope", "--seeds", "1", *SMALL]) == 0
        assert run_command_line(["post", "--yes"]) == 0
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them; returns the repository."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    without_torch(monkeypatch)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_of_somebody_else_stays(
    place: Path, writer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("@", "mine") for word in WRITERS[writer]]
    name = next(word for word in words if word.startswith("mine"))
    file, studies = place / name, set(paths.studies_dir().iterdir())
    file.write_text("mine\n")
    capsys.readouterr()
    assert run_command_line(words) == 2
    message = capsys.readouterr().err
    assert f"{name} is there already" in message
    assert "--overwrite" in message
    assert file.read_text() == "mine\n"
    assert set(paths.studies_dir().iterdir()) == studies, "it is said before anything trains"
    assert run_command_line([*words, "--overwrite"]) == 0
    written = file.read_bytes()
    assert written != b"mine\n"
    assert run_command_line(words) == 0, "its own is written again without a word"
    file.write_bytes(written + b"and mine\n")
    assert run_command_line(words) == 2
    assert file.read_bytes() == written + b"and mine\n"
    file.unlink()
    elsewhere = place.parent / "elsewhere"
    elsewhere.write_text("mine\n")
    file.symlink_to(elsewhere)
    assert run_command_line(words) == 2
    assert elsewhere.read_text() == "mine\n"
    elsewhere.unlink()
    assert run_command_line(words) == 2
    assert not elsewhere.exists()


def options(
    command: click.Command = cli, name: str = ""
) -> Iterator[tuple[str, str, click.Command]]:
    for param in command.params:
        if isinstance(param.type, click.Path) and isinstance(param, click.Option):
            yield name, str(param.name), command
    if isinstance(command, click.Group):
        for below in command.list_commands(click.Context(command)):
            subcommand = command.get_command(click.Context(command), below)
            assert subcommand is not None
            yield from options(subcommand, f"{name} {below}".strip())


def test_every_option_that_names_a_file_to_write_has_overwrite() -> None:
    has_overwrite = {
        (name, param): any("--overwrite" in option.opts for option in command.params)
        for name, param, command in options()
        if param in ("output", "plot")
    }
    assert [key for key, has in has_overwrite.items() if not has] == []
    assert has_overwrite
