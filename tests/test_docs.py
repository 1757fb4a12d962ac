"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.app.screens.verdict import VerdictScreen
from q1lab.commands.cli import cli
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.train import begin_study
from tests.kit.lab_home import app, open_lab, train, until, words
from tests.kit.places import ROOT
from tests.kit.plans import changed, plan_one

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "content" / "README.md"]


def test_no_file_holds_the_marks_of_a_conflict() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", "^(<<<<<<<|>>>>>>>) "], cwd=ROOT, capture_output=True, text=True
    )
    assert not found.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_was_made(page: Path) -> None:
    for name, text in re.findall(
        r"<!-- made: (\w+) -->\n(.*?)<!-- /made -->", page.read_text(), re.DOTALL
    ):
        assert text.strip(), f"{page.name}: {name} was never made"


def test_tables_are_as_their_command_makes_them_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that take seconds; the others are simulated for minutes."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    import together
    import verdict

    made = {"verdict.md": [verdict.power(), verdict.looks(), verdict.floor()]}
    made |= {"card.md": [together.text()]}
    for page, tables in made.items():
        text = (ROOT / "docs" / page).read_text()
        for table in tables:
            assert table in text, page


def test_the_verdict_that_is_shown_is_that_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    import verdict

    assert verdict.example() in (ROOT / "docs" / "verdict.md").read_text()


def test_what_readme_shows_of_a_command_is_what_it_prints() -> None:
    readme = (ROOT / "README.md").read_text()
    examples = re.findall(r"(?s)```sh\nq1lab ([^\n]*)\n```\n\n```text\n(.*?)```", readme)
    assert examples
    for typed, shown in examples:
        printed = CliRunner().invoke(cli, typed.split(), env={"COLUMNS": "80"}).output
        assert printed.strip() == shown.strip(), f"q1lab {typed} prints something else today"


async def test_the_words_of_readmes_pictures_are_todays(
    fake_trainer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app on the study that the pictures show, by the losses that stand in the film. If this
    fails: `python tools/docs/make.py film`."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    import film as camera
    import make

    film, lab = (
        [(ROOT / "docs" / "screens" / f"{name}-{theme}.svg").read_text() for theme in camera.THEMES]
        for name in ("film", "lab")
    )
    for dark, light in (film, lab):
        assert last_frame(dark) == last_frame(light), "one theme's picture shows other words"
    fake_trainer()
    with Store() as store:
        study = begin_study.save_plan(plan_one(make.film_request(), store), store)
    said = re.search("<metadata>(.*?)</metadata>", film[0])
    assert said is not None
    ends = json.loads(said[1])
    studies.save(changed(study, looks=(tuple(range(len(ends))),)))  # the range is over
    for seed, losses in ends.items():
        for arm, loss in zip(("baseline", "modified"), losses, strict=True):
            events = train(
                study, arm, int(seed), int(make.FILM_SETTINGS["max_iters"]), val=float(loss)
            )
            began, *_, ended = events.read_text().splitlines(keepends=True)
            events.write_text(began + ended)  # of a curve, the verdict would say something
    async with app().run_test(size=camera.LAB_SIZE) as pilot:
        await open_lab(pilot)
        await until(pilot, lambda: "bootstrap" in words(pilot.app))
        await until(pilot, lambda: "v verdict" in words(pilot.app), "the foot")
        of_curves = {"second", "half", "seeds", "iters"}
        more = {*letters(last_frame(lab[0]))} - {*letters(words(pilot.app))} - of_curves
        assert not more, f"README's picture of the lab says {more}"
        await pilot.resize_terminal(*camera.SIZE)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))
        await until(pilot, lambda: "bootstrap" in words(pilot.app))
        shown = words(pilot.app).splitlines()
    today = letters("\n".join(shown[at] for at in camera.ending(shown)))
    assert letters(last_frame(film[0])) == today, "README's film shows other words"


def letters(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", text)


def last_frame(film: str) -> str:
    """What stands there where motion is off, row by row, from left to right."""
    row = r'<g(?: class="\w+ (\w+)")? transform="translate\(0 ([\d.]+)\)">(.*?)</g>'
    lines: dict[float, list[tuple[float, str]]] = {}
    for kind, top, texts in re.findall(row, film):
        if kind != "f":
            found = re.findall(r'<text x="([\d.]+)"[^>]*>(.*?)</text>', texts)
            lines.setdefault(float(top), []).extend((float(x), html.unescape(t)) for x, t in found)
    return "\n".join(" ".join(t for _, t in sorted(lines[top])) for top in sorted(lines))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_example_names_a_number_that_the_giver_of_a_bundle_would_know(page: Path) -> None:
    """The giver would make their list of hashes again until it spares the forged runs."""
    assert not re.search(r"--number[ =][0-9]", page.read_text())
