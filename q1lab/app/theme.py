"""The app's own two themes, and the colors of the arms.

Color carries meaning: one color per arm, everywhere (table, sparkline, chart, forest plot). Blue
and orange differ for all common kinds of color blindness; on every screen a word or a sign says the
same without color. Textual's own themes are not offered: in some of them the row under the cursor
can't be read.
"""

from __future__ import annotations

from textual.theme import Theme

from q1lab.ground.errors import Problem, nearest

OWN_DARK = {"arm-baseline": "#6cb6ff", "arm-modified": "#ff9e64", "muted": "#9aa4b5"}
OWN_LIGHT = {"arm-baseline": "#0a5fc4", "arm-modified": "#a84300", "muted": "#5a6472"}

_DARK = {
    "primary-muted": "#394969",
    "block-cursor-background": "#28354d",
    "block-cursor-foreground": "#ffffff",
    "block-cursor-blurred-background": "#232a36",
    "block-cursor-blurred-foreground": "#d8dee9",
    "footer-background": "#171b22",
    "footer-key-foreground": "#e5c07b",
    "footer-description-foreground": "#a9b4c4",
    "border": "#3d5a8a",
    "border-blurred": "#2b3240",
    "input-selection-background": "#3d5a8a 60%",
}
_LIGHT = {
    "primary-muted": "#aabfe0",
    "block-cursor-background": "#d4e3fa",
    "block-cursor-foreground": "#111418",
    "block-cursor-blurred-background": "#e8ecf2",
    "block-cursor-blurred-foreground": "#22272e",
    "footer-background": "#e9ebee",
    "footer-key-foreground": "#7a4d00",
    "footer-description-foreground": "#444c56",
    "border": "#5b86c7",
    "border-blurred": "#c3cad3",
    "input-selection-background": "#9cc0f5 60%",
}

DARK = Theme(
    name="q1lab-dark",
    dark=True,
    primary="#7aa2f7",
    secondary="#4f6d9e",
    accent="#c3a6ff",
    warning="#e5c07b",
    error="#ff7a85",
    success="#84c881",
    foreground="#d8dee9",
    background="#12151b",
    surface="#171b22",
    panel="#1e232d",
    variables={**_DARK, **OWN_DARK},
)
LIGHT = Theme(
    name="q1lab-light",
    dark=False,
    primary="#1c5fc2",
    secondary="#5477a8",
    accent="#6b3fb8",
    warning="#8a5a00",
    error="#b81d2b",
    success="#1b6f2e",
    foreground="#22272e",
    background="#fbfbfa",
    surface="#f2f3f5",
    panel="#e7e9ed",
    variables={**_LIGHT, **OWN_LIGHT},
)
THEMES = (DARK, LIGHT)
NAMES = tuple(theme.name for theme in THEMES)


def check_theme_name(name: str, where: str) -> None:
    """Problem, naming the app's themes, if none of them is called ``name``."""
    if name not in NAMES:
        raise Problem(
            f"{where}: no theme is called {name!r}",
            next=nearest(name, NAMES, f"it is {' or '.join(NAMES)}"),
        )
