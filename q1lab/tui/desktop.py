"""The clipboard, and notifications on the desktop."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from textual.app import App

TMUX_SECONDS = 2.0


def copy_text(app: App[Any], text: str, name: str) -> None:
    """Copy ``text`` to the clipboard, and say whether that worked; the message calls it ``name``
    (``the path``)."""
    app.copy_to_clipboard(text)
    tmux_took_it = copy_into_tmux(text)
    if tmux_took_it:
        message = f"Copied {name} into tmux's buffer: prefix ] pastes it."
    elif tmux_took_it is False:
        message = f"tmux did not take {name}; `set -g set-clipboard on` lets it copy."
    else:
        message = f"Copied {name}."
    app.notify(message, markup=False)


def copy_into_tmux(text: str, env: Mapping[str, str] = os.environ) -> bool | None:
    """Put ``text`` into tmux's buffer; tmux passes it on to the clipboard if it is set up to.

    True if tmux took it, False if it did not, None outside tmux."""
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

    Most terminals understand OSC 9 (iTerm2, kitty, WezTerm, Ghostty, Windows Terminal); urxvt, foot
    and those built on VTE want OSC 777. A terminal that knows neither shows nothing. tmux passes
    the sequence on if ``allow-passthrough`` is set.
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
