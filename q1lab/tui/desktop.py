"""What the app does outside its own screen: the clipboard, and a notification on the desktop."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from textual.app import App

TMUX_SECONDS = 2.0


def copy(app: App[Any], text: str, what: str) -> None:
    """Copy ``text``, and say what became of it; ``what`` names it (``the path``)."""
    app.copy_to_clipboard(text)
    taken = into_tmux(text)
    if taken:
        said = f"Copied {what} into tmux's buffer: prefix ] pastes it."
    elif taken is False:
        said = f"tmux did not take {what}; `set -g set-clipboard on` lets it copy."
    else:
        said = f"Copied {what}."
    app.notify(said, markup=False)


def into_tmux(text: str, env: Mapping[str, str] = os.environ) -> bool | None:
    """Put ``text`` into tmux's buffer, and through it on the clipboard where tmux may write that.

    None outside tmux, where the terminal itself is asked; False when tmux did not take it."""
    tmux = shutil.which("tmux") if env.get("TMUX") else None
    if tmux is None:
        return None if not env.get("TMUX") else False
    try:
        done = subprocess.run(
            [tmux, "load-buffer", "-w", "-"],
            input=text.encode(errors="replace"),
            capture_output=True,
            timeout=TMUX_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def desktop_note(text: str, env: Mapping[str, str] = os.environ) -> str:
    """The escape sequence that asks the terminal for a desktop notification.

    OSC 9 is what most understand (iTerm2, kitty, WezTerm, Ghostty, Windows Terminal); urxvt, foot
    and VTE's want OSC 777. A terminal that knows neither shows nothing. tmux is asked to pass it
    on, which it does with ``allow-passthrough``.
    """
    words = " ".join("".join(letter for letter in text if letter.isprintable()).split())
    term = env.get("TERM", "")
    if term.startswith(("rxvt", "foot")) or env.get("VTE_VERSION"):
        code = f"\x1b]777;notify;q1lab;{words}\x07"
    else:
        code = f"\x1b]9;{words}\x07"
    if env.get("TMUX"):
        return "\x1bPtmux;" + code.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return code
