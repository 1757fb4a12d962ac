"""Corpora: where a text comes from, and a copy of it kept by its SHA-256 so that a study can always
go on."""

from __future__ import annotations

import hashlib
import os
import re
import sysconfig
from functools import cache
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, USAGE, Problem
from q1lab.ground.files import (
    absolute_path,
    expand_user,
    os_errors_as_problems,
    read_bytes,
    sha256_file,
    write_atomic,
)
from q1lab.study.corpus_titles import CORPUS_TITLES, STDLIB_CHARACTERS
from q1lab.study.identity import training_text_hash
from q1lab.study.studies import Data

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

BUILT_IN = tuple(CORPUS_TITLES)
TRAIN_SHARE = 0.9  # as in labs/data.py, which cuts the text; here it only counts
LARGEST_CORPUS = 1 << 30


def prepare_corpus(name: str, block_size: int) -> Data:
    """Find a corpus by name or path, check it, keep a copy; returns its record.

    Problem when it is not there, empty, not UTF-8 text, too large, or too short for one validation
    window.
    """
    if name == "stdlib":
        label, raw = "stdlib", stdlib_text().encode()
    elif name == "shakespeare":
        label, raw = "shakespeare", read_shakespeare()
    else:
        label, raw = Path(name).name, read_corpus_file(absolute_path(name))
    return store_corpus(label, raw, block_size)


def store_corpus(label: str, raw: bytes, block_size: int) -> Data:
    """Check a corpus's bytes and store them under their hash."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(
            f"{label}: not UTF-8 text (byte {error.start})", next="convert it first"
        ) from None
    if "\x00" in text:
        raise Problem(f"{label}: a binary file, not text (it holds NUL bytes)")
    if not text or text.isspace():
        raise Problem(f"{label}: empty; a corpus needs text")
    train = int(TRAIN_SHARE * len(text))
    val = len(text) - train
    if val < block_size + 1 or train < block_size + 1:
        needed = 10 * (block_size + 1)
        raise Problem(
            f"{label}: {len(text):,} characters are too few; "
            f"with block_size {block_size} it takes at least "
            f"{needed:,} (a tenth of them validates)"
        )
    sha256 = hashlib.sha256(raw).hexdigest()
    file = paths.data_dir() / f"{sha256}.txt"
    if not file.exists() or file.stat().st_size != len(raw):
        write_atomic(file, raw)
    return Data(
        label,
        sha256,
        f"data/{file.name}",
        len(text),
        _vocabulary(raw),
        train,
        val,
        training_text_hash(text, train),
    )


def _vocabulary(raw: bytes) -> int:
    """The number of different characters in UTF-8 text. Frequent ASCII ones are taken out of the
    bytes first: to look at each character of a text takes four times as long."""
    frequent = bytes(byte for byte in set(raw[: 1 << 16]) if byte < 128)
    return len(frequent) + len(set(raw.translate(None, frequent).decode()))


def cached_corpus(sha256: str) -> Path | None:
    """q1lab's own copy of a corpus that was used before; None if there is no intact copy."""
    file = paths.data_dir() / f"{sha256}.txt"
    is_cached = re.fullmatch(r"[0-9a-f]{64}", sha256) is not None and file.is_file()
    return file if is_cached and sha256_file(file) == sha256 else None


@cache
def stdlib_text() -> str:
    """About 1.1 M characters of the running Python's own standard library: single modules in the
    order of their names, platform-made ones left out. Another Python release is another corpus, and
    has another hash."""
    folder = Path(sysconfig.get_path("stdlib"))
    parts: list[str] = []
    size = 0
    for file in sorted(folder.glob("*.py")):
        if file.name.startswith("_") or size >= STDLIB_CHARACTERS:
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        parts.append(text)
        size += len(text)
    if size < STDLIB_CHARACTERS // 4:
        raise Problem(
            f"this Python's standard library ({folder}) has too little source text",
            next="give a text file: --data PATH",
            file=folder,
        )
    return "".join(parts)[:STDLIB_CHARACTERS]


def read_shakespeare() -> bytes:
    """Tiny Shakespeare: from ``Q1LAB_DATA`` (a file, or a folder that holds tinyshakespeare.txt),
    from q1lab's own copy, or downloaded once; the SHA-256 is pinned."""
    local = os.environ.get("Q1LAB_DATA")
    if local:
        path = expand_user(local)
        path = path / "tinyshakespeare.txt" if path.is_dir() else path
        if not path.exists():
            raise Problem(f"Q1LAB_DATA: no file at {path}", file=path)
        return _check_shakespeare(read_corpus_file(path), str(path))
    if (cached := cached_corpus(SHAKESPEARE_SHA256)) is not None:
        return cached.read_bytes()
    return _check_shakespeare(
        download_shakespeare(os.environ.get("Q1LAB_SHAKESPEARE_URL", SHAKESPEARE_URL)),
        "the download",
    )


def download_shakespeare(url: str, timeout: float = 30.0) -> bytes:
    """Fetch a small file over HTTP. Problem (exit 1) when that fails, with what to do instead."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            data: bytes = answer.read(LARGEST_CORPUS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # an HTTPError is an open response
        raise Problem(
            f"cannot download {url} ({getattr(reason, 'strerror', None) or reason})",
            FAILED,
            next=(
                "without a network: `q1lab data stdlib` takes Python's own source text, "
                "`q1lab data FILE` a text of yours; Q1LAB_DATA names a copy that you have"
            ),
        ) from None
    return data


def _check_shakespeare(raw: bytes, where: str) -> bytes:
    sha256 = hashlib.sha256(raw).hexdigest()
    if sha256 != SHAKESPEARE_SHA256:
        raise Problem(
            f"{where} is not Tiny Shakespeare (SHA-256 {sha256[:12]}…, "
            f"not {SHAKESPEARE_SHA256[:12]}…)",
            FAILED,
        )
    return raw


def read_corpus_file(path: Path) -> bytes:
    """The bytes of a learner's file. Problem when it isn't a readable file of a sane size."""
    if not path.exists():
        raise Problem(
            f"{path}: no such file",
            next=f"there are the built-in corpora {', '.join(BUILT_IN)}",
            file=path,
        )
    with os_errors_as_problems(str(path), USAGE):
        return read_bytes(path, LARGEST_CORPUS)
