"""`q1lab class`: what a class hands in, honest and otherwise, becomes one table."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from q1lab.ground import paths
from q1lab.plugins.class_ import handout
from tests.kit.browser import Browser
from tests.kit.bundles import opened, sealed
from tests.kit.class_folders import Person, hand_in
from tests.kit.commands import q1lab
from tests.kit.without import Without
from tests.labs.zoo_wrong import WRONG

pytestmark = [pytest.mark.sample, pytest.mark.needs_plugin("verify")]

PEOPLE = (
    Person("anna", -0.050, 0.010),
    Person("ben", -0.046, 0.012, keeps=True),
    Person("carla", -0.054, 0.009, times=2),
    Person("dan", -0.049, 0.011),
    Person("eve", -0.052, 0.013),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class")
    for person in PEOPLE:
        hand_in(person, folder / "work", folder / "hand-ins")
    return folder / "hand-ins"


@pytest.fixture
def hand_ins(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder; the test stands beside it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, tmp_path / "hand-ins"))


def judged(code: int | None, *more: str) -> list[dict[str, Any]]:
    """The rows of the class, each with its line's title."""
    record = json.loads(q1lab("class", "hand-ins", "--json", *more, code=code).stdout)
    return [{**row, "line": line} for line in record["lines"] for row in line["results"]]


def row_of(rows: list[dict[str, Any]], who: str) -> dict[str, Any]:
    (row,) = [row for row in rows if row["who"] == who]
    return row


def table_in(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(file).read_text(encoding="utf-8").splitlines()))


def archive_of(hand_ins: Path, who: str) -> Path:
    (file,) = (hand_ins / who).glob("*.zip")
    return file


def test_a_class_is_one_table_and_the_teachers_home_stays_as_it_is(hand_ins: Path) -> None:
    """carla looked twice, and nobody else pays for that; ben's repository has commits."""
    home = paths.home()
    home.rmdir()
    text = q1lab("class", "hand-ins", "--output", "t.csv", "--output", "t.html").stdout
    written = {"written.json", "written.lock"}  # the hashes of both files, which were asked for
    assert not home.exists() or {file.name for file in home.iterdir()} <= written
    assert text.startswith("rope against baseline, text.txt, cpu: 5 hand-ins\n")
    assert max(map(cell_len, text.splitlines())) <= 80
    levels = {line.split()[0]: line.split()[5] for line in text.splitlines()[2:7]}
    assert levels == {"anna": "5%", "ben": "5%", "carla": "2.5%", "dan": "5%", "eve": "5%"}
    assert "That is so for 4 of 5 studies." in " ".join(text.split())
    assert "(random effects of 5 hand-ins and 3 seeds)" in " ".join(text.split())
    rows = table_in("t.csv")
    assert [row["who"] for row in rows] == ["anna", "ben", "carla", "dan", "eve", ""]
    assert [row["kind"] for row in rows[-2:]] == ["archive", "mean"]
    assert [row["commits"] for row in rows] == ["", "1", "", "", "", ""]
    assert rows[2]["looks_before"] == "1"
    page = Path("t.html").read_text()
    assert page.count("<tr>") == 6
    assert "<script" not in page


def test_nothing_that_was_handed_in_runs_unasked(hand_ins: Path, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass GPT: pass\nclass GPTConfig: pass\n"
    (hand_ins / "mallory.py").write_text(trap)
    (hand_ins / "anna" / "conftest.py").write_text(trap)
    assert row_of(judged(0), "mallory")["checks"] == "not run"
    assert not (tmp_path / "sprung").exists()


def test_a_model_file_is_checked_where_that_is_asked_for(hand_ins: Path) -> None:
    """A wrong file, one that can't be used, and keys that no check sees."""
    for who in [person.name for person in PEOPLE]:
        shutil.rmtree(hand_ins / who)
    wrong = next(case for case in WRONG if case.name == "SiLU of the product")
    (hand_ins / "kim.py").write_text(wrong.text())
    (hand_ins / "lea").mkdir()
    (hand_ins / "lea" / "model.py").write_text("class GPT(:\n")
    (hand_ins / "mia.py").write_text(
        "import os\nassert 'MY_API_KEY' not in os.environ\n" + wrong.text()
    )
    os.environ["MY_API_KEY"] = "secret"
    try:
        rows = judged(20, "--checks")
    finally:
        del os.environ["MY_API_KEY"]
    assert row_of(rows, "kim")["checks"] == "failed"
    assert wrong.says in " ".join(row_of(rows, "kim")["why"])
    assert row_of(rows, "lea")["checks"] == "unusable"
    assert "SyntaxError" in " ".join(row_of(rows, "lea")["why"])
    assert row_of(rows, "mia")["checks_words"] == row_of(rows, "kim")["checks_words"]


def test_a_run_of_each_is_trained_again_where_that_is_asked_for(
    hand_ins: Path, tmp_path: Path, fake_trainer: Callable[..., None]
) -> None:
    """A trainer that is started again has its own luck, which is hal's and not anna's."""
    fake_trainer()
    for who in ("ben", "carla", "dan", "eve"):
        shutil.rmtree(hand_ins / who)
    hand_in(Person("hal", -0.1), tmp_path / "work", hand_ins)
    rows = judged(20, "--cells", "6")
    assert row_of(rows, "hal")["verified"] == "yes"
    assert row_of(rows, "anna")["verified"] == "no"
    assert "edited-loss" in row_of(rows, "anna")["why"][0]


# ── bad input


def test_what_is_no_hand_in_is_counted_and_a_broken_one_stops_nobody(hand_ins: Path) -> None:
    broken = archive_of(hand_ins, "carla")
    broken.write_bytes(broken.read_bytes()[:2000])
    (hand_ins / ".DS_Store").write_bytes(b"\0")
    (hand_ins / "anna" / "photo.jpg").write_bytes(b"\xff\xd8")
    (hand_ins / "report.pdf").write_bytes(b"%PDF")
    (hand_ins / "loop").symlink_to(hand_ins)
    (hand_ins / "dan" / "up").symlink_to("..")
    (hand_ins / "nobody").mkdir()
    os.mkfifo(hand_ins / "dan" / "pipe.zip")
    with zipfile.ZipFile(hand_ins / "holiday.zip", "w") as packed:
        packed.writestr("beach.png", b"png")
    done = q1lab("class", "hand-ins", code=20)
    text = " ".join(done.stdout.split())
    assert "carla: can't be unpacked" in text
    assert "holiday: can't be unpacked (it holds 'beach.png', not a file of a study)" in text
    assert "Nothing handed in: nobody." in text
    assert "other files in the folder: not looked at." in text
    assert "so for 3 of 4 studies." in text, "an archive that can't be opened isn't counted"
    rows = judged(20)
    assert [row["who"] for row in rows if row["verified"] == "yes"] == ["anna", "ben", "dan", "eve"]


def forged(names: dict[str, bytes], target: Path, source: Path) -> None:
    """An archive with more members, as only a forger would write them."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in {**opened(source), **names}.items():
            packed.writestr(name, data)


def test_zips_that_lead_elsewhere_or_blow_up_are_one_row(hand_ins: Path, tmp_path: Path) -> None:
    anna = archive_of(hand_ins, "anna")
    forged({"/etc/q1lab-was-here": b"x"}, hand_ins / "absolute.zip", anna)
    forged({"../../out.py": b"x"}, hand_ins / "up.zip", anna)
    bomb = hand_ins / "bomb.zip"
    forged({"labels.json": b" " * (64 << 20)}, bomb, anna)
    lying = bytearray(bomb.read_bytes())
    size = (64 << 20).to_bytes(4, "little")
    while (place := lying.find(size)) >= 0:
        lying[place : place + 4] = (100).to_bytes(4, "little")
    bomb.write_bytes(lying)
    rows = judged(20)
    for who in ("absolute", "up", "bomb"):
        assert row_of(rows, who)["verified"] == "no"
        assert len(row_of(rows, who)["why"]) >= 1
    assert not Path("/etc/q1lab-was-here").exists()
    assert not list(tmp_path.rglob("out.py"))


def test_a_copy_is_named_and_counts_once(hand_ins: Path) -> None:
    shutil.copytree(hand_ins / "anna", hand_ins / "zoe")
    (hand_ins / "zoe" / "mine.zip").write_bytes(archive_of(hand_ins, "anna").read_bytes())
    rows = judged(0)
    assert row_of(rows, "anna")["same_as"] == ["zoe (mine.zip)", "zoe (rope-1.q1lab.zip)"]
    line = row_of(rows, "anna")["line"]
    assert (line["equal"], line["pooled"]["hand_ins"]) == (2, 5)


def test_names_are_data(hand_ins: Path) -> None:
    """Escapes, a new line, a formula, markup, wide and very long names."""
    names = ["\x1b[31mred\x1b[0m", "two\nlines", "=cmd|'calc'!A0", "<b>bold", "王" * 60]
    for name in [*names, "x" * 200]:
        shutil.copy(archive_of(hand_ins, "dan"), hand_ins / f"{name[:80]}.q1lab.zip")
    for name in (b"not utf \xff", b"nor \xff utf"):
        (hand_ins / os.fsdecode(name)).mkdir()
        shutil.copy(archive_of(hand_ins, "dan"), hand_ins / os.fsdecode(name + b"/\xfe.zip"))
    (hand_ins / os.fsdecode(b"nor \xff utf/\xfe.zip")).write_bytes(b"PK damaged")
    done = q1lab("class", "hand-ins", "--output", "t.csv", "--output", "t.html", code=20)
    assert len(judged(20)) == 13
    assert "\x1b" not in done.stdout
    assert "two lines" in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80
    cells = [row["who"] for row in table_in("t.csv")]
    assert "'=cmd|'calc'!A0" in cells
    assert "<b>bold" not in Path("t.html").read_text()


def test_other_settings_are_another_line(hand_ins: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    hand_in(Person("finn", -0.05, more=("--set", "max_iters=30")), work, hand_ins)
    hand_in(Person("gina", -0.05, more=("--baseline", "swiglu")), work, hand_ins)
    titles = {row["who"]: row["line"]["title"] for row in judged(0)}
    assert titles["gina"] == "rope against swiglu, text.txt, cpu"
    assert titles["finn"] != titles["anna"]
    assert titles["finn"].startswith("rope against baseline, text.txt, cpu, settings ")


def test_a_forged_number_is_refused_and_not_in_the_mean(hand_ins: Path) -> None:
    file = archive_of(hand_ins, "eve")
    files = opened(file)
    name = "runs/modified-seed1/events.jsonl"
    files[name] = files[name].replace(b'"val_loss": 1.', b'"val_loss": 0.')
    sealed(file, files)
    rows = judged(20)
    eve = row_of(rows, "eve")
    assert (eve["verified"], eve["verdict"]) == ("no", "")
    assert eve["why"]
    assert (eve["line"]["left_out"], eve["line"]["pooled"]["hand_ins"]) == (1, 4)


def test_a_model_file_that_trained_is_no_row_of_its_own(hand_ins: Path) -> None:
    model = opened(archive_of(hand_ins, "anna"))["source/modified/rope.py"]
    (hand_ins / "anna" / "rope.py").write_bytes(model)
    (hand_ins / "ben" / "other.py").write_bytes(model + b"\n# another\n")
    rows = judged(0)
    assert [row["kind"] for row in rows if row["who"] == "anna"] == ["archive"]
    assert sorted(row["kind"] for row in rows if row["who"] == "ben") == ["folder", "model file"]


NOTHING: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "an empty folder": (lambda at: (at / "class").mkdir(), 1, "holds no hand-in"),
    "a file": (lambda at: (at / "class").write_text(""), 2, "not a folder"),
    "nothing": (lambda at: None, 2, "no such folder"),
    "a loop": (lambda at: (at / "class").symlink_to("class"), 2, "not a folder"),
    "folders alone": (lambda at: (at / "class" / "anna").mkdir(parents=True), 1, "no hand-in"),
}


@pytest.mark.parametrize("what", NOTHING)
def test_a_folder_without_hand_ins_is_one_line(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, code, words = NOTHING[what]
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = q1lab("class", "class", code=code).stderr
    assert words in said
    assert len(said.splitlines()) == 1


def test_one_study_is_for_verify(hand_ins: Path) -> None:
    said = q1lab("class", "hand-ins/ben/studies/rope-1", code=2).stderr
    assert "`q1lab verify hand-ins/ben/studies/rope-1`" in said
    assert ".csv or .html" in q1lab("class", "hand-ins", "--output", "t.xlsx", code=2).stderr
    said = q1lab("class", "hand-ins", "--checks", "--for", "ropee", code=2).stderr
    assert said == "q1lab: --for ropee: did you mean 'rope'?\n"
    assert "give both" in q1lab("class", "hand-ins", "--for", "rope", code=2).stderr


# ── the page to hand out


def test_the_pages_fit_a_phone(hand_ins: Path, tmp_path: Path) -> None:
    """A table wider than that is moved in its place; a command is read whole."""
    q1lab("class", "hand-ins", "--output", "t.html")
    Path("names.txt").write_text("anna\n")
    q1lab("class", "names.txt", "--handout", "page.html")
    with Browser(tmp_path / "profile") as browser:
        for name, part in (("t.html", "table"), ("page.html", "pre")):
            browser.open(tmp_path / name, 320, phone=True)
            assert browser.value("document.documentElement.scrollWidth") == 320
            at = f"document.querySelector('{part}')"
            is_cut = browser.value(f"{at}.scrollWidth > {at}.clientWidth")
            assert is_cut == (part == "table")


def test_everybody_gets_seeds_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_trainer: Callable[..., None]
) -> None:
    """And the commands on the page can be typed."""
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("Anna\n\nBen <b>\x1b[1m\n  Carla  \n")
    q1lab("class", "names.txt", "--handout", "page.html")
    page = Path("page.html").read_text()
    for name, seeds in (("Anna", "100,101,102"), ("Ben &lt;b&gt;", "103,104,105")):
        assert f"<h2>{name}</h2>" in page
        assert f"--seeds {seeds}" in page
    assert "\x1b" not in page
    drawn = [seed for number in range(300) for seed in handout.seeds_of(number)]
    assert len(set(drawn)) == len(drawn)
    fake_trainer()
    Path("text.txt").write_text("To be, or not to be. " * 400)
    Path("mine.py").write_text((paths.models_dir() / "rope.py").read_text())
    (line,) = [line for line in page.splitlines() if "100,101,102" in line]
    more = ("--data", "text.txt", "--set", "max_iters=20", "--unchecked")
    q1lab(*line.split()[1:], *more)
    q1lab("export", "--format", "archive")
    Path("hand-ins/Anna").mkdir(parents=True)
    shutil.move("mine-1.q1lab.zip", "hand-ins/Anna")
    assert row_of(judged(0), "Anna")["verified"] == "yes"


@pytest.mark.parametrize(
    ("names", "words"),
    [(b"", "0 names"), (b"Anna\nAnna\n", "twice"), (b"\xff\xfe", "not UTF-8"), (None, "o such")],
)
def test_names_that_cannot_be_used_are_one_line(
    names: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if names is not None:
        Path("names.txt").write_bytes(names)
    said = q1lab("class", "names.txt", "--handout", "page.html", code=2).stderr
    assert words in said
    assert len(said.splitlines()) == 1
    assert not Path("page.html").exists()


# ── away


def test_without_it_nothing_else_is_missing(tmp_path: Path) -> None:
    away = Without("class_", tmp_path)
    assert "hands in" not in away.q1lab("--help").stdout
    assert "no command called 'class'" in away.q1lab("class", ".", code=2).stderr
    assert "class_" in away.q1lab("doctor").stdout


def test_without_verify_it_says_so(tmp_path: Path) -> None:
    away = Without("verify", tmp_path)
    (tmp_path / "hand-ins").mkdir()
    said = away.q1lab("class", "hand-ins", code=1).stderr
    assert said == "q1lab: the plug-in verify is away, and `q1lab class` needs it\n"
