"""Where things are, for tests that read the repository's own files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "tests" / "kit"
GOLDEN = ROOT / "tests" / "golden"
MODELS = ROOT / "labs" / "models"
CONTENT = ROOT / "content"
