"""What a check's report says: what could not be judged has neither passed nor failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from q1lab.ground.errors import FAILED, OK, UNFINISHED
from q1lab.study.own_model.run_checks import CheckReport, CheckResult

PASSED = CheckResult("batch", True, "", "rows agree", "", 0.1)
FAILS = CheckResult("prefix", False, "", "logits move", "", 0.1)
ECHO = replace(FAILS, name="context", follows="prefix")
SKIPPED = CheckResult("attention", False, "", "no scores were seen", "", 0.1, judged=False)
UNSEEN = replace(SKIPPED, name="rope: angles", seen="no rotation was seen")


@pytest.mark.parametrize(
    ("checks", "summary", "code"),
    [
        ((PASSED, PASSED), "All 2 checks passed.", OK),
        ((PASSED, SKIPPED), "All 1 checks passed; 1 could not judge this file.", OK),
        ((PASSED, FAILS, SKIPPED), "1 of 2 checks failed; 1 could not judge this file.", FAILED),
        ((PASSED, UNSEEN), "not judged: rope: angles: no rotation was seen", UNFINISHED),
        ((FAILS, ECHO, ECHO), "1 of 3 checks failed, and 2 more for the same reason.", FAILED),
    ],
)
def test_what_could_not_be_judged_is_counted_apart(
    checks: tuple[CheckResult, ...], summary: str, code: int
) -> None:
    report = CheckReport("mine.py", "rope", code == OK, checks)
    assert report.summary == summary
    assert report.code == code
    record = report.as_dict()
    assert [check["judged"] for check in record["checks"]] == [check.judged for check in checks]
