"""The things that a child inherits."""

from __future__ import annotations

from q1lab.study.child_processes import child_environment


def test_a_persons_own_choice_of_how_threads_wait_stays() -> None:
    assert child_environment(2, {})["GOMP_SPINCOUNT"] == "10000"
    assert child_environment(2, {"GOMP_SPINCOUNT": "7"})["GOMP_SPINCOUNT"] == "7"
    assert "GOMP_SPINCOUNT" not in child_environment(2, {"OMP_WAIT_POLICY": "ACTIVE"})
