"""Managed regions: only they change, whatever the document holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.documents.managed_regions import (
    RegionProblem,
    find_regions,
    fingerprint,
    refresh_regions,
    region_block,
)
from q1lab.ground.errors import Problem

DOC = (
    "# Mine\n\n"
    + region_block("one", "old one")
    + "\nbetween, mine\n\n"
    + region_block("two", "old two")
    + "last, mine"
)


def bodies(data: bytes) -> dict[str, bytes]:
    return {region.name: region.body for region in find_regions(data)}


def outside(data: bytes, names: set[str]) -> list[bytes]:
    """The bytes before, between and after the named regions."""
    pieces, position = [], 0
    for region in find_regions(data):
        if region.name in names:
            pieces.append(data[position : region.start])
            position = region.end
    return [*pieces, data[position:]]


def test_only_the_owned_region_changes() -> None:
    done = refresh_regions(DOC.encode(), {"one": "new one"})
    assert (
        done.data
        == DOC.replace(region_block("one", "old one"), region_block("one", "new one")).encode()
    )
    assert done.changed == ("one",)
    assert done.edited == done.added == ()
    assert "-old one" in done.diffs["one"]
    assert "+new one" in done.diffs["one"]


def test_crlf_and_no_final_newline_survive() -> None:
    data = DOC.replace("\n", "\r\n").encode()
    done = refresh_regions(data, {"two": "a\nb"})
    assert done.edited == ()
    assert done.data.startswith(b"# Mine\r\n")
    assert b"-->\r\na\r\nb\r\n<!--" in done.data
    assert done.data.endswith(b"last, mine")
    assert b"\n" not in done.data.replace(b"\r\n", b"")


def test_line_ends_that_git_changed_are_no_edit() -> None:
    assert not any(region.edited for region in find_regions(DOC.replace("\n", "\r\n").encode()))


def test_a_learners_edit_is_kept_and_shown_and_overwritten_only_with_a_yes() -> None:
    edited = DOC.replace("old one", "old one, but I know better").encode()
    refreshed = refresh_regions(edited, {"one": "new one", "two": "new two"})
    assert bodies(refreshed.data)["one"] == b"old one, but I know better\n"
    assert bodies(refreshed.data)["two"] == b"new two\n"
    assert refreshed.edited == ("one",)
    assert "-old one, but I know better" in refreshed.diffs["one"]
    refreshed_twice = refresh_regions(refreshed.data, {"one": "new one", "two": "new two"})
    assert refreshed_twice.data == refreshed.data
    assert refreshed_twice.edited == ("one",)
    forced = refresh_regions(edited, {"one": "new one"}, overwrite=True)
    assert bodies(forced.data)["one"] == b"new one\n"
    assert not any(region.edited for region in find_regions(forced.data))


def test_an_edit_that_equals_the_new_text_is_no_conflict() -> None:
    edited = DOC.replace("old one", "new one").encode()
    done = refresh_regions(edited, {"one": "new one"})
    assert done.edited == ()
    assert (
        done.data
        == DOC.replace(region_block("one", "old one"), region_block("one", "new one")).encode()
    )


def test_a_hand_written_empty_region_is_filled_and_one_with_text_is_not() -> None:
    empty = b"<!-- q1lab:begin one -->\n\n<!-- q1lab:end one -->\n"
    assert bodies(refresh_regions(empty, {"one": "text"}).data)["one"] == b"text\n"
    filled = empty.replace(b"\n\n", b"\nmine\n")
    assert refresh_regions(filled, {"one": "text"}).edited == ("one",)


def test_a_missing_region_is_appended_once_and_not_when_told() -> None:
    done = refresh_regions(DOC.encode(), {"three": "new"})
    assert done.data == (DOC + "\n\n" + region_block("three", "new")).encode()
    assert done.added == ("three",)
    assert refresh_regions(done.data, {"three": "new"}).data == done.data
    assert refresh_regions(DOC.encode(), {"three": "new"}, append=False).data == DOC.encode()


@pytest.mark.parametrize("fence", ["```", "~~~~", "   ```markdown"])
def test_marks_in_code_are_text(fence: str) -> None:
    closing = fence.strip().removesuffix("markdown")
    example = f"{fence}\n<!-- q1lab:begin one -->\nexample\n<!-- q1lab:end one -->\n{closing}\n\n"
    indented = "    <!-- q1lab:begin two -->\n\n"
    data = (example + indented + DOC).encode()
    done = refresh_regions(data, {"one": "new"})
    assert done.data.startswith((example + indented).encode())
    assert bodies(done.data)["one"] == b"new\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a\n" + region_block("one", "x") + region_block("one", "y"), 5, "two regions 'one'"),
        ("<!-- q1lab:begin one -->\nx\n", 1, "never closed"),
        ("x\n<!-- q1lab:end one -->\n", 2, "no partner"),
        (
            "<!-- q1lab:begin one -->\n<!-- q1lab:begin two -->\n<!-- q1lab:end two -->\n",
            2,
            "not closed before",
        ),
        ("<!-- q1lab:begin One -->\n", 1, "not written as q1lab writes it"),
        ("<!-- q1lab:begin one --> trailing\n", 1, "not written as q1lab writes it"),
        ("<!-- q1lab:begin one -->\n<!-- q1lab:end two -->\n", 2, "not closed before"),
    ],
)
def test_broken_marks_are_refused_with_a_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RegionProblem, match=words) as caught:
        refresh_regions(text.encode(), {"one": "new"}, where="MODIFICATION.md", overwrite=True)
    assert str(caught.value).startswith(f"MODIFICATION.md:{line}: ")


def test_nothing_is_added_below_a_code_block_that_never_ends() -> None:
    with pytest.raises(RegionProblem, match="never closed"):
        refresh_regions(b"# x\n```\ncode\n", {"one": "new"})


@pytest.mark.parametrize(
    "data",
    [
        "\ufeff# BOM\n".encode(),
        DOC.encode("utf-16"),
        DOC.encode("utf-16-le"),
        "# Résumé\n".encode("latin-1"),
        DOC.replace("\n", "\r").encode(),
    ],
)
def test_what_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(Problem, match=r"D\.md must be UTF-8"):
        refresh_regions(data, {"one": "x"}, where="D.md")


def test_new_text_with_marks_in_it_is_never_written() -> None:
    for evil in ("<!-- q1lab:end one -->", "x\n  <!-- q1lab:begin two -->"):
        with pytest.raises(ValueError, match="mark"):
            refresh_regions(DOC.encode(), {"one": evil})


# ── over generated documents

NAMES = ("alpha", "beta", "gamma")
texts = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab `~#<>!-{}%\n\té−\U0001f600"),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=60,
).filter(lambda text: "q1lab:" not in text and "\0" not in text)
prose = st.one_of(
    texts,
    st.sampled_from(
        [
            "```\n<!-- q1lab:begin alpha -->\n```\n",
            "~~~\n<!-- q1lab:end beta -->\n~~~\n",
            "    <!-- q1lab:begin gamma -->\n",
            "text <!-- q1lab:begin gamma --> text\n",
            "<!-- an ordinary comment -->\n",
        ]
    ),
)
newlines = st.sampled_from(["\n", "\r\n"])


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Learner's prose with some regions in it, any line ends, perhaps no final newline."""
    newline = draw(newlines)
    pieces = [draw(prose)]
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
        pieces += [newline, region_block(name, draw(texts)).replace("\n", newline), draw(prose)]
    return "".join(pieces).encode()


contents = st.dictionaries(st.sampled_from(NAMES), texts, min_size=1)


@settings(max_examples=400, deadline=None)
@given(documents(), contents, st.booleans())
def test_every_byte_outside_survives_and_refresh_is_idempotent(
    data: bytes, new: dict[str, str], overwrite: bool
) -> None:
    try:
        done = refresh_regions(data, new, overwrite=overwrite)
    except Problem:
        return  # generated marks may be broken; then nothing is returned, so nothing can be written
    before, after = find_regions(data), find_regions(done.data)
    names_before = {region.name for region in before}
    assert {region.name for region in after} == names_before | set(new)
    # What lies outside the regions that we own is a prefix-equal copy; only appended regions may
    # follow.
    mine_before = outside(data, set(new))
    mine_after = outside(done.data, set(new) & names_before)
    assert mine_after[:-1] == mine_before[:-1]
    assert mine_after[-1].startswith(mine_before[-1])
    if not done.added:
        assert mine_after == mine_before
    for region in after:
        if region.name in new and region.name not in done.edited:
            assert not region.edited
    done_twice = refresh_regions(done.data, new, overwrite=overwrite)
    assert done_twice.data == done.data
    assert done_twice.added == done_twice.changed == ()


@settings(max_examples=200, deadline=None)
@given(documents(), contents, texts)
def test_an_edited_region_is_never_lost_without_a_yes(
    data: bytes, new: dict[str, str], edit: str
) -> None:
    try:
        regions = find_regions(data)
    except Problem:
        return
    for region in regions:
        body = edit.encode()
        if fingerprint(body) == fingerprint(region.body):
            continue
        changed = data[: region.body_start] + body + (b"\n" if not body.endswith(b"\n") else b"")
        changed += data[region.body_end :]
        try:
            edited_region = next(item for item in find_regions(changed) if item.name == region.name)
            done = refresh_regions(changed, new)
        except Problem:
            continue
        if region.name in done.edited or region.name not in new:
            assert edited_region.body in done.data
        else:
            refreshed_region = next(
                item for item in find_regions(done.data) if item.name == region.name
            )
            assert (
                not edited_region.edited
                or refreshed_region.body.split() == edited_region.body.split()
            )
