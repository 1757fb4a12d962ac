"""What a secret looks like in text: found before it is kept, and taken out of what is written."""

from __future__ import annotations

import os
import re

from q1lab.ground.errors import Problem

_KEY = (
    r"(?<![0-9A-Za-z])(?:hf_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abps]-|AKIA)[\w-]{12,}"
    r"|\bwandb_v\d+_[\w-]{8,}"
)
SECRET = re.compile(
    _KEY + r"|(?<![0-9A-Za-z])(?:[\w-]+-)?[0-9a-f]{40}(?![0-9A-Za-z])"
    r"|(?i:token|secret|password|api[-_]?key)[=\s](?!\d+\b)[^\s{-]\S{7,}"
)
"""A token or a key, by its form or by its name."""
LOGIN = re.compile(r"(?<=://)[^/\s]*@|(?<![^\s'\"=(])[\w.+-]+:[^\s/@]{4,}@(?=[\w.\[-])")
"""The name and the password in an address."""
IN_ADDRESS = re.compile(r"(?<=:/)/?[^/\s]*@")
"""What stands before the host of an address, also of one that was taken for a path ("https:/…")."""
IN_PROSE = re.compile(
    rf"{_KEY}|{IN_ADDRESS.pattern}|(?<!\S)(?!mailto:)[\w.+-]+:[^\s/@]{{4,}}@(?=[\w\[])"
    r"|(?i:token|secret|password|api[-_]?key)=(?!\d+\b)[^\s{-]\S{7,}"
)
"""A secret in a sentence, a title or an address: there "Token Merging" is none, nor is a commit."""


def find_secret(text: str) -> str:
    """What looks like a secret; empty where nothing does. A name without a password is none."""
    logins = (match for match in LOGIN.finditer(text) if ":" in match[0])
    found = SECRET.search(text) or next(logins, None)
    return found[0] if found else ""


def refuse_secret(text: str, field: str) -> str:
    """``text``; Problem, without it, where a secret would be kept in it. ``field`` names it."""
    if IN_PROSE.search(text):
        raise Problem(
            f"{field} holds what looks like a password or a token, and the journal would keep it",
            next="give it without",
        )
    return text


def without_secrets(text: str) -> str:
    """``text`` without what looks like a secret, and without the environment's own: the key of W&B
    and the login in its address."""
    login = os.environ.get("WANDB_BASE_URL", "").rpartition("@")[0].rpartition("://")[2]
    for known in (os.environ.get("WANDB_API_KEY", ""), login):
        text = text.replace(known, "[key]") if len(known) >= 8 else text
    return SECRET.sub("[key]", LOGIN.sub("", text.replace("://[key]@", "://")))
