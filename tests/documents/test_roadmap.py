"""The roadmap: a tick is one byte, and no other byte changes."""

from __future__ import annotations

import pytest

from q1lab.documents.roadmap import tick, week_boxes
from q1lab.ground.errors import Problem

DATA = """# Roadmap\r
\r
## Month 3\r
### M03-W03: before\r
- [ ] not this\r
### M03-W04: change one piece\r
- [ ] the comparison: [ ] of [x]\r
  * [x] the baseline\r
```\r
- [ ] in a code block\r
```\r
#### Details\r
1. [ ] the pöst\r
- [] no box\r
- [ ]no box either\r
### M04-W01\r
- [ ] next\r
- [ ] write M03-W04's retrospective""".encode()


def test_the_weeks_boxes_and_a_tick_of_them() -> None:
    boxes = week_boxes(DATA, "M03-W04")
    assert [(box.line, box.title, box.heading) for box in boxes if not box.is_ticked] == [
        (7, "the comparison: [ ] of [x]", "M03-W04: change one piece"),
        (13, "the pöst", "Details"),
        (18, "write M03-W04's retrospective", "M04-W01"),
    ]
    assert week_boxes(DATA, "M05-W01") == []
    ticked = tick(DATA, boxes, [7, 18])
    changed = [at for at in range(len(DATA)) if DATA[at] != ticked[at]]
    assert len(ticked) == len(DATA)
    assert [(DATA[at : at + 1], ticked[at : at + 1]) for at in changed] == [(b" ", b"x")] * 2
    assert [box.line for box in week_boxes(ticked, "M03-W04") if not box.is_ticked] == [13]
    assert tick(ticked, week_boxes(ticked, "M03-W04"), [7, 8]) == ticked
    for wrong in (0, 5, 9, 99):
        with pytest.raises(Problem, match="no box"):
            tick(DATA, boxes, [wrong])


@pytest.mark.parametrize(
    "heading", ["## Month 3, week 4", "# M3 W4: x", "## m03-w04", "### Week plan (M03-W04)"]
)
def test_other_spellings_of_the_week(heading: str) -> None:
    assert len(week_boxes(f"{heading}\n- [ ] a\n".encode(), "M03-W04")) == 1
    assert week_boxes(b"## M03-W041\n- [ ] a\n", "M03-W04") == []
