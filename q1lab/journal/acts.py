"""Who acts, and the acts that only the learner may do."""

from __future__ import annotations

import os
import sys
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable

AGENT = "Q1LAB_AGENT"
"""The environment variable in which an agent that works for the learner gives its name."""
LEARNER_ONLY = {
    "tick": "a tick",
    "answer": "an answer",
    "recall": "how a recall question went",
    "predict": "a prediction",
    "roadmap": "a tick of the roadmap",
}
"""The acts that only the learner may do, and the result of each."""

Body = dict[str, Any]


def agent_name() -> str:
    """The agent that acts, by the name that it gives itself; "" where none does."""
    return " ".join(printable(os.environ.get(AGENT, "")).split())[:60]


def current_actor() -> str:
    """The actor, as an act keeps it."""
    if name := agent_name():
        return f"agent {name}"
    return "person" if sys.stdin is not None and sys.stdin.isatty() else "no terminal"


def refuse_agents(act: str) -> None:
    """Problem if an agent is about to do something that only the learner may do."""
    if (name := agent_name()) and (act_name := LEARNER_ONLY.get(act)):
        raise Problem(
            f"{act_name} is the learner's own, and {name} acts ({AGENT} is set)",
            FAILED,
            fixable_by="learner",
            next="ask the learner to do it",
        )
