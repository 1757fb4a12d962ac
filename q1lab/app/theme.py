"""The app's own themes: a dark one, its light twin, and one in the terminal's own colors.

Color carries meaning: one color per arm, everywhere (table, sparkline, chart, forest plot). Blue
and orange differ for all common kinds of color blindness; on every screen a word or a sign says the
same without color. Textual's own themes are not offered: in some of them the row under the cursor
can't be read.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

from q1lab.ground.errors import Problem, nearest

COLORS = {
    # three surfaces: the page, a pane on it, a bar
    "background": ("#10131a", "#fcfcfb"),
    "surface": ("#171c26", "#f1f3f7"),
    "panel": ("#212836", "#e3e7ee"),
    "foreground": ("#d8dee9", "#22272e"),
    "muted": ("#9aa4b5", "#56606e"),
    # where the focus is
    "primary": ("#7aa2f7", "#1c5fc2"),
    "primary-muted": ("#2f4a7d", "#b3cdf5"),
    "secondary": ("#4f6d9e", "#5477a8"),
    "border": ("#5379bd", "#5b86c7"),
    "border-blurred": ("#343c4d", "#c3cad3"),
    # what is chosen, and what can be started
    "accent": ("#e8a2d6", "#94206f"),
    "block-cursor-background": ("#3a2a42", "#f3dcee"),
    "block-cursor-foreground": ("#ffffff", "#111418"),
    "block-cursor-blurred-background": ("#262532", "#ebe6ee"),
    "block-cursor-blurred-foreground": ("#d8dee9", "#22272e"),
    "input-selection-background": ("#6b4668 60%", "#e3a9d2 60%"),
    # what an answer or a state is
    "success": ("#5fd0a8", "#0f6e55"),
    "warning": ("#ecc667", "#7a6000"),
    "error": ("#ff6f7d", "#8f0a26"),
    "arm-baseline": ("#6cb6ff", "#0a5fc4"),
    "arm-modified": ("#ff9e64", "#a84300"),
    "footer-background": ("#212836", "#e3e7ee"),
    "footer-key-foreground": ("#e5c07b", "#6b5200"),
    "footer-description-foreground": ("#a9b4c4", "#444c56"),
}
"""The color of each role in the dark theme and in the light one."""
_ANSI = {
    **{role: "ansi_default" for role in COLORS if role.endswith("ground")},
    **dict.fromkeys(("surface", "panel", "muted"), "ansi_default"),
    **dict.fromkeys(("primary", "border", "secondary"), "ansi_bright_blue"),
    **{"primary-muted": "ansi_blue", "border-blurred": "ansi_bright_black"},
    **{"block-cursor-background": "ansi_default", "block-cursor-text-style": "bold underline"},
    **{"input-selection-background": "ansi_blue", "accent": "ansi_magenta"},
    **{"success": "ansi_green", "warning": "ansi_yellow", "error": "ansi_red"},
    **{"arm-baseline": "ansi_cyan", "arm-modified": "ansi_yellow"},
    **{"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"},
}
"""The terminal's own background, and of its own 16 colors those that show on black and white."""


def _theme(name: str, colors: Mapping[str, str], *, dark: bool, ansi: bool = False) -> Theme:
    named = {role: color for role, color in colors.items() if role in Theme.__dataclass_fields__}
    others = {role: color for role, color in colors.items() if role not in named}
    return Theme(name, dark=dark, ansi=ansi, variables=others, **named)  # type: ignore[arg-type]


DARK, LIGHT = (
    _theme(name, {role: pair[at] for role, pair in COLORS.items()}, dark=not at)
    for at, name in enumerate(("q1lab-dark", "q1lab-light"))
)
TERMINAL = _theme("q1lab-terminal", _ANSI, dark=True, ansi=True)
THEMES = (DARK, LIGHT, TERMINAL)
NAMES = tuple(theme.name for theme in THEMES)


def check_theme_name(name: str, where: str) -> None:
    """Problem, naming the app's themes, if none of them is called ``name``."""
    if name not in NAMES:
        raise Problem(
            f"{where}: no theme is called {name!r}",
            next=nearest(name, NAMES, f"it is {', '.join(NAMES[:-1])} or {NAMES[-1]}"),
        )
