"""`q1lab export STUDY FILE.html`: one page that holds everything and runs nothing."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.documents import comparison_page
from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit import lab_home

EVIL = "<script>alert(1)</script>|`*x*`"


@pytest.fixture
def study() -> studies.Study:
    finished_study = lab_home.make_study()
    lab_home.finish(finished_study, effect=-0.05)
    lab_home.compared(finished_study)
    return finished_study


def test_the_page_holds_verdict_tables_notes_figure_and_how_to_reproduce(
    study: studies.Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "rope.html"
    assert run_command_line(["export", study.id, str(target)]) == 0
    assert f"wrote {target}" in capsys.readouterr().out
    page = target.read_text(encoding="utf-8")
    assert "<title>HELPS: RoPE − baseline = " in page
    assert page.count("<img") == 1
    assert "<p><figure>" not in page, "a paragraph can't hold a figure"
    assert 'src="data:image/svg+xml;base64,' in page
    assert "prefers-color-scheme: dark" in page
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|iframe|object)|(?:src|href)=\"http", page)
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()
    first_page = target.read_bytes()
    assert run_command_line(["export", study.id, str(target)]) == 0
    assert target.read_bytes() == first_page, "the same record gives the same page"


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_comes_from_files_is_text(study: studies.Study) -> None:
    plan = study.files.root / "study.json"
    record = json.loads(plan.read_text(encoding="utf-8"))
    record["variant"] = record["data"]["name"] = EVIL
    plan.write_text(json.dumps(record), encoding="utf-8")
    with Store(paths.database_file()) as store:
        page = comparison_page.comparison_page(store, studies.load(study.id))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<em>x</em>" not in page


def test_before_a_run_has_ended_there_is_no_figure(tmp_path: Path) -> None:
    planned = lab_home.make_study()
    target = tmp_path / "rope.html"
    assert run_command_line(["export", planned.id, str(target)]) == 0
    page = target.read_text(encoding="utf-8")
    assert "<title>NO VERDICT: RoPE against baseline" in page
    assert "<img" not in page


def test_the_title_is_short_and_the_figure_as_wide_as_the_text(
    study: studies.Study, tmp_path: Path
) -> None:
    plan = study.files.root / "study.json"
    record = json.loads(plan.read_text(encoding="utf-8"))
    record["variant"] = "a_modification_with_a_name_of_forty_chars"
    plan.write_text(json.dumps(record), encoding="utf-8")
    target = tmp_path / "page.html"
    assert run_command_line(["export", study.id, str(target)]) == 0
    page = target.read_text(encoding="utf-8")
    (title,) = re.findall("<h1>(.*?)</h1>", page)
    assert len(unescape(title)) <= 66, "two lines of the column"
    assert "max-width: 34rem; }" not in page.split("@media (max-width")[0], "no empty margin"
    (drawing,) = re.findall(r"image/svg\+xml;base64,([^\"]+)", page)
    heads = re.findall('font-weight="bold">([^<]+)<', base64.b64decode(drawing).decode())
    assert heads
    assert not [head for head in heads if head.endswith("…")], "no title is cut"
