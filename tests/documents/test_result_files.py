"""`q1lab export`: what is written can be read again, and holds what the store holds."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.export import export as command
from q1lab.documents.printed_tables import PRINTED_FORMS, PrintedTable, latex_text
from q1lab.documents.result_files import export_studies
from q1lab.ground.errors import Problem
from q1lab.index import study_names
from q1lab.index.store import Store
from q1lab.judgment.difference_text import interval_text
from q1lab.judgment.short_text import caveat_line
from q1lab.study import studies
from q1lab.verdict import comparison_cache
from tests.kit.fonts import needs_font
from tests.kit.lab_home import finish, make_study, train


def two() -> list[str]:
    finish(make_study("rope-1", "rope"))
    gqa = make_study("gqa-1", "gqa", created="2026-03-08T09:30:00+00:00")
    train(gqa, "baseline", 0, val=1.9)
    train(gqa, "modified", 0, 400, state="diverged", message='a "quoted", message')
    return ["rope-1", "gqa-1"]


def test_csv_has_a_row_a_run_unfinished_ones_too(tmp_path: Path) -> None:
    ids = two()
    with Store() as store:
        (file,) = export_studies(store, ids, "csv", tmp_path)
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == 12
    assert [row["state"] for row in rows[6:]] == ["finished", "diverged", *["queued"] * 4]
    assert rows[7]["message"] == 'a "quoted", message'
    assert rows[7]["value"] == ""
    assert float(rows[0]["value"]) == 1.905
    assert {row["verdict"] for row in rows[:6]} == {"cannot tell"}
    assert {row["level"] for row in rows[:6]} == {"95%"}
    assert float(rows[0]["low"]) < float(rows[0]["difference"]) < float(rows[0]["high"])
    assert rows[7]["low"] == ""
    assert rows[0]["data_sha256"] == studies.load("rope-1").data.sha256


def test_curves_have_every_point(tmp_path: Path) -> None:
    two()
    with Store() as store:
        (file,) = export_studies(store, ["gqa-1"], "csv", tmp_path / "points.csv", curves=True)
        points = store.db.execute(
            "SELECT count(*) FROM metrics JOIN runs ON runs.id = run_id WHERE study_id = 'gqa-1'"
        ).fetchone()[0]
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == points > 50
    assert {row["metric"] for row in rows} == {"train_loss", "val_loss"}


def test_csv_tells_two_studies_apart_by_their_settings(tmp_path: Path) -> None:
    two()
    with Store() as store:
        (file,) = export_studies(store, ["rope-1", "gqa-1"], "csv", tmp_path)
    row = next(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert (row["metric"], row["better"], row["command"]) == ("val_loss", "lower", "")
    assert (row["set.learning_rate"], row["set.n_layer"]) == ("0.001", "4")


def test_json_is_the_comparison(tmp_path: Path) -> None:
    ids = two()
    with Store() as store:
        (file,) = export_studies(store, ids, "json", tmp_path)
    document = json.loads(file.read_text())
    assert [record["study"] for record in document["studies"]] == ids
    assert document["studies"][0]["verdict"] == "cannot tell"
    assert document["studies"][1]["verdict"] == "no verdict"


@pytest.mark.parametrize(
    ("form", "head"), [("svg", b"<svg"), pytest.param("png", b"\x89PNG", marks=needs_font)]
)
def test_pictures(tmp_path: Path, form: str, head: bytes) -> None:
    ids = two()
    with Store() as store:
        files = export_studies(store, ids, form, tmp_path)
        assert [file.name for file in files] == [f"rope-1.{form}", f"gqa-1.{form}"]
        assert all(file.read_bytes().startswith(head) for file in files)
        with pytest.raises(Problem, match="2 studies make 2 files"):
            export_studies(store, ids, form, tmp_path / f"one.{form}")


def test_the_command(tmp_path: Path) -> None:
    two()
    run = CliRunner().invoke
    done = run(command, ["--output", str(tmp_path / "last.csv")], standalone_mode=False)
    assert done.return_value == 0
    assert done.output == f"wrote {tmp_path / 'last.csv'}\n"
    done = run(
        command,
        ["--all", "--format", "json", "--output", str(tmp_path), "--json"],
        standalone_mode=False,
    )
    record = json.loads(done.output)
    assert sorted(record["studies"]) == ["gqa-1", "rope-1"]
    assert Path(record["written"][0]).name == "q1lab-studies.json"


def test_names_are_exported(tmp_path: Path) -> None:
    two()
    with Store() as store:
        study_names.give_name(store, "gqa-1", "cheap")
        (file,) = export_studies(store, ["gqa-1", "rope-1"], "json", tmp_path)
    assert json.loads(file.read_text())["names"] == {"gqa-1": "cheap"}


def test_a_damaged_study_is_one_marked_row_and_stops_no_other(tmp_path: Path) -> None:
    two()
    studies.load("gqa-1").files.plan.write_text("{")
    run = CliRunner().invoke
    for form in ("csv", "json"):
        target = str(tmp_path / f"all.{form}")
        done = run(command, ["--all", "--output", target], standalone_mode=False)
        assert done.return_value == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    assert [row["study"] for row in rows] == [*["rope-1"] * 6, "gqa-1"]
    assert rows[-1]["state"] == "unreadable"
    assert "is damaged" in rows[-1]["message"]
    document = json.loads((tmp_path / "all.json").read_text())
    assert [record["study"] for record in document["studies"]] == ["rope-1"]
    assert list(document["unreadable"]) == ["gqa-1"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope-1"], "no study called 'nope-1'"),
        (["rope-1", "--all"], "one of them"),
        (["rope-1", "--format", "svg", "--curves"], "--curves makes a CSV"),
    ],
)
def test_bad_input(args: list[str], words: str) -> None:
    two()
    done = CliRunner().invoke(command, args, standalone_mode=False)
    assert isinstance(done.exception, Problem)
    assert words in str(done.exception)
    assert done.exception.code == 2


# ── the table of a paper


def test_printed_tables_have_the_arms_and_the_same_caveat(tmp_path: Path) -> None:
    ids = two()
    with Store() as store:
        (markdown,) = export_studies(store, ids, "markdown", tmp_path)
        (latex,) = export_studies(store, ids, "latex", tmp_path)
        comparison = comparison_cache.compare(store, studies.load("rope-1"))
    text, tex = markdown.read_text(encoding="utf-8"), latex.read_text(encoding="utf-8")
    head, _, baseline, modified, *_ = text.splitlines()
    assert head.startswith("| study | arm | n | val loss (nats; lower is better) | difference |")
    assert baseline.startswith("| rope-1 | baseline | 3 | 1.9")
    assert interval_text(comparison.analysis) in modified
    assert "cannot tell |" in modified
    assert caveat_line(comparison) in text
    assert latex_text(caveat_line(comparison)) in tex
    assert r"rope-1 & baseline & 3 & 1.9" in tex
    assert "diverged" in text
    assert tex.isascii()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_pdflatex_prints_odd_names(tmp_path: Path) -> None:
    names = [
        "n" * 90,
        r"a_b%c&d#e{f}$g~h^i\j",
        "say \"hi\" 'x' <a|b> `c` \\input{x}",
        "β2 → Ω ± é ß “q” …",
    ]
    rows = tuple((name, "5") for name in names)
    notes = tuple(names[1:])  # no line of text has room for the first
    table = PRINTED_FORMS["latex"].write(PrintedTable("odd", ("arm", "n"), rows, notes))
    assert "pdflatex" not in table
    head = "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
    (tmp_path / "odd.tex").write_text(f"{head}{table}\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "odd.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Overfull" not in done.stdout, "it is as wide as the text at most"


def test_letters_that_pdflatex_lacks_are_named() -> None:
    printed = PrintedTable("j", ("arm", "n"), (("日本 rope", "5"),), ())
    assert "% pdflatex can't print 日本: use lualatex" in PRINTED_FORMS["latex"].write(printed)


def test_latex_finds_no_command_in_a_name() -> None:
    assert latex_text("a_b & 50% ^x~ {\\input} #1 $ --lr") == (
        r"a\_b \& 50\% \textasciicircum{}x\textasciitilde{} \{\textbackslash{}input\} \#1 \$ -{}-lr"
    )
    assert latex_text("two\nlines −0.1") == "two lines $-$0.1"


NUMBERS = {"adam": (0.61, 0.62, 0.60), "lion|x_1": (0.70, 0.72, 0.71)}
