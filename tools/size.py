"""Prints the lines and the tokens of each room: `make size`."""

from __future__ import annotations

import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_CODE = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def rooms() -> dict[str, list[Path]]:
    """The modules of each room: a folder of q1lab, labs, or the tests."""
    folders = sorted(folder for folder in (ROOT / "q1lab").iterdir() if folder.is_dir())
    folders += [ROOT / "labs", ROOT / "tests"]
    found = {str(folder.relative_to(ROOT)): sorted(folder.rglob("*.py")) for folder in folders}
    found["q1lab"] = sorted((ROOT / "q1lab").glob("*.py"))
    return {name: files for name, files in found.items() if files}


def size(files: list[Path]) -> tuple[int, int]:
    """Lines, and tokens without comments."""
    lines = tokens = 0
    for file in files:
        lines += len(file.read_text(encoding="utf-8").splitlines())
        with file.open("rb") as source:
            tokens += sum(token.type not in NO_CODE for token in tokenize.tokenize(source.readline))
    return lines, tokens


def main() -> None:
    sizes = {name: size(files) for name, files in rooms().items()}
    for name, (lines, tokens) in sorted(sizes.items()):
        print(f"{name:<24}{lines:>8,}{tokens:>10,}")
    code = [pair for name, pair in sizes.items() if name != "tests"]
    lines, tokens = (sum(column) for column in zip(*code, strict=True))
    print(f"{'q1lab and labs':<24}{lines:>8,}{tokens:>10,}")


if __name__ == "__main__":
    main()
