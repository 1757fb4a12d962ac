"""Archives that are small, and hold more than a disk, a memory or a day can take."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as main
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.study import bundle
from q1lab.study.events import read_new_events

RUNS = tuple(f"{arm}-seed{seed}" for arm in ("baseline", "modified") for seed in (0, 1))
EVENTS = tuple(f"runs/{run}/events.jsonl" for run in RUNS)
ITER = b'{"type":"iter","iter":1}\n'


def packed(
    file: Path, contents: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(file, "w", method) as out:
        for name, content in [(bundle.LIST_NAME, b"{}"), *contents]:
            out.writestr(name, content)
    return file


def zeros_in_four_files(file: Path) -> Path:
    """(The one that was met had a gigabyte in each, in 3.8 kB.)"""
    return packed(file, [(name, bytes(1 << 22)) for name in EVENTS], zipfile.ZIP_BZIP2)


def another_way_to_pack(file: Path) -> Path:
    return packed(file, [(EVENTS[0], b"{}\n")], zipfile.ZIP_LZMA)


def one_large_file(file: Path) -> Path:
    return packed(file, [(EVENTS[0], bytes(bundle.LARGEST_FILE + 1))])


def a_large_source(file: Path) -> Path:
    return packed(file, [("source/modified/rope.py", bytes(bundle.LARGEST_LIST + 1))])


def many_files_of_a_fair_size(file: Path) -> Path:
    names = [f"runs/modified-seed{seed}/run.log" for seed in range(5)]
    return packed(file, [(name, bytes(bundle.LARGEST_FILE)) for name in names])


def weights_of_zeros(file: Path) -> Path:
    return packed(file, [("runs/modified-seed0/model.pt", bytes(1 << 24))])


def blank_lines(file: Path) -> Path:
    return packed(file, [(EVENTS[0], b"\n" * 10_000_000)])


def many_lines(file: Path) -> Path:
    return packed(file, [(name, ITER * 600_000) for name in EVENTS])


def one_name_twice(file: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed(file, [(EVENTS[0], ITER * 10), (EVENTS[0], ITER)])


@pytest.mark.parametrize(
    "bomb",
    [
        zeros_in_four_files,
        another_way_to_pack,
        one_large_file,
        a_large_source,
        many_files_of_a_fair_size,
        weights_of_zeros,
        blank_lines,
        many_lines,
        one_name_twice,
    ],
)
def test_an_archive_beyond_its_bounds_is_refused_before_anything_is_written(
    bomb: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bundle, "LARGEST_FILE", 64 << 20)
    monkeypatch.setattr(bundle, "MOST_BYTES", 256 << 20)
    file = bomb(tmp_path / "bomb.zip")
    assert file.stat().st_size < 4 << 20
    monkeypatch.setattr(bundle, "_write_member", lambda *_: pytest.fail("it was written"))
    home = paths.ensure_home()
    before = sorted(home.rglob("*"))
    for command in ("verify", "restore"):
        assert main([command, str(file)]) == 1
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1, error
        assert "bomb.zip" in error
    assert sorted(home.rglob("*")) == before


def test_a_folder_is_held_to_the_same_bounds(tmp_path: Path) -> None:
    for name, content in ((bundle.LIST_NAME, b"{}"), (EVENTS[0], b"\n" * (bundle.MOST_LINES + 1))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Problem, match="more than 2,000,000 lines"):
        bundle.read_bundle(tmp_path, "it")


@pytest.mark.parametrize("line", [b"\n", b" \n", b"{\n", b"x\n", ITER])
def test_many_lines_of_a_kind_are_read_to_the_last(line: bytes, tmp_path: Path) -> None:
    """A reader that is slower than linear does not come to its end within a test's time."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(line * 200_000 + b'{"type":"note","text":"the last"}\n')
    offset, texts = 0, []
    for _ in itertools.count():
        events, after, _ = read_new_events(file, offset)
        texts += [json.dumps(event) for event in events if event["type"] == "note"]
        if after == offset:
            break
        offset = after
    assert len(texts) == 1
