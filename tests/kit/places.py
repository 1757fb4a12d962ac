"""The places of the repository's own files, for tests that read them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "tests" / "kit"
GOLDEN = ROOT / "tests" / "golden"
MODELS = ROOT / "labs" / "models"
CONTENT = ROOT / "content"
