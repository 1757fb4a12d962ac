"""Run the Python blocks of a week's text, as a learner would who types them one after the other.

`q1lab content check DIR --run` starts this as a child process (``python -m
q1lab.week.code_runner``), since an author asks for it and nobody else: reading a week never
executes anything. The blocks of
one file share their names, in order; a function called test_… is called. Imports find the week's
own files and the reference models, so that `from rope import apply_rotary_emb` works as it does in
a learner's repo. A block with ____ in it has blanks to fill and is passed over.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from q1lab.week.model import Finding, Week

BLANK = "____"


def run(week: Week, models: Path, seconds: float = 300) -> list[Finding]:
    """The blocks that fail, each with file and line. Problem when the child itself can't run."""
    from q1lab.study import children
    from q1lab.week.markdown import FILES, in_file

    blocks = [asdict(code) for code in week.code]
    folders = [str((week.root / FILES).resolve()), str(models)]
    answer = children.ask(
        children.python_module("q1lab.week.code_runner"),
        {"folders": folders, "blocks": blocks},
        threads=1,
        seconds=seconds,
    )
    return [
        Finding(one["file"], in_file(week.lines, one["file"], one["line"]), one["message"], False)
        for one in answer["findings"]
    ]


def main() -> None:
    question = json.load(sys.stdin)
    sys.path[:0] = question["folders"]
    findings: list[dict[str, Any]] = []
    names: dict[str, dict[str, Any]] = {}
    for block in question["blocks"]:
        if BLANK in block["source"]:
            continue
        own = names.setdefault(block["file"], {"__name__": "__main__"})
        before = dict(own)
        # as many empty lines above as the file has, so that a traceback's lines are the file's
        source = "\n" * (block["line"] - 1) + block["source"]
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, block["file"], "exec"), own)
                for name, value in list(own.items()):
                    if name.startswith("test_") and before.get(name) is not value:
                        value()
            if block["prints"] not in (None, printed.getvalue()):
                raise ValueError("the figure beside it (.txt) is not what it prints")
        except (Exception, SystemExit) as error:
            lines = [
                frame.lineno
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename == block["file"] and frame.lineno
            ]
            what = f"{type(error).__name__}: {error}".rstrip(": ").partition("\n")[0]
            findings.append(
                {
                    "file": block["file"],
                    "line": lines[-1] if lines else block["line"],
                    "message": f"this block of Python fails: {what}",
                }
            )
    print(json.dumps({"findings": findings}))  # noqa: T201  (the answer)


if __name__ == "__main__":
    main()
