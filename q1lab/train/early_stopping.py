"""Decide while a study trains which of its pairs have ended, and whether they are enough.

For the runner, wherever the runs train; the study's design says when it is over.
"""

from __future__ import annotations

from dataclasses import replace

from q1lab.study import studies
from q1lab.study.events import final_loss, has_ended
from q1lab.study.studies import Study


class EarlyStopping:
    """Follows the pairs of one study as they end, and says when the study is over."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.pairs: list[float | None] = []
        """Differences of the first pairs that have ended, in the order of the plan and in the
        metric's unit; None for a pair with a run that diverged."""

    def over_before_plan(self) -> int | None:
        """Read which pairs have ended since; return the number of pairs that ended the study, by a
        look or by a run that diverged, if that is before its plan's last pair, else None."""
        self._add_ended_pairs()
        end = self.study.design.over_after(self.pairs, self.study.smallest_that_matters)
        return end if end is not None and end < len(self.study.seeds) else None

    def _add_ended_pairs(self) -> None:
        for seed in self.study.seeds[len(self.pairs) :]:
            names = [studies.run_name(arm, seed) for arm in studies.ARMS]
            events = [self.study.files.run(name).events for name in names]
            if not all(map(has_ended, events)):
                return
            base, modified = map(final_loss, events)
            self.pairs.append(None if base is None or modified is None else modified - base)


def cut_study(study: Study, pairs: int) -> Study:
    """Save the study with a plan of only its first ``pairs`` pairs, and return it: nothing beyond
    them trains or counts."""
    ended = replace(study, design=study.design.cut_to(pairs))
    studies.save(ended)
    return ended
