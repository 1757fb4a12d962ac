"""Run the Python blocks of a week's text, as a learner would who types them one after the other.

`q1lab content check DIR --run` starts this as a child process
(``python -m q1lab.plugins.author.code_runner``).
Only an author asks for it: reading a week never executes anything. The
blocks of one file share their names, in order; a function called test_… is called. Imports find the
week's own files, the reference models and the baseline as model.py, so that `from rope import
apply_rotary_emb` works as it does in a learner's repo. A block with ____ in it has blanks to fill,
and is skipped.

The week's scripts that no text shows run as a learner runs them, in that folder; a script's
assertions are its test.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import shutil
import sys
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from q1lab.week.syllabus import ContentFinding, Week

BLANK = "____"


def run_blocks(
    week: Week, models: Path, *, scripts: bool = False, seconds: float = 900
) -> list[ContentFinding]:
    """The blocks that fail, and with ``scripts`` the week's scripts, too, each with file and line.
    Problem when the child itself can't run."""
    from q1lab.runner import child_processes
    from q1lab.week.markdown_reader import FILES, line_in_file

    blocks = [asdict(code) for code in week.code]
    folders = [str((week.root / FILES).resolve()), str(models)]
    shown = {code.file for code in week.code}
    python = [name for name in week.files if name.endswith(".py")]
    names = [name for name in python if scripts and f"{FILES}/{name}" not in shown]
    answer = child_processes.ask_child(
        child_processes.python_module("q1lab.plugins.author.code_runner"),
        {"folders": folders, "blocks": blocks, "scripts": names},
        threads=1,
        seconds=seconds,
    )
    return [
        ContentFinding(
            finding["file"],
            line_in_file(week.lines, finding["file"], finding["line"]),
            finding["message"],
            False,
        )
        for finding in answer["findings"]
    ]


def main() -> None:
    question = json.load(sys.stdin)
    folders = [Path(folder) for folder in question["folders"]]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for file in (file for source_folder in folders for file in source_folder.glob("*.py")):
            shutil.copy(file, folder)
            if file.stem == "baseline":
                shutil.copy(file, Path(folder, "model.py"))
        sys.path.insert(0, folder)
        findings = _blocks(question["blocks"])
        os.chdir(folder)
        for finding in _scripts(question["scripts"]):
            findings.append({**finding, "file": f"{folders[0].name}/{finding['file']}"})
        os.chdir("..")
    print(json.dumps({"findings": findings}))  # noqa: T201  (the answer)


def _blocks(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = []
    names: dict[str, dict[str, Any]] = {}
    for block in blocks:
        if BLANK in block["source"]:
            continue
        namespace = names.setdefault(block["file"], {"__name__": "__main__"})
        before = dict(namespace)
        # as many empty lines above as the file has, so that a traceback's lines are the file's
        source = "\n" * (block["line"] - 1) + block["source"]
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, block["file"], "exec"), namespace)
                for name, value in list(namespace.items()):
                    if name.startswith("test_") and before.get(name) is not value:
                        value()
            if block["prints"] not in (None, printed.getvalue()):
                raise ValueError("the figure beside it (.txt) is not what it prints")
        except (Exception, SystemExit) as error:
            kind = "this block of Python"
            findings.append(_failed(error, block["file"], kind, block["line"]))
    return findings


def _scripts(names: list[str]) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = []
    for name in names:
        sys.argv = [name]
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(name, run_name="__main__")
        except SystemExit as error:
            if error.code:
                findings.append(_failed(error, name, "this script"))
        except Exception as error:
            findings.append(_failed(error, name, "this script"))
    return findings


def _failed(error: BaseException, file: str, code_kind: str, line: int = 1) -> dict[str, Any]:
    """A finding at the last line of ``file`` that an error went through, with the error's
    message."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file and frame.lineno
    ]
    words = f"{type(error).__name__}: {error}".rstrip(": ").partition("\n")[0]
    return {"file": file, "line": [line, *lines][-1], "message": f"{code_kind} fails: {words}"}


if __name__ == "__main__":
    main()
