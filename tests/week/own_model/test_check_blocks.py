"""Checks as blocks, and as lines."""

from __future__ import annotations

from dataclasses import replace

from q1lab.study.own_model.run_checks import CheckReport, CheckResult
from q1lab.week.own_model.check_blocks import (
    LABELS,
    following_block,
    lay_out,
    outcome_blocks,
    printed_block,
    result_block,
)

PASSED = CheckResult("batch", True, "", "rows agree", "", 0.1)
FAILS = CheckResult("prefix", False, "as before", "logits \x1b[31mmove", "it cheats", 0.1)
ECHO = replace(FAILS, name="context", follows="prefix")
SKIPPED = CheckResult("attention", False, "", "no scores were seen", "", 0.1, judged=False)


def plain(blocks: list, width: int | None = None) -> list[str]:
    return ["".join(text for text, _ in line) for block in blocks for line in lay_out(block, width)]


def test_a_result_is_a_line_and_below_one_that_failed_stands_why() -> None:
    assert plain(map(result_block, [FAILS, SKIPPED, PASSED])) == [
        "✗ prefix",
        "    expected: as before",
        "    seen:     logits move",
        "    why:      it cheats",
        "! attention: not judged: no scores were seen",
        "✓ batch: rows agree",
    ]


def test_failures_that_follow_from_another_are_one_line() -> None:
    assert following_block([PASSED, FAILS]) == []
    several = plain(following_block([FAILS, ECHO, replace(ECHO, name="order")]))
    assert several == ["✗ 2 more checks fail, usually for the same reason: context, order"]


def test_a_width_breaks_lines_and_loses_no_word() -> None:
    words = {label: f"{label} " + "word " * 20 for label in LABELS}
    block = result_block(replace(FAILS, **words))
    for width in (30, 60, 100):
        lines = plain([block], width)
        assert max(map(len, lines)) <= max(width, 34)
        assert " ".join(lines).split().count("word") == 60


def test_an_outcome_names_the_file_and_the_next_command() -> None:
    sound = CheckReport("/x/rope.py", "rope", True, (PASSED,))
    said = plain(outcome_blocks(sound, "rope.py", overrides=" --set a=1"))
    assert said == [
        "rope.py, as rope: All 1 checks passed.",
        "Next: q1lab run ./rope.py --set a=1",
    ]
    in_the_week = plain(outcome_blocks(sound, "rope.py", "rope"))  # the week's next step commits
    assert in_the_week[1] == "Next: commit it if you haven't yet; then q1lab run ./rope.py"
    unusable = CheckReport("/x/rope.py", "rope", False, (), "rope.py:3: SyntaxError")
    assert plain(outcome_blocks(unusable, "rope.py")) == ["rope.py:3: SyntaxError"]


def test_what_a_file_prints_is_shown_once_and_cut() -> None:
    report = CheckReport("model.py", "baseline", True, (), printed="4 params\n4 params\n")
    assert plain(printed_block(report)) == ["the file printed:", "  4 params"]
    many = replace(report, printed="\n".join(map(str, range(20))))
    assert plain(printed_block(many))[-1] == "  … and 12 more lines"
    one_more = replace(report, printed="\n".join(map(str, range(9))))
    assert plain(printed_block(one_more))[-1] == "  … and 1 more line"
