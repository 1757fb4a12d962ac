"""How large each room is, in tokens: whoever makes one larger raises its number here, with a line
in CHANGELOG.md that says what a user gets for it."""

from __future__ import annotations

import tokenize
from pathlib import Path

import pytest

from q1lab.ground import plugin_finder
from tests.kit.places import ROOT

NO_CODE = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

JUDGE = "`q1lab judge SOURCE…` also reads the logs that trainers leave"
BEGINNING = "The gate, samples and the blind test, notebooks, Ray, Slurm"
"""The beginning of the line of CHANGELOG.md with which the rooms got their first numbers."""
ONE_SIDED = "**Does it help?** `q1lab run rope --seeds 3..8 --side better`"
TWO_COMMANDS = "`q1lab run 'python train.py --seed={seed}'"
SCORES = "Before `q1lab retro` writes, it names each score"
SAME_CODE = "A study of two files with the same code"
WRONG_VALUE = "A wrong value of an option is refused in the same words"

ROOMS: dict[str, tuple[int, str]] = {
    "commands": (36_600, "`q1lab plan` counts the same way, and says in sentences"),
    "designs": (1_750, ONE_SIDED),
    "documents": (31_470, "MODIFICATION.md and the post stay with the study of your own file"),
    "doors": (15_740, JUDGE),
    "ground": (17_790, SAME_CODE),
    "index": (19_000, "`q1lab compare A B C`"),
    "judgment": (44_610, "Lab, Results and Verdict show the blocks that the terminal prints"),
    "labs": (56_450, TWO_COMMANDS),
    "planning": (13_180, SAME_CODE),
    "plugins/author": (6_550, BEGINNING),
    "plugins/class_": (8_950, "`q1lab class FOLDER` makes one table"),
    "plugins/demo": (3_750, "`q1lab demo`, and a button of the welcome"),
    "plugins/gate": (6_110, TWO_COMMANDS),
    "plugins/notebook": (1_250, BEGINNING),
    "plugins/ray": (3_050, BEGINNING),
    "plugins/sample": (6_750, "`q1lab sample STUDY --blind --html FILE` writes a blind test"),
    "plugins/slurm": (3_000, "`--jobs` also limits Slurm's arrays"),
    "plugins/verify": (8_450, "`q1lab class FOLDER` makes one table"),
    "record": (9_250, BEGINNING),
    "runner": (12_250, "`--jobs` also limits Slurm's arrays"),
    "study": (33_570, WRONG_VALUE),
    "tables": (18_710, WRONG_VALUE),
    "trainers": (2_800, ONE_SIDED),
    "tui": (77_030, "Enter takes a step's file before it opens the answer"),
    "verdict": (12_650, "Lab, Results and Verdict show the blocks that the terminal prints"),
    "week": (34_050, "`q1lab new rope`, typed again after it was killed"),
}
"""Room → the most tokens that it has, and how the line of CHANGELOG.md begins that says why."""


def tokens(folder: Path) -> int:
    """The tokens of all modules in a folder, without comments."""
    count = 0
    for file in folder.rglob("*.py"):
        with file.open("rb") as lines:
            count += sum(token.type not in NO_CODE for token in tokenize.tokenize(lines.readline))
    return count


def rooms() -> dict[str, Path]:
    plugins = ROOT / "q1lab" / "plugins"
    folders = [folder for folder in (ROOT / "q1lab").iterdir() if folder.is_dir()]
    folders += [folder for folder in plugins.iterdir() if folder.is_dir()]
    named = {str(folder.relative_to(ROOT / "q1lab")): folder for folder in folders}
    named["labs"] = ROOT / "labs"
    return {
        name: folder
        for name, folder in named.items()
        if name != "plugins" and "__pycache__" not in name
    }


def test_every_room_has_a_number() -> None:
    away = {f"plugins/{name}" for name in plugin_finder.away()}
    assert set(ROOMS) - away == set(rooms())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_no_larger_than_its_number(room: str) -> None:
    most, why = ROOMS[room]
    _, _, plugin = room.partition("plugins/")
    if plugin in plugin_finder.away():
        pytest.skip(f"the plug-in {plugin} is away")
    size = tokens(rooms()[room])
    assert size <= most, f"{room} has {size:,} tokens: what does a user get for the growth?"
    assert size >= 0.97 * most, f"{room} has {size:,} tokens: its number can be lowered"
    assert f"- {why}" in (ROOT / "CHANGELOG.md").read_text(), "CHANGELOG.md says why it grew"
