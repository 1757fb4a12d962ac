"""Small weeks: one to write one's own text into, and one of baking, with a file for every place."""

from __future__ import annotations

from pathlib import Path

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

- [ ] Read the text {#a1-read kind=read minutes=60}
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

Some text with {braces} and a `{{ variant }}`.

```text
## not a heading {#no}
- [ ] not a step
```

- [ ] Weigh the {{ variant }} flour {#weigh-flour minutes=3}
  To the gram.

  Twice.
- [ ] Say what you expect {#weigh-guess kind=predict into=guess words=20}

<details>
<summary>Answers</summary>

About **500** g.

</details>

{% if variant == "spelt" %}
- [ ] Only for spelt {#weigh-spelt importance=optional}
{% endif %}

## Knead {#knead minutes=30}

First.

{{ guide("knead") }}

Last.

- [ ] Bake both {#knead-bake kind=run minutes=20}

```q1lab run
variant = "{{ variant }}"
seeds = 2
```

Text in between.

```q1lab open
document = "LOAF.md"
```
"""
RYE = """\
### Rye is sticky

#### Wet hands

- [ ] Wet your hands {#rye-wet minutes=5}
"""


def write_week(root: Path, label: str = "M00-W00", session: str = SESSION) -> None:
    """A week of one session of 60 minutes, session-a.md."""
    root.mkdir()
    (root / "week.toml").write_text(WEEK.replace("M00-W00", label))
    (root / "session-a.md").write_text(session)


def write_baking(root: Path) -> None:
    (root / "week.toml").write_text(TOML)
    (root / "mix.md").write_text(MIX)
    (root / "guides" / "rye").mkdir(parents=True)
    (root / "guides" / "rye" / "knead.md").write_text(RYE)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
