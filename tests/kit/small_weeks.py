"""Small weeks: one to write one's own text into, and one of baking, with a file for every place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from q1lab.ground import plugin_finder
from q1lab.week.lists.kpis import COUNTERS
from q1lab.week.syllabus import ContentFinding
from q1lab.week.week_builder import read_week

WEEK = """\
format = 1
label = "M00-W00"
title = "The week's title"
goal = "What the learner can show at the end, in one sentence."
next = "What comes after this week."
default = "rope"

[[sessions]]
id = "a"
file = "session-a.md"
title = "The first session"
minutes = 60

[[variants]]
name = "rope"
title = "RoPE, rotary position embeddings"
"""
SESSION = """\
# The first session

## Read {#a1 minutes=60}

- [ ] Read the text {#a1-read kind=read}
"""

TOML = """\
format = 1
label = "G01"
title = "Sourdough"
goal = "Bake two loaves and compare them."
default = "rye"

[[sessions]]
id = "mix"
file = "mix.md"
title = "Mix"
minutes = 40

[[variants]]
name = "rye"
title = "With rye"
guide = "rye.md"

[[variants]]
name = "spelt"
title = "With spelt"

[[kpis]]
id = "loaves"
title = "Loaves baked"
target = 2
"""
MIX = """\
# Mix

Before the *first* part.

## Weigh {#weigh minutes=10}

Some text with {braces} and a `{variant}`.

```text
## not a heading {#no}
- [ ] not a step
```

- [ ] Weigh the {variant} flour {#weigh-flour}
  To the gram.

  Twice.
- [ ] Say what you expect {#weigh-guess kind=predict into=guess}

<details>
<summary>Answers</summary>

About **500** g.

</details>

- [ ] Only for spelt {#weigh-spelt variant=spelt optional=yes}

## Knead {#knead minutes=30}

First.

<!-- q1lab:guide -->

Last.

- [ ] Bake both {#knead-bake kind=run}

```q1lab run
variant = "{variant}"
seeds = [0, 1]
```

Text in between.

```q1lab open
document = "LOAF.md"
```
"""
RYE = """\
# Rye

## Rye is sticky {part=knead}

### Wet hands

- [ ] Wet your hands {#rye-wet}
"""


def write_week(root: Path, label: str = "M00-W00", session: str = SESSION) -> None:
    """A week of one session of 60 minutes, session-a.md."""
    root.mkdir()
    (root / "week.toml").write_text(WEEK.replace("M00-W00", label))
    (root / "session-a.md").write_text(session)


def write_baking(root: Path) -> None:
    (root / "week.toml").write_text(TOML)
    (root / "mix.md").write_text(MIX)
    (root / "rye.md").write_text(RYE)


def check_week(
    root: Path,
    variants: Collection[str] | None = None,
    counters: Collection[str] | None = None,
) -> list[ContentFinding]:
    """What an author is told of a week; where the author's plug-in is away, what its reader is."""
    if "author" in plugin_finder.away():
        ways = [read_week(root, course)[1] for course in (True, False)]
        return list(dict.fromkeys(finding for findings in ways for finding in findings))
    check = plugin_finder.load("q1lab.plugins.author.weeks:check_week")
    findings: list[ContentFinding] = check(root, variants, counters)
    return findings


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def said(folder: Path, models: list[str] | None = None) -> list[str]:
    return [str(finding) for finding in check_week(folder, models, COUNTERS)]
