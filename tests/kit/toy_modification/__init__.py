"""A modification as docs/recipes.md says how to add one: ReLU², in its own files and one row."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
NAME = "relu2"
CHANGED = ("F.gelu(self.c_fc(x))", "F.relu(self.c_fc(x)).square()")
"""The one expression of the baseline that it changes, and what that becomes."""
PLACES = {
    "checks.py": f"labs/checks/{NAME}.py",
    "guide.md": f"content/guides/{NAME}.md",
    "hints.md": f"content/hints/{NAME}.md",
    "oracle.py": f"content/files/oracle_{NAME}.py",
    "broken.py": f"content/files/broken_{NAME}.py",
}
"""The places of its files in the repository."""


def write(text: str) -> str:
    """The learner's file, made of a copy of the baseline."""
    assert text.count(CHANGED[0]) == 1
    return text.replace(*CHANGED)


def install(root: Path) -> set[str]:
    """Add it to the repository in ``root``; the files that were made or changed."""
    baseline = (root / "labs/models/baseline.py").read_text(encoding="utf-8")
    title = "ReLU²: the square of what ReLU lets through, in place of GELU.\n"
    _, _, body = write(baseline).partition("\n")
    model = root / f"labs/models/{NAME}.py"
    model.write_text(f'"""{title}{body}', encoding="utf-8")
    for file, place in PLACES.items():
        (root / place).write_bytes((HERE / file).read_bytes())
    with (root / "content/week.toml").open("a", encoding="utf-8") as week:
        week.write("\n" + (HERE / "row.toml").read_text(encoding="utf-8"))
    return {f"labs/models/{NAME}.py", *PLACES.values(), "content/week.toml"}
