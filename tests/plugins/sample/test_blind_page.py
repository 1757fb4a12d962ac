"""`q1lab sample --blind --html`: a blind test as a page. Its script is played by node, and the page by
chromium, where there is one; what the page is made of is looked at everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.plugins.sample import blind_page, blind_text
from q1lab.plugins.sample.blind_tests import BlindTest
from q1lab.plugins.sample.hit_rate import hit_rate
from q1lab.plugins.sample.passages import PassagePair
from q1lab.study import corpora
from q1lab.study.studies import Study
from tests.kit.browser import Browser
from tests.kit.commands import q1lab
from tests.kit.lab_home import finish, make_study
from tests.kit.places import KIT
from tests.kit.tiny_study import TEXT

pytestmark = pytest.mark.sample

HOSTILE = "</script><script>alert(1)</script>\\u003c ${x} $title <!-- \u2028 & \"'"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    """A finished study, whose sampler lets each model name its arm."""
    monkeypatch.setenv("Q1LAB_SAMPLER", f"{sys.executable} {KIT / 'fake_sample.py'}")
    data = corpora.store_corpus("text", TEXT.encode(), 16)
    made = make_study(sha256=data.sha256)
    finish(made)
    for run in made.runs:
        made.files.run(run.name).model.touch()
    made.files.launch.write_text("{}")
    return made


@pytest.fixture
def page(study: Study, tmp_path: Path) -> Path:
    file = tmp_path / "blind.html"
    q1lab("sample", study.id, "--blind", "--html", str(file))
    return file


def record_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="test">(.*?)</script>', page, re.S)
    return json.loads(text)  # type: ignore[no-any-return]


def places(record: dict[str, Any]) -> list[int]:
    """Where the modified model's passage stands, by what the fake sampler wrote."""
    return [1 + second.endswith("modified") for _, _, second in record["pairs"]]


def play(page: Path, *steps: str) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to run the page's script")
    player = Path(__file__).with_name("play_page.js")
    done = subprocess.run(
        [node, str(player), str(page), *steps], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


COUNT, SCORE = "at('count').textContent", "at('score').textContent"

KEYS = {
    1: ("key:1", "key:ArrowLeft", "click:first"),
    2: ("key:2", "key:ArrowRight", "click:second"),
}


@pytest.mark.parametrize("hits", [0, 9, 15, 20])
@pytest.mark.parametrize("by", range(3))
def test_it_scores_as_the_terminal_does(page: Path, hits: int, by: int) -> None:
    right = places(record_of(page.read_text()))
    steps = [KEYS[place if k < hits else 3 - place][by] for k, place in enumerate(right)]
    played = play(page, *steps, "click:first", "key:x", ("key:c", "click:copy")[by % 2])
    assert [pair[0] for pair in played["seen"]] == [f"Pair {k} of 20" for k in range(1, 21)]
    rate = hit_rate(hits, 20)
    assert played["shown"]["score"].startswith(f"{blind_text.result_line(rate)}, so ")
    assert blind_text.share_text(rate) in played["line"]
    assert played["copied"] == played["line"]
    assert played["shown"]["asking"] is None, "the pairs are gone"
    assert played["shown"]["which"].count("right") == hits


def test_in_a_browser_by_keys(page: Path, tmp_path: Path) -> None:
    right = places(record_of(page.read_text()))
    with Browser(tmp_path / "profile") as browser:
        browser.open(page)
        browser.value("at('text1').textContent = 'line\\n'.repeat(9)")
        tops = browser.value("['text1', 'text2'].map((id) => at(id).getBoundingClientRect().top)")
        assert tops[0] == tops[1], "a short passage begins beside a long one"
        for pair, place in enumerate(right):
            assert browser.value(COUNT) == f"Pair {pair + 1} of 20"
            browser.press(("1", "2", "ArrowLeft", "ArrowRight")[place - 1 + 2 * (pair % 2)])
        assert browser.value(SCORE).startswith(blind_text.result_line(hit_rate(20, 20)))
        assert browser.value("at('asking').checkVisibility()") is False
        browser.press("c")
        assert browser.value("getSelection().toString()") == browser.value("at('line').value")
        assert (browser.complaints(), browser.requests()) == ([], [page.as_uri()])


def test_in_a_browser_by_touch_on_a_small_phone(page: Path, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(page, 320, phone=True)
        assert browser.value("document.documentElement.scrollWidth") == 320
        browser.tap("#second")
        assert browser.value(COUNT) == "Pair 2 of 20"
        browser.value("Array.from({length: 19}, () => answer(1))")
        assert browser.value("at('line').scrollHeight <= at('line').clientHeight"), "all is seen"
        browser.tap("#copy")
        assert browser.value("getSelection().toString()") == browser.value("at('line').value")
        assert browser.complaints() == []


def test_nothing_is_scored_before_the_last_answer(page: Path) -> None:
    played = play(page, *["key:1"] * 19, "key:c")
    assert played["shown"]["result"] is None
    assert (played["line"], played["copied"]) == ("", None)


def test_one_press_answers_one_pair(page: Path) -> None:
    played = play(page, "key:1", "held:1", "held:1", "click:second", "again:second", "key:x")
    shown = [pair[0] for pair in played["seen"]]
    assert shown == ["Pair 1 of 20", *["Pair 2 of 20"] * 3, *["Pair 3 of 20"] * 2]


def test_a_passage_is_text_whatever_it_holds(study: Study, tmp_path: Path) -> None:
    pairs = tuple(PassagePair(HOSTILE, f"{HOSTILE} old", f"{HOSTILE} new") for _ in range(20))
    test = BlindTest(0, 0, "key", pairs, {})
    file = tmp_path / "hostile.html"
    file.write_bytes(blind_page.blind_page(study, test, None))
    text = file.read_text()
    assert text.count("</script>") == 2
    assert record_of(text)["pairs"][0][0] == HOSTILE
    played = play(file, *["key:1"] * 20)
    assert played["seen"][0][1:] == [HOSTILE, *test.passages(0)]


def test_the_answers_are_not_read_at_a_glance(page: Path, study: Study) -> None:
    text = page.read_text()
    record = record_of(text)
    code = [int(record["code"][4 * k : 4 * k + 4], 16) for k in range(20)]
    assert [1 + number % 2 for number in code] == places(record)
    assert len(set(code)) > 10
    assert "lightly scrambled, not secret" in q1lab("sample", "--help").stdout.replace("\n  ", " ")


class Tags(HTMLParser):
    """Fails where tags don't match; keeps ids, and addresses that would be loaded."""

    EMPTY = ("meta", "!doctype")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.loads += [name for name in known if name in ("src", "href", "action", "srcset")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_small_and_loads_nothing(page: Path) -> None:
    text = page.read_text()
    tags = Tags(text)
    assert len(tags.ids) == len(set(tags.ids))
    assert set(re.findall(r'at\("(\w+)"\)', text)) <= set(tags.ids)
    assert tags.loads == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|WebSocket|import\(", text)
    assert "default-src 'none'" in text
    assert len(text.encode()) < 60_000


def luminance(color: str) -> float:
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_in_light_and_dark(page: Path) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", page.read_text(), re.S)
    for theme in (light, dark):
        color = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        grounds = [color["paper"], color["panel"]]
        for role in ("ink", "soft", "mark"):
            assert min(contrast(color[role], ground) for ground in grounds) >= 4.5, role
        assert contrast(color["on-mark"], color["mark"]) >= 4.5
        assert min(contrast(color["line"], ground) for ground in grounds) >= 3, "edges"


def test_the_page_is_no_answer_and_no_test_of_the_journal(page: Path, study: Study) -> None:
    assert not paths.journal_file().exists()
    state = json.loads(q1lab("sample", study.id, "--blind", "--json").stdout)
    assert state == {"study": study.id, "tests": [], "result": None}
    numbers = {int(number) for number in re.findall(r"verily (\d+) says", page.read_text())}
    assert numbers == set(range(blind_page.FIRST_PASSAGE, blind_page.FIRST_PASSAGE + 20))


def refusal(*words: str, code: int = 2) -> str:
    (line,) = [
        line
        for line in q1lab("sample", *words, code=code).stderr.splitlines()
        if line.startswith("q1lab: ")
    ]
    return line


def test_what_can_be_no_page_is_one_line(
    study: Study, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(page)
    assert "with --blind" in refusal(study.id, "--html", file)
    blind = (study.id, "--blind", "--html")
    for odd in ("--again", "--json"):
        assert f"{odd} is for the tests in a terminal" in refusal(*blind, file, odd)
    assert "there is no folder" in refusal(*blind, str(tmp_path / "no" / "page.html"))
    q1lab("sample", *blind, file)  # what q1lab wrote it writes over
    page.write_text("my own")
    assert "--force" in refusal(*blind, file)
    assert page.read_text() == "my own"
    q1lab("sample", *blind, file, "--force")
    assert "<!doctype html>" in page.read_text()
    same = "import json,sys; r=json.load(sys.stdin); n=r['passages']; t=['a']*n"
    answer = "json.dump({'prompts': t, 'passages': {a: t for a in r['files']}}, sys.stdout)"
    monkeypatch.setenv("Q1LAB_SAMPLER", f'{sys.executable} -c "{same}; {answer}"')
    assert "nothing to tell apart" in refusal(*blind, str(tmp_path / "same.html"), code=1)
    long = same.replace("['a']*n", "[str(k) * 9000 for k in range(n)]")
    arms = answer.replace("{a: t for", "{a: [a + x for x in t] for")
    monkeypatch.setenv("Q1LAB_SAMPLER", f'{sys.executable} -c "{long}; {arms}"')
    assert "the most is 200 kB" in refusal(*blind, str(tmp_path / "long.html"), code=1)
    for seed in study.seeds:
        study.files.run(f"modified-seed{seed}").model.unlink()
    assert "prune --models" in refusal(*blind, str(tmp_path / "other.html"))
    (study.files.root / study.arms["modified"].source).unlink()
    assert "rope.py is gone" in refusal(*blind, str(tmp_path / "gone.html"))
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["blind.html"]


def test_a_model_against_itself_is_no_blind_test(study: Study, tmp_path: Path) -> None:
    floor = make_study("baseline-1", "baseline")
    finish(floor)
    for words in (("--html", str(tmp_path / "page.html")), ()):
        assert "are the same model" in refusal(floor.id, "--blind", *words)
