"""The app's own two themes, and the colors of the arms.

Color carries meaning: one color per arm, everywhere (table, sparkline, chart, forest plot). Blue
and orange differ for all common kinds of color blindness; on every screen a word or a sign says the
same without color. Textual's own themes are not offered: in some of them the row under the cursor
can't be read.
"""

from __future__ import annotations

from dataclasses import replace

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


def _of_sixteen(theme: Theme, ground: str, text: str, muted: str, cursor: str) -> Theme:
    """The theme for a terminal of 16 colors: one color for all grounds but that of the row under
    the cursor and of the field that is typed into; the roles of ``theme`` are colors of the 16."""
    variables = {
        "arm-baseline": theme.primary,
        "arm-modified": theme.warning or text,
        "muted": muted,
        "primary-muted": cursor,
        "block-cursor-background": cursor,
        "block-cursor-foreground": text,
        "block-cursor-blurred-background": cursor,
        "block-cursor-blurred-foreground": text,
        "footer-background": ground,
        "footer-key-foreground": theme.warning or text,
        "footer-description-foreground": muted,
        "border": theme.primary,
        "border-blurred": muted,
        "input-selection-background": cursor,
    }
    return replace(
        theme,
        secondary=cursor,
        foreground=text,
        background=ground,
        surface=ground,
        panel=ground,
        variables=variables,
    )


_DARK_ROLES = replace(
    DARK,
    primary="#55ffff",
    accent="#55ff55",
    warning="#ffff55",
    error="#ff55ff",
    success="#55ff55",
)
_LIGHT_ROLES = replace(
    LIGHT,
    primary="#0000aa",
    accent="#0000aa",
    warning="#aa0000",
    error="#aa0000",
    success="#000000",
)
SIXTEEN = (
    _of_sixteen(_DARK_ROLES, ground="#000000", text="#ffffff", muted="#aaaaaa", cursor="#0000aa"),
    _of_sixteen(_LIGHT_ROLES, ground="#ffffff", text="#000000", muted="#0000aa", cursor="#55ffff"),
)
"""The same two themes where a terminal has 16 colors: the nearest of these to a theme's own would
hide the cursor's row on a light ground, and put gray on gray on a dark one."""


def own_themes(color_system: str | None) -> tuple[Theme, Theme]:
    """The app's own themes on a terminal of this color system, as rich names it."""
    return SIXTEEN if color_system == "standard" else THEMES


def check_theme_name(name: str, where: str) -> None:
    """Problem, naming the app's themes, if none of them is called ``name``."""
    if name not in NAMES:
        raise Problem(
            f"{where}: no theme is called {name!r}",
            next=nearest(name, NAMES, f"it is {' or '.join(NAMES)}"),
        )
