"""The colors that carry meaning, read from the theme whenever a widget is drawn: one color per arm,
everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.color import Color

from q1lab.judgment.layout import STYLES
from q1lab.judgment.run_states import RunState

VARIABLES = (
    *("arm-baseline", "arm-modified", "success", "error", "warning", "accent", "foreground"),
    *("muted", "background"),
)
"""The theme's variables that a palette holds."""

STATE_ROLES = {
    RunState.FINISHED: "success",
    RunState.RUNNING: "foreground",
    RunState.QUEUED: "muted",
    RunState.STOPPED: "warning",
    RunState.FAILED: "error",
    RunState.CRASHED: "error",
    RunState.DIVERGED: "error",
}
"""The role of a run state's color."""


@dataclass(frozen=True)
class Palette:
    """Colors as ``#rrggbb``, or as Rich names the terminal's own. A theme change redraws the
    widgets, which then read a new palette."""

    baseline: str
    modified: str
    success: str
    error: str
    warning: str
    foreground: str
    muted: str
    background: str
    accent: str

    @property
    def styles(self) -> dict[str, str]:
        """The styles of the roles that a text about a comparison has."""
        return {
            **STYLES,
            "baseline": self.baseline,
            "modified": self.modified,
            "helps": f"bold {self.success}",
            "hurts": f"bold {self.error}",
            "cannot tell": f"bold {self.warning}",
            "too small to matter": f"bold {self.foreground}",
            "warn": self.warning,
            "dim": self.muted,
            "prediction": self.accent,
        }

    def arm(self, arm: str) -> str:
        return self.baseline if arm == "baseline" else self.modified

    def state(self, state: RunState) -> str:
        return str(getattr(self, STATE_ROLES[state]))

    def faint(self, color: str, share: float = 0.6) -> str:
        """The same hue, quieter: thin lines of single seeds."""
        if not color.startswith("#"):
            return color  # one of the terminal's own has no quieter twin
        return Color.parse(self.background).blend(Color.parse(color), share).hex6


def palette(app: Any) -> Palette:
    """The palette of a running app's theme."""
    colors = {name: Color.parse(app.theme_variables[name]) for name in VARIABLES}
    return Palette(
        **{
            name.removeprefix("arm-"): color.hex6 if color.ansi is None else color.rich_color.name
            for name, color in colors.items()
        }
    )
