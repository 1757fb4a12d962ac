"""What the author of a week is told beyond what its reader finds: minutes, order, links, names, sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from q1lab.plugins.author.lint import table_minutes
from q1lab.tui.pages import block_text
from q1lab.week.content import load_week
from q1lab.week.syllabus import Fold
from tests.kit.small_weeks import check_week, edit, said

MISTAKES = [
    ("mix.md", "{#weigh-flour}", '{#weigh-flour done_when="diff seen"}', "mix.md:14: step 'weigh-flour' is done when 'diff seen'; put an action below it that does that: `q1lab diff`"),
    ("mix.md", "kind=run}", 'kind=run done_when="checks passed"}', "mix.md:37: step 'knead-bake' is done when 'checks passed'; put an action"),
    ("mix.md", "minutes=10", "minutes=11", "week.toml:11: session mix plans 40 minutes, its parts add up to 11 + 30 = 41"),
    ("mix.md", "kind=predict", "kind=write", "mix.md:39: a run with no prediction step before it"),
    ("mix.md", "Some text", "{measured.quick.rye}", "mix.md:7: part 'weigh' shows {measured.quick.rye}, a result, before 'weigh-guess'; move it below"),
    ("mix.md", "First.", "It has {small.rope.parms}.", "mix.md:31: there is no number {small.rope.parms}"),
    ("mix.md", "First.", "It has {smal.rope.params}.", "mix.md:31: there is no number {smal.rope.params}"),
    ("mix.md", "First.", "It rose by {measured.oven}.", "mix.md:31: there is no number {measured.oven}"),
    ("mix.md", "First.", "It reads {pases.gpu} times.", "mix.md:31: there is no number {pases.gpu}"),
    ("mix.md", "First.", "Of {vocb} characters.", "mix.md:31: there is no number {vocb}"),
    ("mix.md", "Some text with {braces} and a `{variant}`.\n", "word " * 201 + "\n\n- [ ] Wait {#wait minutes=10}\n", "mix.md:5: part weigh has 2"),
    ("mix.md", "kind=run}", "kind=run into=analysis}", "mix.md:37: nothing says what to make of it; put <details needs=knead-bake> below"),
    ("mix.md", "First.", "See https://github.com/a/b.", "mix.md:31: https://github.com/a/b names no commit"),
    ("mix.md", "First.", "(https://github.com/a/b/blob/main/x.md)", "mix.md:31: https://github.com/a/b/blob/main/x.md names no commit"),
    ("mix.md", 'variant = "{variant}"', 'variant = "ry"', "mix.md:39: unknown variant 'ry'; did you mean 'rye'?"),
    ("week.toml", "target = 2", 'target = 2\ncounter = "repo"', "week.toml:26: unknown counter 'repo'; did you mean 'repos'?"),
    ("mix.md", "{#weigh-flour}", "{#weigh-flour kind=recall}", "mix.md:14: step 'weigh-flour' is of kind recall and has no answer"),
    ("mix.md", "{#weigh-flour}", "{#weigh-flour needs=weigh-guess}", "mix.md:14: this needs step 'weigh-guess', which comes only after this"),
    ("mix.md", "{#weigh-flour}", "{#weigh-flour needs=salt}", "mix.md:14: this needs step 'salt', which is not in the week"),
    ("mix.md", "<details>", "<details needs=knead-bake>", "mix.md:20: this needs step 'knead-bake', which comes only after this"),
    ("mix.md", "{#weigh-flour}", "{#weigh-flour minutes=7}", "mix.md:5: part weigh gives 10 minutes for rye, its steps add up to 7 = 7"),
    ("mix.md", "Some text", "| what | minutes |\n|---|---|\n| flour | 3 |\n| salt | 4 |\n\nSome text", "mix.md:7: part weigh gives 10 minutes for rye, its table adds up to 7"),
    ("mix.md", "First.", "First.\n\n```python\nx = 1\nif x\n```", "mix.md:35: this block of Python does not run: expected ':'"),
    ("mix.md", "First.", "It rose by {measured.oven.rye}.", "mix.md:31: there is no number {measured.oven.rye}"),
    ("mix.md", "First.", "First.\n\nIt is 0.031 nats better.", "mix.md:33: '0.031 nats' names no source"),
    ("mix.md", "First.", "First.\n\nIt ended at 1.609 ± 0.008.", "mix.md:33: '1.609 ± 0.008' names no source"),
    ("mix.md", "First.", "First.\n\nThe val loss\nis 1.9059 at the end.", "mix.md:34: '1.9059' names no source"),
    ("mix.md", "First.", "{measured.oven.rye.mean}, and −0.04 after more.", "mix.md:31: '−0.04' names no source"),
    ("mix.md", "First.", "First.\n\n```text\n" + 71 * "x" + "\n```", "mix.md:34: this line of code has 71 columns; 70 fit on a small screen"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "message"), MISTAKES, ids=[m[3][:60] for m in MISTAKES]
)
def test_a_mistake_is_named_with_file_and_line(
    folder: Path, file: str, old: str, new: str, message: str
) -> None:
    edit(folder / file, old, new)
    assert any(line.startswith(message) for line in said(folder)), said(folder)


@pytest.mark.parametrize(("kind", "counts"), [("optional=yes", False), ("minutes=20", True)])
def test_a_fold_below_an_optional_step_takes_no_reading_time(
    folder: Path, kind: str, counts: bool
) -> None:
    page = folder / "mix.md"
    minutes = 10 if counts else 30
    edit(page, "{#knead-bake kind=run}", f"{{#knead-bake kind=run minutes={minutes}}}")
    fold = (
        "<details needs=weigh-flour>\n<summary>More</summary>\n\n"
        + 450 * "word "
        + "\n\n</details>"
    )
    page.write_text(page.read_text() + f"\n- [ ] Guess {{#knead-guess {kind}}}\n\n{fold}\n")
    assert any("a minute" in finding for finding in said(folder)) == counts


def test_a_text_is_read_at_120_words_a_minute_and_a_fold_that_needs_no_step_is_extra(
    folder: Path,
) -> None:
    page = folder / "mix.md"
    edit(page, "{#knead minutes=30}", "{#knead minutes=30 reading=1}")
    edit(page, "First.", 100 * "word ")
    edit(page, "{#knead-bake kind=run}", "{#knead-bake kind=run minutes=29}")
    fold = "<details>\n<summary>More</summary>\n\n" + 200 * "word " + "\n\n</details>"
    edit(page, "Text in between.", f"Text.\n\n{fold}")
    edit(folder / "rye.md", "{#rye-wet}", "{#rye-wet optional=yes}")
    assert said(folder) == []
    edit(page, 100 * "word ", 190 * "word ")
    assert any("a minute" in finding for finding in said(folder))
    edit(page, 190 * "word ", 100 * "word ")
    edit(page, "<details>\n<summary>More", "<details needs=knead-bake>\n<summary>More")
    assert any("a minute" in finding for finding in said(folder))


def test_a_word_that_is_never_said_needs_no_explanation(folder: Path) -> None:
    (folder / "glossary.md").write_text("# Words\n\n## crumb\n\nInside.\n\n## loaf\n\nBread.\n")
    edit(folder / "mix.md", "First.", "Two [loafs](glossary.md#loaf).")
    (finding,) = said(folder)
    assert re.match(r"glossary\.md:3: .*never says 'crumb'", finding)
    assert [term.name for term in load_week(folder).terms_in("a Loaf")] == ["loaf"]


def test_a_words_first_use_is_linked_on_each_path(folder: Path) -> None:
    (folder / "glossary.md").write_text("# Words\n\n## oven loaf\n\nBread.\n")
    edit(folder / "mix.md", "Last.", "`oven loaf`\n\nOne oven loaf, two oven loafs.")
    link = "[oven loaf](glossary.md#oven-loaf)"
    (finding,) = said(folder)
    assert finding.startswith("mix.md:37: 'oven loaf' ")
    assert finding.endswith(link)
    edit(folder / "mix.md", "One oven loaf,", f"One {link},")
    assert said(folder) == []
    edit(folder / "rye.md", "### Wet", "Of [oven loafs](../glossary.md#oven-loaf).\n\n### Wet")
    assert said(folder) == []
    edit(folder / "rye.md", "#oven-loaf", "#oven-leaf")
    assert re.match(r"rye\.md:5: .*\.\./glossary\.md#oven-leaf; did you mean", said(folder)[0])


def test_what_only_authors_care_about_does_not_stop_loading(folder: Path) -> None:
    edit(folder / "mix.md", "minutes=10", "minutes=11")
    edit(folder / "mix.md", "kind=predict", "kind=write")
    assert load_week(folder).minutes == 41
    assert len(check_week(folder)) == 2


def test_variants_are_held_against_the_models_there_are(folder: Path) -> None:
    assert said(folder, ["rye", "spelt", "baseline"]) == []
    unknown = "unknown variant 'spelt'; did you mean 'spelt2'?"
    assert said(folder, ["rye", "spelt2", "baseline"]) == [
        f"week.toml:18: {unknown}",
        f"mix.md:39: {unknown}",
    ]


def test_a_row_stands_once_for_each_variant_whose_numbers_are_known(folder: Path) -> None:
    sized = 'title = "With rye"\nshape = { kv_heads = "1/4" }\n'
    edit(folder / "week.toml", 'title = "With rye"\n', sized)
    rows = "| {each.short} | {each} |\n\n| {each} | {small.{each}.cache} |\n\n## Knead"
    edit(folder / "mix.md", "## Knead", rows)
    assert said(folder) == []
    text = "\n".join(
        block_text(block)
        for part in load_week(folder).for_variant("rye").parts()
        for block in part.blocks
    )
    assert "| With rye | rye |\n| With spelt | spelt |\n\n| rye | 256 |\n" in text
    edit(folder / "mix.md", "{each.short}", "{each.shrt}")
    edit(folder / "mix.md", ".cache}", ".cash}")
    first, second = said(folder)
    assert re.search(r"\{each\.shrt\}; .*'short'", first)
    assert "no number {small.rye.cash}" in second


def test_a_run_step_needs_its_run(folder: Path) -> None:
    edit(folder / "mix.md", "{#weigh-flour}", "{#weigh-flour kind=run}")
    (finding,) = said(folder)
    assert re.match(r"mix\.md:14: step 'weigh-flour' .*no run action", finding)


def test_tables_of_minutes_are_summed() -> None:
    table = "text\n\n| a | minutes | b |\n|---|---:|---|\n| x | 5 | 7 |\n| y | 10 min | |\n\n| minutes |"
    assert list(table_minutes(table)) == [(2, 15)]


def test_a_figure_below_a_recall_step_is_no_answer_to_it(folder: Path) -> None:
    """Its pictures would not be shown, and turning them answers nothing."""
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "oven.py").write_text("print('cold')\n")
    (folder / "files" / "oven.txt").write_text("cold\n")
    edit(folder / "mix.md", "{#weigh-guess kind=predict into=guess}", "{#weigh-guess kind=recall}")
    figure = "<details figure=oven>\n<summary>Figure</summary>\n</details>\n\n"
    edit(folder / "mix.md", "<details>", figure + "<details>")
    assert any(re.search(r"kind recall .*no answer", finding) for finding in said(folder))
    edit(folder / "mix.md", figure, "")
    edit(folder / "mix.md", "500** g.\n\n</details>", "500** g.\n\n</details>\n\n" + figure)
    assert not any("recall" in finding for finding in said(folder))
    part = load_week(folder).sessions[0].parts[0]
    assert [b.title for b in part.blocks if isinstance(b, Fold) and b.frames] == ["Figure"]


def test_a_file_that_the_week_has_not_is_named(folder: Path) -> None:
    edit(
        folder / "mix.md",
        'q1lab open\ndocument = "LOAF.md"',
        'q1lab command\ncommand = "q1lab take x.py"',
    )
    (finding,) = said(folder)
    assert re.match(r"mix\.md:46: .*no file 'x\.py'", finding)


def test_a_file_is_made_before_it_is_worked_on(folder: Path) -> None:
    edit(
        folder / "mix.md",
        "First.",
        '- [ ] Look {#look}\n\n```q1lab command\ncommand = "q1lab diff ./rye.py"\n```\n\n'
        '- [ ] Make it {#make}\n\n```q1lab command\ncommand = "q1lab new rye"\n```',
    )
    (finding,) = said(folder)
    assert re.match(r"mix\.md:33: rye\.py .*only after", finding)
