"""Content is data: the format, what authors are told, and that the shipped week carries what it
must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from q1lab.app.pages import block_text
from q1lab.ground.errors import Problem
from q1lab.study import variants
from q1lab.week import content
from q1lab.week.content import load_week, week_for
from q1lab.week.step_kinds import STEP_KINDS
from q1lab.week.syllabus import Action, ContentProblem, Part, Step, Text, Week
from tests.kit.changes import CHANGES
from tests.kit.places import ROOT
from tests.kit.small_weeks import edit, write_baking

SHIPPED = ROOT / "content"
MODELS = variants.variant_names()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_baking(tmp_path)
    return tmp_path


def open_text(part: Part) -> str:
    return "\n\n".join(block.markdown for block in part.blocks if isinstance(block, Text))


# ── another week: nothing is hard-wired


def test_text_keeps_fences_and_braces_and_names_the_variant(folder: Path) -> None:
    text = open_text(week_for(load_week(folder), "spelt").sessions[0].parts[0])
    assert "```text\n## not a heading {#no}\n- [ ] not a step\n```" in text
    assert "{braces} and a `spelt`" in text
    assert "Answers" not in text
    assert "500" not in text


def test_steps_carry_what_their_braces_say(folder: Path) -> None:
    first, guess, spelt = week_for(load_week(folder), "spelt").sessions[0].parts[0].steps
    assert (first.title, first.kind, first.detail) == (
        "Weigh the spelt flour", "tick", "To the gram.\n\nTwice.",
    )  # fmt: skip
    assert (guess.kind, guess.into) == ("predict", "guess")
    assert spelt.optional


def test_only_the_chosen_guide_and_steps_show(folder: Path) -> None:
    week = load_week(folder)
    rye = [step.id for step in week_for(week, "rye").steps()]
    spelt = [step.id for step in week_for(week, "spelt").steps()]
    assert rye == ["weigh-flour", "weigh-guess", "rye-wet", "knead-bake"]
    assert spelt == ["weigh-flour", "weigh-guess", "weigh-spelt", "knead-bake"]
    knead = week_for(week, "rye").sessions[0].parts[1]
    assert [block.markdown for block in knead.blocks if isinstance(block, Text)] == [
        "First.", "### Rye is sticky\n\n#### Wet hands", "Last.", "Text in between.",
    ]  # fmt: skip


def test_texts_that_are_kept_follow_the_files(folder: Path, home: Path) -> None:
    """The texts of the last time are shown again, never instead of what an author has just
    written; a kept file that is cut or of something else is made anew."""

    def reads(chosen: str) -> Week:
        content._read_week.cache_clear()
        return week_for(load_week(folder), chosen)

    as_written = reads("spelt"), reads("rye")
    assert (reads("spelt"), reads("rye")) == as_written
    kept = [*(home / "cache").iterdir()]
    for text in ("", "[]", '{"stamp": 1}', kept[0].read_text()[:-9]):
        for file in kept:
            file.write_text(text)
        assert (reads("spelt"), reads("rye")) == as_written, f"a kept file that holds {text[:20]!r}"
    edit(folder / "mix.md", "Twice.", "Three times.")
    assert reads("spelt").sessions[0].parts[0].steps[0].detail == "To the gram.\n\nThree times."


def test_minutes_follow_one_rule(folder: Path) -> None:
    """150 words or ten lines of code are read in a minute, ten words of one's own are written in
    one, and a step's minutes are added; an optional step, and what stands below it, is left out."""
    before = load_week(folder).sessions[0].parts[1].minutes_of(("high", "normal"))
    fence = "```python\n" + "x = 1\n" * 30 + "```\n"
    edit(folder / "mix.md", "First.\n", f"{'word ' * 300}\n\n{fence}")
    edit(
        folder / "mix.md",
        "Last.\n",
        "- [ ] Say why {#why kind=write words=38 minutes=2}\n- [ ] More {#more importance=optional}\n"
        f"\n<details>\n<summary>Much</summary>\n\n{'word ' * 900}\n\n</details>\n\nLast.\n",
    )
    content._read_week.cache_clear()
    after = load_week(folder).sessions[0].parts[1]
    assert after.minutes_of(("high", "normal")) == before + 2 + 3 + 4 + 2
    assert after.allowance == max(after.minutes, before + 2 + 3 + 4 + 2)


def test_a_name_that_the_week_has_not_is_its_default(folder: Path) -> None:
    week = load_week(folder)
    assert week_for(week, "oats").variant == week_for(week).variant == "rye"


def test_actions_belong_to_the_step_before_or_to_the_part(folder: Path) -> None:
    knead = week_for(load_week(folder), "spelt").sessions[0].parts[1]
    bake = knead.steps[-1]
    assert [action.argv() for action in bake.actions] == [("q1lab", "run", "spelt", "--seeds", "2")]
    assert bake.actions[0].title == "Run spelt"
    assert [action.kind for action in knead.actions] == ["run", "open"]
    assert knead.actions[1].title == "Open LOAF.md"


def test_indented_actions_belong_to_their_step(folder: Path) -> None:
    edit(
        folder / "mix.md",
        "  Twice.\n",
        "  Twice.\n\n  ```q1lab command\n  command = \"q1lab course kpi 'a b' 3\"\n  ```\n",
    )
    step = load_week(folder).sessions[0].parts[0].steps[0]
    assert [action.argv() for action in step.actions] == [("q1lab", "course", "kpi", "a b", "3")]
    assert step.detail == "To the gram.\n\nTwice."


def test_parts_and_steps_are_found_by_id(folder: Path) -> None:
    week = week_for(load_week(folder), "rye")
    part = week.find_part("rye-wet")
    assert part is not None
    assert (part.session, part.id) == ("mix", "knead")
    assert week.find_part("weigh-spelt") is None
    assert week.session("MIX").id == "mix"
    with pytest.raises(Problem, match="it has MIX"):
        week.session("b")


def test_editing_prose_and_order_keeps_ids(folder: Path) -> None:
    before = {step.id for step in load_week(folder).steps()}
    text = (folder / "mix.md").read_text()
    head, weigh, knead = re.split(r"(?m)^(?=## [WK])", text)
    (folder / "mix.md").write_text(head + knead + "\n" + weigh.replace("Some text", "Other text"))
    assert {step.id for step in load_week(folder).steps()} == before


def test_windows_files_read_the_same(folder: Path) -> None:
    before = load_week(folder)
    for name in ("mix.md", "week.toml"):
        data = (folder / name).read_bytes().replace(b"\n", b"\r\n")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + data)
    assert load_week(folder) == before


def test_control_characters_never_reach_a_screen(folder: Path) -> None:
    edit(folder / "mix.md", "First.", "Fi\x1b[31mr\x07st[bold]\u202e.")
    shown = open_text(load_week(folder).sessions[0].parts[1])
    assert "First[bold]." in shown


# ── what authors are told

MISTAKES = [
    ("mix.md", "{#weigh-flour minutes=3}", "{#weigh minutes=3}", "mix.md:14: the id 'weigh' is used already"),
    ("mix.md", " {#weigh-flour minutes=3}", "", "mix.md:14: "),
    ("mix.md", " {#knead minutes=30}", "", "mix.md:31: "),
    ("mix.md", " {#knead minutes=30}", " {#knead}", "mix.md:31: 'minutes' is missing"),
    ("mix.md", "minutes=30", "minutes=soon", "mix.md:31: "),
    ("mix.md", "kind=predict", "kid=predict", "did you mean 'kind'?"),
    ("mix.md", "kind=predict", "kind=predicts", "mix.md:18: a step has no kind 'predicts'; did you mean 'predict'?"),
    ("mix.md", "{#weigh-flour minutes=3}", '{#weigh-guess-it done_when="retro writen"}', "did you mean 'retro written'?"),
    ("mix.md", "{#weigh-flour minutes=3}", "{#weigh-flour}", "mix.md:14: the step has no minutes"),
    ("mix.md", "{#weigh-flour minutes=3}", "{#weigh-flour importance=hihg}", "mix.md:14: a step has no importance 'hihg'; did you mean 'high'?"),
    ("mix.md", "seeds = 2", "sedes = 2", "mix.md:41: the action run has no field 'sedes'; did you mean 'seeds'?"),
    ("mix.md", "seeds = 2", "seeds = ", "mix.md:41: "),
    ("mix.md", "q1lab run", "q1lab rum", "mix.md:41: there is no action 'rum'; did you mean 'run'?"),
    ("mix.md", 'document = "LOAF.md"', "", "mix.md:48: "),
    ("mix.md", 'document = "LOAF.md"', 'url = "javascript:alert(1)"', "mix.md:48: "),
    ("mix.md", 'q1lab open\ndocument = "LOAF.md"', 'q1lab command\ncommand = "rm -rf /"', "is not a q1lab command"),
    ("mix.md", "</details>", "", "mix.md:20: </details> is missing below it"),
    ("mix.md", "<details>", "<details figure=oven>", "mix.md:20: "),
    ("mix.md", "{% endif %}", "", "mix.md:42: "),
    ("mix.md", "First.", "First {{ oven }}.", "mix.md:33: 'oven' is undefined"),
    ("mix.md", "First.", "{{ ''.__class__.__mro__ }}", "mix.md:33: "),
    ("guides/rye/knead.md", " {#rye-wet minutes=5}", "", "guides/rye/knead.md:5: "),
    ("guides/rye/knead.md", "Wet hands", "Wet {{ hands }}", "guides/rye/knead.md:3: "),
    ("week.toml", "mix.md", "mux.md", "mux.md"),
    ("week.toml", "minutes = 40", "minuets = 40", "week.toml: "),
    ("week.toml", 'title = "Mix"', "title = Mix", "week.toml: "),
    ("week.toml", 'id = "mix"', "", "week.toml: 'id' is missing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "words"), MISTAKES, ids=[f"{m[0]}, {m[2][:40]}" for m in MISTAKES]
)
def test_a_bad_week_is_one_line_that_names_the_place(
    folder: Path, file: str, old: str, new: str, words: str
) -> None:
    edit(folder / file, old, new)
    with pytest.raises(ContentProblem) as caught:
        load_week(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    assert words in str(caught.value)


def test_bytes_that_are_no_text_are_named(folder: Path) -> None:
    (folder / "mix.md").write_bytes(b"# ok\n\n\xff\xfe broken")
    with pytest.raises(ContentProblem, match=r"mix\.md: not UTF-8"):
        load_week(folder)


def test_no_week_at_all_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ContentProblem, match=r"week\.toml"):
        load_week(tmp_path / "nowhere")


def test_the_overview_may_ask(folder: Path) -> None:
    """Its steps are shown and pressed as others are, and counted nowhere."""
    edit(folder / "week.toml", 'default = "rye"', 'default = "rye"\noverview = "all.md"')
    (folder / "all.md").write_text(
        "# All\n\nFirst.\n\n- [ ] Say it {#say minutes=1}\n\n## Then\n\nLast.\n"
    )
    week = week_for(load_week(folder), "rye")
    first, step, last = week.overview
    assert isinstance(step, Step)
    assert isinstance(first, Text)
    assert isinstance(last, Text)
    assert (first.markdown, step.id, last.markdown) == ("First.", "say", "## Then\n\nLast.")
    assert "say" not in {step.id for step in week.steps()}


# ── the shipped week


@pytest.fixture(scope="module")
def week() -> Week:
    return load_week(SHIPPED)


def everything(week: Week) -> str:
    """All that a learner of this variant can meet, folded or not, as one text."""
    pieces = [week.title, week.goal, week.next, *map(block_text, week.overview)]
    for session in week.sessions:
        pieces += [session.title, session.goal, session.when, session.intro, *session.output]
        for part in session.parts:
            pieces.append(part.title)
            for block in part.blocks:
                pieces.append(block.title if isinstance(block, Action) else block_text(block))
    for variant in week.variants:
        pieces += [variant.title, variant.used_in, variant.difficulty, variant.paper]
    return re.sub(r"\s+", " ", "\n".join(pieces))


def test_the_shipped_week_has_the_parts_and_minutes_it_promises(week: Week) -> None:
    assert week.label == "M03-W04"
    assert week.next == "M04-W01"
    assert {part.id: part.minutes for part in week.parts()} == {
        "a1": 15, "a2": 90, "a3": 75, "b1": 90, "b2a": 15, "b2b": 115, "b3": 30, "c1": 90, "c2": 60, "c3": 45,
    }  # fmt: skip
    assert [session.id for session in week.sessions] == ["a", "b", "c"]
    assert {variant.name for variant in week.variants} >= {"rmsnorm", "rope", "swiglu", "gqa"}
    assert week.default == "rope"
    assert {kpi.id: (kpi.target, kpi.counter) for kpi in week.kpis} == {
        "public_repos": (3, "repos"), "blog_posts": (1, "posts"), "papers_read": (8, "papers"),
    }  # fmt: skip


@pytest.mark.parametrize("variant", CHANGES)
def test_each_part_is_walkable_for_each_variant(week: Week, variant: str) -> None:
    narrowed = week_for(week, variant)
    for part in narrowed.parts():
        assert 3 <= len(part.steps) <= 24, part.id
        assert open_text(part)
        assert "{variant}" not in open_text(part) + "".join(
            step.title + step.detail for step in part.steps
        )
    kinds = {step.kind for step in narrowed.steps()}
    assert kinds | {"read"} == set(STEP_KINDS)
    runs = [a.argv() for part in narrowed.parts() for a in part.actions if a.kind == "run"]
    assert ("q1lab", "run", variant) in [run[:3] for run in runs]
