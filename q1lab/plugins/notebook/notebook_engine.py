"""The notebook engine: a study is planned here, and trained where a person takes its notebook or
zip.

``q1lab export --format notebook`` writes the file (notebook_files); ``q1lab import`` takes the
results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.runner.engine import Crew, Engine, EngineCheck
from q1lab.study.studies import Study


class Notebook(Engine):
    """Any machine with PyTorch to which a person takes the notebook."""

    def check(self) -> list[EngineCheck]:
        message = "nothing is needed here; Colab, Kaggle or another machine has to have PyTorch"
        return [EngineCheck("notebook", True, message)]

    def ask(self, question: Mapping[str, Any]) -> None:
        """None: the machine is not known yet."""

    def device(self, typed: str, preset: str | None) -> str:
        if typed != "auto":
            return typed
        return "cuda" if preset in (None, "gpu") else "cpu"

    def crew(self, study: Study, launch: int, lock: int, tick: Callable[[], None]) -> Crew:
        raise Problem(f"{study.id} is trained by hand")
