"""Blind tests of a study: pairs of passages, of which the learner says which one the modified model
wrote. The passages, the order and each answer are acts of the journal."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.index.store import Store
from q1lab.plugins.sample.hit_rate import HitRate, hit_rate
from q1lab.plugins.sample.passages import PassagePair
from q1lab.study.studies import Study

PAIRS, TOKENS = 20, 200
"""Pairs of one test, and characters of each passage."""
FIRST_PASSAGE = 1_000_001
"""The number of the first test's first passage. Those from 1 on are shown by `q1lab sample` and the
lab with the names of their models, so who has seen them would know the answer."""


@dataclass(frozen=True)
class BlindTest:
    """One test of a study, numbered from 1."""

    number: int
    seed: int
    """The seed whose weights wrote."""
    key: str
    """The secret that puts each pair in order."""
    pairs: tuple[PassagePair, ...]
    answers: Mapping[int, int]
    """Pair → the passage, 1 or 2, that the learner took for the modified model's."""

    def place_of_modified(self, pair: int) -> int:
        """The place, 1 or 2, where a pair shows the modified model's passage."""
        return 1 + hashlib.sha256(f"{self.key} {pair}".encode()).digest()[0] % 2

    def passages(self, pair: int) -> tuple[str, str]:
        """A pair's passages in the order in which they are shown."""
        texts = self.pairs[pair].modified, self.pairs[pair].baseline
        return texts if self.place_of_modified(pair) == 1 else (texts[1], texts[0])

    @property
    def unanswered(self) -> list[int]:
        return [pair for pair in range(len(self.pairs)) if pair not in self.answers]

    @property
    def hits(self) -> int:
        """Right answers so far."""
        return sum(self.place_of_modified(pair) == place for pair, place in self.answers.items())


def read_tests(store: Store, study: Study) -> list[BlindTest]:
    """The blind tests of a study, oldest first."""
    name = (study.id, study.created)
    rows = store.db.execute(
        "SELECT * FROM blind_tests WHERE study_id = ? AND created = ? ORDER BY number", name
    ).fetchall()
    tests = []
    for row in rows:
        answers = store.db.execute(
            "SELECT pair, choice FROM blind_answers WHERE study_id = ? AND created = ? "
            "AND number = ? ORDER BY pair",
            (*name, row["number"]),
        )
        texts = json.loads(row["passages"])
        pairs = tuple(PassagePair(*pair) for pair in texts)
        tests.append(
            BlindTest(row["number"], row["seed"], row["key"], pairs, dict(map(tuple, answers)))
        )
    return tests


def open_test(tests: Sequence[BlindTest]) -> BlindTest | None:
    """The test that is not finished; None where there is none."""
    return next((test for test in tests if test.unanswered), None)


def total(tests: Sequence[BlindTest]) -> HitRate | None:
    """The hit rate over all finished tests; None before the first."""
    finished = [test for test in tests if not test.unanswered]
    if not finished:
        return None
    return hit_rate(sum(test.hits for test in finished), sum(len(test.pairs) for test in finished))


def prove_they_differ(study: Study, pairs: Sequence[PassagePair]) -> None:
    """Problem where no pair differs."""
    if all(pair.baseline == pair.modified for pair in pairs):
        raise Problem(
            f"both models of {study.id} write the same {len(pairs)} passages: there is nothing to "
            "tell apart",
            FAILED,
        )


def begin_test(store: Store, study: Study, seed: int, pairs: Sequence[PassagePair]) -> BlindTest:
    """Begin a test with these pairs; where another q1lab has begun one meanwhile, that one goes on.
    Problem where no pair differs."""
    prove_they_differ(study, pairs)
    with store.act() as add:
        test = open_test(read_tests(store, study))
        if test is None:
            add(
                "blind",
                study=study.id,
                created=study.created,
                seed=seed,
                key=secrets.token_hex(16),
                prompts=[pair.prompt for pair in pairs],
                baseline=[pair.baseline for pair in pairs],
                modified=[pair.modified for pair in pairs],
            )
            test = read_tests(store, study)[-1]
    return test


def answer_pair(store: Store, study: Study, test: BlindTest, pair: int, choice: int) -> None:
    """Keep an answer. The first answer to a pair counts."""
    store.add(
        "guess",
        study=study.id,
        created=study.created,
        number=test.number,
        pair=pair,
        choice=choice,
    )


def tests_json(tests: Sequence[BlindTest]) -> dict[str, Any]:
    """The tests as JSON; hits of a test only when it is finished."""
    rate = total(tests)
    return {
        "tests": [
            {
                "number": test.number,
                "seed": test.seed,
                "pairs": len(test.pairs),
                "answered": len(test.answers),
                "hits": None if test.unanswered else test.hits,
            }
            for test in tests
        ],
        "result": None
        if rate is None
        else {
            **{"hits": rate.hits, "pairs": rate.n, "share": rate.share},
            **{"low": rate.low, "high": rate.high, "verdict": str(rate.verdict)},
        },
    }
