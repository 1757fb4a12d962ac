"""Small words of the app: keys, themes, rows with bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.app import theme
from q1lab.app.screens.welcome import repository_to_offer
from q1lab.app.widgets.titled_rows import ListRow, render_row
from q1lab.ground.errors import Problem
from q1lab.study import presets


def test_a_theme_that_is_not_there_names_the_nearest() -> None:
    theme.check_theme_name("q1lab-light", "here")
    with pytest.raises(Problem, match="mean 'q1lab-dark'"):
        theme.check_theme_name("q1lab-drak", "here")
    for other in ("nord", "textual-light"):
        with pytest.raises(
            Problem, match=f"theme is called '{other}'.*q1lab-dark, q1lab-light or q1lab-terminal"
        ):
            theme.check_theme_name(other, "here")


def test_a_short_name_of_a_hyperparameter_names_the_long_one() -> None:
    with pytest.raises(Problem, match="mean 'learning_rate'"):
        presets.resolve_config("cpu", {"lr": "1"}, ())
    with pytest.raises(Problem, match="mean 'weight_decay'"):
        presets.resolve_config("cpu", {"wd": "1"}, ())


def test_inside_q1labs_own_clone_a_folder_beside_it_is_offered(tmp_path: Path) -> None:
    clone = tmp_path / "q1lab"
    (clone / "q1lab" / "app").mkdir(parents=True)
    (clone / "q1lab" / "app" / "app.py").touch()
    (clone / ".git").mkdir()
    assert repository_to_offer(clone / "q1lab") == tmp_path / "transformer-from-scratch"
    own_file = tmp_path / "mine"
    (own_file / ".git").mkdir(parents=True)
    assert repository_to_offer(own_file) == own_file
    assert repository_to_offer(tmp_path) == tmp_path / "transformer-from-scratch"
    (tmp_path / "model.py").touch()
    assert repository_to_offer(tmp_path) == tmp_path


@pytest.mark.parametrize("width", [20, 40, 54, 74, 110])
def test_rows_with_bars_fit_their_width(width: int) -> None:
    row = ListRow(
        "· A2 Read the paper and more words", "4 of 11 steps · 104 of 90 min", bar=(4 / 11, 1.0)
    )
    lines = render_row(row, width, 34, 29).plain.split("\n")
    assert max(map(len, lines)) <= width
    assert lines[0].endswith(f" {row.right}" if width > 20 else "…")
    assert len(lines) == (1 if width == 110 else 2), "it is below where it has no room"
    filled, empty = (lines[-1].count(cell) for cell in "━─")
    assert round(11 * filled / (filled + empty)) == 4


@pytest.mark.parametrize("width", [54, 110])
def test_minutes_over_their_plan_are_marked_and_the_steps_beside_them_are_not(width: int) -> None:
    row = ListRow("✓ A2 Read", "6 of 6 · 104 of 90 min", "$success", "$warning", bar=(0.5, 1.0))
    shown = render_row(row, width, 40, 22)
    tones = {shown.plain[span.start : span.end]: str(span.style) for span in shown.spans}
    assert tones["104 of 90 min"] == "$warning"
    assert tones["6 of 6 · "] == "$muted"
    track = next(tone for text, tone in tones.items() if set(text) == {"─"})
    assert track == "$border-blurred", "an empty track is no underline"


def test_a_long_title_beside_a_value_goes_on_below() -> None:
    title = "post     Twelve weeks from no backprop to a modified transformer: a Q1 deep dive"
    first, *rest = render_row(ListRow(title, "shared in 3 channels"), 56, 0, 0).plain.split("\n")
    assert first.endswith("  shared in 3 channels")
    assert max(map(len, (first, *rest))) <= 56
    assert " ".join([first.removesuffix("shared in 3 channels"), *rest]).split() == title.split()
