"""Look at a study with a planned range while it trains: which of its pairs have ended, and whether
that is enough. For the runner, wherever the runs train; ``ranges`` says when a study is over.
"""

from __future__ import annotations

from dataclasses import replace

from q1lab.study import ranges, studies
from q1lab.study.events import final_loss, has_ended
from q1lab.study.studies import Study


class Looks:
    """The pairs of one study, as they end. For a fixed number of seeds there is no look."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.planned = study.range
        self.pairs: list[float | None] = []
        """Differences (nats) of the first pairs that have ended, in the order of the plan; None for
        one of which a run diverged."""

    def known_after(self) -> int | None:
        """After how many pairs the study is over where that is before its last one; None while it
        has to go on, and when it ends with its plan."""
        if self.planned is None:
            return None
        self._take_in()
        delta = ranges.smallest_that_matters(self.study)
        end = ranges.over_at(self.planned, self.pairs, delta)
        return end if end is not None and end < len(self.study.seeds) else None

    def batch(self) -> tuple[int, ...]:
        """The seeds that may train before the next look: up to the first one at first, then as many
        pairs more as the study has places for. All of them where no range is planned."""
        if self.planned is None:
            return self.study.seeds
        end = self.known_after()
        if end is not None:
            return self.study.seeds[:end]
        places = max(1, self.study.jobs // 2)
        return self.study.seeds[: max(self.planned.first, len(self.pairs) + places)]

    def _take_in(self) -> None:
        for seed in self.study.seeds[len(self.pairs) :]:
            names = [studies.run_name(arm, seed) for arm in studies.ARMS]
            events = [self.study.files.run(name).events for name in names]
            if not all(map(has_ended, events)):
                return
            base, modified = map(final_loss, events)
            self.pairs.append(None if base is None or modified is None else modified - base)


def end_after(study: Study, pairs: int) -> Study:
    """The study with a plan that names its first ``pairs`` pairs: it was known then, and nothing
    beyond them trains or counts. Saved."""
    ended = replace(study, looks=(study.seeds[:pairs],))
    studies.save(ended)
    return ended
