"""The sentence of a draft about blind tests."""

from __future__ import annotations

from q1lab.documents import post
from q1lab.documents.claim_lint import lint_draft, numbers_in
from q1lab.index.store import Store
from q1lab.plugins.sample import blind_tests
from q1lab.plugins.sample.passages import PassagePair
from q1lab.week.content import load_week
from tests.kit import document_records as records
from tests.kit.lab_home import compared, finish, make_study
from tests.kit.places import CONTENT


def test_the_draft_says_how_often_its_author_was_right_in_blind_tests() -> None:
    study, week = make_study(), load_week(CONTENT)
    finish(study, effect=-0.05, noise=0.002)
    compared(study)
    with Store() as store:
        assert post.gather_post(store, week).facts == ()
        test = blind_tests.begin_test(store, study, 0, [PassagePair("a", "b", "c")] * 20)
        for pair in range(20):
            place = test.place_of_modified(pair)
            blind_tests.answer_pair(store, study, test, pair, place if pair < 11 else 3 - place)
        record = post.gather_post(store, week)
    draft = post.post_document(record).text
    assert "11 times out of 20 (55%; 95% interval 32% to 77%)" in draft
    known = numbers_in(records.comparison("cannot tell"))
    assert lint_draft(draft.encode(), record.verdict, known) == []
