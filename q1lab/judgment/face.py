"""What ``q1lab.judge`` and ``q1lab.read_study`` return: a judgment that prints and draws itself in
Python and in notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from q1lab.judgment import layout
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.picture import IN_A_PAGE, draw_comparison
from q1lab.judgment.subject import ARMS


@dataclass(frozen=True, repr=False)
class Face:
    """A judgment for people who work in Python: its ``repr`` is the short verdict, and a notebook
    shows the figure below it."""

    judgment: Judgment

    @property
    def verdict(self) -> str:
        """``helps``, ``hurts``, ``cannot tell`` … (``intervals.Verdict``)."""
        return self.judgment.analysis.verdict

    @property
    def difference(self) -> float | None:
        """The mean of modified − baseline, in the metric's unit; None if a run diverged."""
        return self.judgment.analysis.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval that decides; None without one."""
        ends = self.judgment.analysis.ends
        return None if ends is None else (ends.low, ends.high)

    @property
    def level(self) -> float:
        """The interval's coverage: 0.95."""
        return self.judgment.analysis.level

    def short(self, width: int = 80) -> str:
        """The verdict in six lines at most."""
        return "\n".join(
            plain_lines(layout.first_lines(self.judgment, width, "Everything else: .full()"))
        )

    def full(self, width: int = 80) -> str:
        """Everything that there is to say, as text."""
        return "\n".join(plain_lines(layout.full_lines(self.judgment, width)))

    def svg(self) -> str:
        """The figure."""
        return draw_comparison(self.judgment, {}, "svg").decode()

    def html(self) -> str:
        """The figure and the full text as one page."""
        drawn = draw_comparison(self.judgment, {}, "svg", width=IN_A_PAGE, titled=False)
        return layout.html(self.judgment, drawn.decode())

    def to_dict(self) -> dict[str, Any]:
        """Everything that ``q1lab compare --json`` prints of a judgment."""
        return layout.to_json(self.judgment)

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each run: study, arm (``baseline`` or ``modified``),
        name (the arm's own), seed, metric, value (NaN for a run that diverged) and difference (of
        its pair, in both rows; NaN without one). ImportError without pandas."""
        try:
            import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install pandas") from None
        j, nan = self.judgment, float("nan")
        columns = ("study", "arm", "name", "seed", "metric", "value", "difference")
        rows = [
            (
                *(j.id, arm, name, seed, j.metric.name),
                nan if value is None else value,
                j.analysis.pairs.get(seed, nan),
            )
            for arm, name in zip(ARMS, j.names, strict=True)
            for seed, value in j.arms[arm].values.items()
        ]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return self.short()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.short())}</pre>\n{self.svg()}"
