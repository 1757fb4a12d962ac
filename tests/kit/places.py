"""The places of the repository's own files, for tests that read them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "tests" / "kit"
GOLDEN = ROOT / "tests" / "golden"
MODELS = ROOT / "labs" / "models"
CONTENT = ROOT / "content"


def mentioned_in_code(name: str) -> list[str]:
    """The files of the program that know a name: none of a toy's, whose one row is its own."""
    files = [file for folder in ("q1lab", "labs") for file in (ROOT / folder).rglob("*.py")]
    return sorted(str(file.relative_to(ROOT)) for file in files if name in file.read_text())
