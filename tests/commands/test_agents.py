"""The front door for agents and scripts: JSON, errors as JSON, and what an agent leaves to the
learner."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands import cli
from q1lab.commands.error_boundary import problem_record
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, OK, USAGE, Problem
from q1lab.journal import acts
from q1lab.journal.store import Store
from q1lab.week.lists import papers
from tests.kit import lab_home
from tests.kit.commands import commands, q1lab
from tests.kit.places import ROOT
from tests.kit.repos import begun, of_its_own

PREDICTION = ["rope", "--direction", "lower", "--size", "0.02", "--matters", "0.01", "--sure", "70"]


def test_a_diff_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command_line(["diff", "rope", "--json"]) == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["variant"], shown["baseline"]) == ("rope", "baseline")
    added = [line for line in shown["diff"].splitlines() if re.match(r"\+(?!\+\+)", line)]
    assert len(added) == shown["added"] > 0


# ── errors with --json


@pytest.mark.parametrize(
    ("words", "code", "term", "then"),
    [
        (["status", "--nope"], USAGE, "No such option", None),
        (["nope"], USAGE, "no command called 'nope'", None),
        (["compare", "rope-9"], USAGE, "rope-9", None),
        (
            ["predict", "rope", "--sure", "7"],
            USAGE,
            "--direction is missing",
            None,
        ),
    ],
)
def test_an_error_is_one_object(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    term: str,
    then: str | None,
) -> None:
    plain = cli.run_command_line(words)
    line = capsys.readouterr().err
    assert cli.run_command_line([*words, "--json"]) == plain == code
    record = json.loads(capsys.readouterr().out)
    assert list(record) == ["error", "what", "file", "line", "next", "fixable_by"]
    assert record["error"] == "usage"
    assert term in record["what"]
    assert then is None or then in record["next"]
    assert record["what"] in line
    assert record["fixable_by"] == "you"


def of_command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, object], str]:
    """The output of a command that fails: the record for programs, the line for a person."""
    assert cli.run_command_line([*words, "--json"]) != 0
    out, err = capsys.readouterr()
    return json.loads(out), err.removeprefix("q1lab: ").rstrip("\n")


def test_what_to_do_is_told_apart_whatever_sign_stands_before_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, line = of_command(capsys, "modification", "--repo", str(tmp_path / "no" / "such"))
    assert str(record["what"]).startswith("there is no folder")
    assert "check --repo" in str(record["next"])
    assert line == f"{record['what']}: {record['next']}"
    record, line = of_command(capsys, "compare", "rope-9")
    assert line == f"{record['what']}; {record['next']}"


DEMAND = r"[;:] (?:give|run|try|use|choose|say|name|make|leave|put|fix|`q1lab|--\\S+ \\w+s\\b)"


def test_no_problem_says_what_to_do_in_what_is_wrong() -> None:
    hidden = []
    for file in sorted((ROOT / "q1lab").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem" and node.args:
                text = ast.unparse(node.args[0])
                if re.search(DEMAND, text) and "next" not in [
                    keyword.arg for keyword in node.keywords
                ]:
                    hidden.append(f"{file.name}:{node.lineno}: {text}")
    assert hidden == []


def test_file_and_line_are_where_the_fault_is(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "a; b, line 7.py"
    model.write_text("x = 1\nif x\n")
    record, line = of_command(capsys, "run", str(model))
    assert (record["file"], record["line"], record["next"]) == (str(model), 2, None)
    assert record["what"] == line
    paths.config_file().write_text('theme = 7\nwand = "off"\n')
    record, _ = of_command(capsys, "modification")
    assert (record["file"], record["line"]) == (str(paths.config_file()), None)
    assert not Problem("https://example.org/x.py:80: no answer").file


def test_who_can_mend_it() -> None:
    assert problem_record(Problem("x", FAILED, next="y")) == {
        "error": "failed",
        "what": "x",
        "file": None,
        "line": None,
        "next": "y",
        "fixable_by": "you",
    }


# ── who acts


def test_an_agent_leaves_to_the_learner_what_is_theirs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(acts.AGENT, "codex\n")
    assert cli.run_command_line(["predict", *PREDICTION, "--json"]) == FAILED
    out, err = capsys.readouterr()
    assert json.loads(out)["fixable_by"] == "learner"
    assert len(err.splitlines()) == 1
    assert "codex acts" in err
    with Store() as store:
        for act in (
            lambda: store.add("tick", week="W", step="a1", done=True),
            lambda: store.add("answer", week="W", step="a1", text="words"),
            lambda: store.add("recall", week="W", step="a1", right=True),
        ):
            with pytest.raises(Problem, match="the learner's own"):
                act()
        assert store.db.execute("SELECT count(*) FROM acts").fetchone()[0] == 0
    assert cli.run_command_line(["predict", "rope"]) == OK  # to read it is fine
    monkeypatch.delenv(acts.AGENT)
    assert cli.run_command_line(["predict", *PREDICTION]) == OK


def test_where_nobody_answers_nothing_that_needs_an_answer_happens(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    refused = q1lab("modification", "rope", code=USAGE)
    assert "is in no git repository" in refused.stderr
    assert not (tmp_path / ".git").exists(), "a repository that nobody asked for"
    monkeypatch.chdir(begun(tmp_path / "repo"))
    q1lab("modification", "rope", "--yes")
    study = lab_home.make_study()
    lab_home.finish(study)
    lab_home.compared(study)
    refused = q1lab("modification", "swiglu", code=USAGE)
    assert "--yes changes your choice" in refused.stderr, "a trained choice is replaced unasked"


def test_a_box_of_the_roadmap_is_theirs_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    root = begun(tmp_path / "repo")
    file = root / "AI_EXPERT_ROADMAP.md"
    file.write_text("# M03-W04\n\n- [ ] Read\n")
    monkeypatch.setenv(acts.AGENT, "codex")
    assert (
        cli.run_command_line(["course", "roadmap", "--repo", str(root), "--tick", "3", "--yes"])
        == FAILED
    )
    assert "[ ]" in file.read_text()


@pytest.mark.parametrize(
    ("name", "terminal", "who"),
    [
        ("codex", True, "agent codex"),
        (" a\x1b[31m b ", False, "agent a b"),
        ("", True, "person"),
        ("  ", False, "no terminal"),
    ],
)
def test_the_journal_says_who_acted(
    fake_trainer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    terminal: bool,
    who: str,
) -> None:
    monkeypatch.setenv(acts.AGENT, name)
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal)
    with Store() as store:
        papers.add_paper(store, title="RoFormer", depth="skim")
    with Store() as store:
        (row,) = store.db.execute("SELECT body FROM acts").fetchall()
    assert json.loads(row["body"])["who"] == who
    cli.run_command_line(["doctor", "--json"])
    assert f"{who} 1" in json.loads(capsys.readouterr().out)["acts"]


def test_each_command_with_json_answers_a_slip_in_json(home: Path) -> None:
    takes = [
        words for words, command in commands() if any("--json" in o.opts for o in command.params)
    ]
    assert len(takes) > 20
    for words in takes:
        done = q1lab(*words, "--no-such-option", "--json", code=USAGE)
        assert json.loads(done.stdout)["error"] == "usage", words
        assert "--no-such-option" in done.stderr
