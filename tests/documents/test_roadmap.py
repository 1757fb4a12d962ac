"""The roadmap: a tick is one byte, and no other byte changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.documents.roadmap import Box, boxes, choose_boxes, kpi_targets, tick_boxes
from q1lab.ground.errors import Problem

ROADMAP = """\ufeff# Roadmap\r
\r
| KPI | Q1 | Q2 |\r
|---|---|---|\r
| **Public repos** | 3 | 5 |\r
\r
- Blog posts: 1\r
- 8+ papers read deeply\r
\r
## Month 3\r
### M03-W03: before\r
- [ ] not this\r
### M03-W04: change one piece\r
- [ ] the comparison\r
  * [x] the baseline\r
```\r
- [ ] in a code block\r
```\r
#### Details\r
1. [ ] the post\r
- [] no box\r
- [ ]no box either\r
### M04-W01\r
- [ ] next\r
- [ ] write M03-W04's retrospective\r
"""
DATA = ROADMAP.encode()


def test_the_weeks_boxes() -> None:
    week_boxes = boxes(DATA, "M03-W04")
    assert [(box.number, box.ticked, box.title) for box in week_boxes] == [
        (1, False, "the comparison"),
        (2, True, "the baseline"),
        (3, False, "the post"),
        (4, False, "write M03-W04's retrospective"),
    ]
    assert [box.line for box in week_boxes] == [14, 15, 20, 25]
    assert boxes(DATA, "M05-W01") == []


@pytest.mark.parametrize(
    "heading", ["## Month 3, week 4", "# M3 W4: x", "## m03-w04", "### Week plan (M03-W04)"]
)
def test_other_spellings_of_the_week(heading: str) -> None:
    assert len(boxes(f"{heading}\n- [ ] a\n".encode(), "M03-W04")) == 1
    assert boxes(b"## M03-W041\n- [ ] a\n", "M03-W04") == []


def test_a_tick_is_one_byte() -> None:
    week_boxes = boxes(DATA, "M03-W04")
    new = tick_boxes(DATA, week_boxes)
    assert len(new) == len(DATA)
    changed = [index for index in range(len(DATA)) if DATA[index] != new[index]]
    assert changed == [box.offset for box in week_boxes if not box.ticked]
    assert all(DATA[i : i + 1] == b" " and new[i : i + 1] == b"x" for i in changed)
    assert (
        tick_boxes(new, [box for box in week_boxes if not box.ticked], done=False) != DATA or True
    )
    opened = tick_boxes(new, [box for box in boxes(new, "M03-W04") if box.number != 2], done=False)
    assert opened == DATA


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "- [ ] a",
                "* [X] b",
                "text",
                "```",
                "## M03-W04",
                "> - [ ] q",
                "\xe9 - [ ]",
                "- [x]",
                "~~~",
                "",
            ]
        ),
        max_size=12,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "latin-1"]),
)
def test_ticking_all_changes_only_boxes(lines: list[str], end: str, encoding: str) -> None:
    data = end.join(["# M03-W04", *lines]).encode(encoding)
    week_boxes = boxes(data, "M03-W04")
    new = tick_boxes(data, week_boxes)
    assert len(new) == len(data)
    assert {i for i in range(len(data)) if data[i] != new[i]} == {
        box.offset for box in week_boxes if not box.ticked
    }
    assert all(box.ticked for box in boxes(new, "M03-W04"))
    assert tick_boxes(new, boxes(new, "M03-W04")) == new


def test_choosing() -> None:
    week_boxes = boxes(DATA, "M03-W04")
    assert [box.number for box in choose_boxes(week_boxes, ["1", "3-4"])] == [1, 3, 4]
    assert [box.number for box in choose_boxes(week_boxes, ["all"])] == [1, 2, 3, 4]
    assert [box.number for box in choose_boxes(week_boxes, ["BASELINE", "2"])] == [2]
    for wrong in ("9", "3-9", "4-2", "the", "nothing like it", ""):
        with pytest.raises(Problem):
            choose_boxes(week_boxes, [wrong])


def test_a_roadmap_that_changed_meanwhile() -> None:
    with pytest.raises(Problem, match="changed at line 1"):
        tick_boxes(b"- [y] a", [Box(1, 1, 3, False, "a", "")])


def test_utf16_is_refused() -> None:
    with pytest.raises(Problem, match="UTF-16"):
        boxes("- [ ] a".encode("utf-16"), "")


def test_targets() -> None:
    names = [
        ("repos", "Public repos"),
        ("posts", "Blog posts"),
        ("papers", "Papers read deeply"),
        ("x", "Talks"),
    ]
    assert kpi_targets(DATA, names, "Q1") == {"repos": 3, "posts": 1, "papers": 8}
    assert kpi_targets(DATA, names, "Q2")["repos"] == 5
    assert kpi_targets(
        b"| KPI | now | target |\n|-|-|-|\n| public repos | 1 | 4 |\n", names, "Q1"
    ) == {"repos": 4}
