"""A comparison of hundreds of seeds is one screen, and says where the rest is."""

from __future__ import annotations

import json

import pytest

from q1lab.commands import cli
from tests.kit import lab_home


def told(seeds: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    study = lab_home.make_study(f"rope-{seeds}", seeds=tuple(range(seeds)))
    lab_home.finish(study)
    assert cli.run_command_line(["compare", study.id, "--full"]) == 0
    return capsys.readouterr().out.splitlines()


def rows(lines: list[str]) -> list[int]:
    rows_of_seeds = [line.split() for line in lines if line.startswith("seed ")]
    return [int(words[1]) for words in rows_of_seeds]


def test_twenty_seeds_are_shown_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(told(20, capsys)) == list(range(20))


def test_more_are_folded_to_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(60, capsys)
    shown = rows(lines)
    assert len(shown) == 10
    assert any("10 of 60 seeds" in line for line in lines)
    assert len(lines) < 55
    assert cli.run_command_line(["compare", "rope-60", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    values = {arm: record["arms"][arm]["values"] for arm in ("baseline", "modified")}
    pairs = {int(s): values["modified"][s] - values["baseline"][s] for s in values["baseline"]}
    assert len(pairs) == 60, "--json has all"
    order = sorted(pairs, key=lambda seed: (pairs[seed], seed))
    rest = order[5:-5]
    assert max(pairs[s] for s in shown) == max(pairs.values())
    assert min(pairs[s] for s in shown) == min(pairs.values())
    assert not set(shown) & set(rest[1:-1])


def test_a_run_without_a_pair_is_shown_among_hundreds(capsys: pytest.CaptureFixture[str]) -> None:
    study = lab_home.make_study("rope-1", seeds=tuple(range(30)))
    lab_home.finish(study)
    lab_home.train(study, "modified", 17, 400, state="diverged")
    assert cli.run_command_line(["compare", "rope-1", "--full"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("seed 17") and "diverged" in line for line in lines)
