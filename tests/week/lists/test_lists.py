"""Predictions that lock, KPIs, papers, artifacts, posts: what the learner typed, kept and
scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from q1lab.ground.errors import Problem
from q1lab.journal import predictions
from q1lab.journal.predictions import Expected
from q1lab.journal.store import Store
from q1lab.week.lists import artifacts, kpis, papers, posts
from q1lab.week.syllabus import Kpi

WEEK = "M03-W04"


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


def predict(
    store: Store, direction: str = "lower", size: float = 0.03, **more: object
) -> dict[str, object]:
    expected = Expected(direction=direction, size=size, matters=0.01, confidence=0.7)
    return predictions.record_prediction(store, WEEK, "rope", expected, **more)  # type: ignore[arg-type]


def test_an_open_prediction_is_replaced_and_a_locked_one_is_not(store: Store) -> None:
    predict(store)
    second = predict(store, size=0.04)
    assert second["size"] == 0.04
    assert second["amended"] == []
    assert len(predictions.all_predictions(store)) == 1
    locked = predictions.lock_prediction(store, "rope", "commit 1a2b3c4")
    assert locked is not None
    assert locked["locked"]
    with pytest.raises(Problem, match=r"locked since .*commit 1a2b3c4.*--amend"):
        predict(store, "higher")
    assert predictions.newest_prediction(store, "rope") == locked


def test_an_amendment_is_dated_and_keeps_what_it_replaces(store: Store) -> None:
    predict(store)
    first = predictions.lock_prediction(store, "rope", "commit 1")
    amended = predict(store, "same", 0.0, amend=True)
    assert first is not None
    assert amended["locked"] is None
    assert amended["amended"] == [{key: value for key, value in first.items() if key != "amended"}]
    # An amendment is itself open until it is locked, and then can be amended again.
    predictions.lock_prediction(store, "rope", "commit 2")
    third = predict(store, "higher", 0.02, amend=True)
    assert [old["direction"] for old in third["amended"]] == ["same", "lower"]  # type: ignore[attr-defined]
    assert [item["direction"] for item in predictions.all_predictions(store)] == ["higher"]


def test_a_study_carries_the_prediction_and_locks_it(store: Store) -> None:
    assert predictions.locked_prediction(store, "rope") is None
    predict(store)
    carried = predictions.locked_prediction(store, "rope", "study rope-1")
    assert carried is not None
    assert carried["locked_by"] == "study rope-1"
    second_lock = predictions.locked_prediction(store, "rope", "study rope-2")
    assert second_lock == carried, "the first lock stands"


def test_a_file_of_ones_own_carries_the_prediction_of_its_modification(store: Store) -> None:
    predict(store)
    with store.transaction() as db:
        db.execute(
            "INSERT INTO modifications VALUES (?,?,?,?,?)",
            (WEEK, "rope", "/home/me/my_rope.py", None, "2026-01-01"),
        )
    carried = predictions.locked_prediction(store, "my_rope", "study my_rope-1")
    assert carried is not None
    assert carried["variant"] == "rope"
    assert predictions.locked_prediction(store, "other") is None


@pytest.mark.parametrize(
    ("direction", "size", "matters", "confidence"),
    [
        ("up", 0.1, 0.1, 0.5),
        ("lower", -0.1, 0.1, 0.5),
        ("lower", float("nan"), 0.1, 0.5),
        ("lower", 0.1, 0.0, 0.5),
        ("lower", 0.1, float("inf"), 0.5),
        ("lower", 0.1, 0.1, 1.5),
        ("lower", 0.1, 0.1, float("nan")),
        ("same", 0.2, 0.1, 0.5),
        ("higher", 0.0, 0.1, 0.5),
    ],
)
def test_predictions_that_make_no_sense(
    direction: str, size: float, matters: float, confidence: float
) -> None:
    with pytest.raises(Problem):
        Expected(direction=direction, size=size, matters=matters, confidence=confidence)


# ── KPIs, papers, artifacts

PLANNED = [
    Kpi("public_repos", "Public repos", 3, "repos"),
    Kpi("blog_posts", "Blog posts", 1, "posts"),
    Kpi("papers_read", "Papers read deeply", 8, "papers"),
]


def test_kpis_are_counted_until_set_by_hand(store: Store, tmp_path: Path) -> None:
    artifacts.add_artifact(store, "repo", "a", location="https://example.org/a")
    artifacts.add_artifact(store, "repo", "b", location=str(tmp_path))
    papers.add_paper(store, "One")
    papers.add_paper(store, "Two", depth="skim")
    papers.finish_paper(store, "One")
    papers.finish_paper(store, "two")
    posts.publish_post(store, WEEK, "https://example.org/q1")
    lines = {line.name: line for line in kpis.kpi_rows(store, PLANNED)}
    assert (
        lines["public_repos"].actual,
        lines["public_repos"].source,
        lines["public_repos"].met,
    ) == (
        1,
        "counted",
        False,
    )
    assert (lines["blog_posts"].actual, lines["blog_posts"].met) == (1, True)
    assert lines["papers_read"].actual == 1
    assert lines["papers_read"].target_from == "the week"
    kpis.set_kpi(store, "papers_read", actual=9, target=9)
    line = {line.name: line for line in kpis.kpi_rows(store, PLANNED)}["papers_read"]
    assert (line.actual, line.source, line.counted, line.target, line.met) == (
        9,
        "set by hand",
        1,
        9,
        True,
    )
    kpis.set_kpi(store, "papers_read", count=True)
    line = {line.name: line for line in kpis.kpi_rows(store, PLANNED)}["papers_read"]
    assert (line.actual, line.source, line.target) == (1, "counted", 9)


def test_a_kpi_is_counted_by_the_counter_that_it_names_and_by_no_word_of_its_title(
    store: Store,
) -> None:
    artifacts.add_artifact(store, "repo", "a", location="https://example.org/a")
    bugs, code = Kpi("bugs", "Bug reports filed", 3), Kpi("code", "Code in public", 1, "repos")
    kpis.set_kpi(store, "Papers for lunch", target=1)
    lines = {line.name: line for line in kpis.kpi_rows(store, [bugs, code])}
    assert {name: line.counted for name, line in lines.items()} == {
        "bugs": None,
        "code": 1,
        "Papers for lunch": None,
    }


@pytest.mark.parametrize(
    "name", ['Talks "given"', "it's", "a; DROP TABLE kpis", "[red]x[/]", "ünï \U0001f600"]
)
def test_kpi_names_are_text(store: Store, name: str) -> None:
    kpis.set_kpi(store, name, actual=1)
    kpis.set_kpi(store, name, target=2)
    assert [(line.name, line.actual, line.target) for line in kpis.kpi_rows(store)] == [
        (name, 1, 2)
    ]


def test_kpis_that_are_none(store: Store) -> None:
    for wrong in ({"actual": -1.0}, {"actual": float("nan")}, {}):
        with pytest.raises(Problem):
            kpis.set_kpi(store, "x", **wrong)  # type: ignore[arg-type]
    for name in ("", " \n", "x" * 400, "\x1b[31m"):
        with pytest.raises(Problem):
            kpis.set_kpi(store, name, actual=1)


def test_papers(store: Store) -> None:
    number = papers.add_paper(
        store, "  RoFormer\n", link="https://arxiv.org/abs/2104.09864", week=WEEK
    )
    papers.add_paper(store, "RoBERTa")
    with pytest.raises(Problem, match="already"):
        papers.add_paper(store, "RoFormer")
    with pytest.raises(Problem, match="matches 2"):
        papers.finish_paper(store, "ro")
    with pytest.raises(Problem, match="nothing in your list"):
        papers.finish_paper(store, "llama")
    done = papers.finish_paper(store, str(number), depth="skim", notes="short")
    first = done["done"]
    assert (done["title"], done["depth"], done["notes"]) == ("RoFormer", "skim", "short")
    assert papers.finish_paper(store, "roformer")["done"] == first, "the first date stays"
    with pytest.raises(Problem, match="not a web address"):
        papers.add_paper(store, "x", link="javascript:alert(1)")
    for title in ("Atention", "Attention"):  # the link says that it is the same one
        assert papers.add_paper(store, title, link="https://arxiv.org/abs/1706.03762") == 3
    assert [paper["title"] for paper in papers.all_papers(store)] == [
        "RoFormer",
        "RoBERTa",
        "Attention",
    ]


def test_artifacts(store: Store) -> None:
    artifacts.add_artifact(store, "repo", "a", location="https://example.org/a")
    with pytest.raises(Problem, match="already"):
        artifacts.add_artifact(store, "repo", "a")
    with pytest.raises(Problem, match="URL is neither a web address nor a folder here"):
        artifacts.add_artifact(store, "repo", "b", location="URL")
    with pytest.raises(Problem, match="one of repo"):
        artifacts.add_artifact(store, "house", "a")
    assert artifacts.remove_artifact(store, "a")["location"] == "https://example.org/a"
    assert artifacts.all_artifacts(store) == []


# ── the post


def test_canonical_first_then_each_channel_once(store: Store) -> None:
    with pytest.raises(Problem, match="first give the canonical address"):
        posts.share_post(store, WEEK, "hn", "https://example.org/1")
    posts.save_post(store, WEEK, "A title", "/repo/post.md")
    with pytest.raises(Problem, match="first give the canonical address"):
        posts.share_post(store, WEEK, "hn", "https://example.org/1")
    posts.publish_post(store, WEEK, "https://example.org/post")
    posts.share_post(store, WEEK, "Show HN", "https://example.org/1")
    with pytest.raises(Problem, match="recorded already"):
        posts.share_post(store, WEEK, "hn", "https://example.org/2")
    with pytest.raises(Problem, match="is the post itself"):
        posts.share_post(store, WEEK, "x", "https://example.org/post")
    post = posts.share_post(store, WEEK, "hn", "https://example.org/2", replace=True)
    assert [(item["channel"], item["url"]) for item in post["shares"]] == [
        ("hn", "https://example.org/2")
    ]
    post = posts.share_post(store, WEEK, "My newsletter", "https://example.org/3", other=True)
    assert {item["channel"] for item in post["shares"]} == {"hn", "my newsletter"}
    published = post["published"]
    moved = posts.publish_post(store, WEEK, "https://example.org/moved")
    assert (moved["url"], moved["published"], moved["title"]) == (
        "https://example.org/moved",
        published,
        "A title",
    )
    assert posts.all_posts(store) == [moved]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://nodots",
        "https://a b.org",
        "javascript:alert(1)",
        "https://example.org/<script>",
        "https://[::1",
        "https://example.org/\n",
        "https://user:pw@example.org/",
    ],
)
def test_addresses_that_are_none(store: Store, url: str) -> None:
    with pytest.raises(Problem):
        posts.publish_post(store, WEEK, url)
    assert posts.post_of_week(store, WEEK) is None


@pytest.mark.parametrize(
    ("typed", "sure"), [("70", 0.7), ("70%", 0.7), ("0.7", 0.7), ("1", 1.0), ("1%", 0.01)]
)
def test_how_sure_one_is_may_be_typed_as_a_percentage_or_a_share(typed: str, sure: float) -> None:
    names = {name: name for name in ("size", "matters", "sure")}
    form = {"direction": "lower", "size": "0.02", "matters": "0.01", "sure": typed, "why": ""}
    expected = predictions.parse_prediction(form, names)
    assert expected.confidence == pytest.approx(sure)
