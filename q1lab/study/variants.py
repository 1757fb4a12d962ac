"""Model files as variants: found by name or path, described without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import absolute_path, os_reason, read_text, sha256_text
from q1lab.ground.python_source import parse_python
from q1lab.study.model_source import LARGEST_MODEL_FILE, advice


@dataclass(frozen=True)
class Variant:
    """A model file as found; it has not been run."""

    name: str
    title: str
    path: Path
    origin: str
    """The variant as typed: a name out of labs/models, or the file's path."""
    text: str
    fields: tuple[str, ...]
    """Fields of its GPTConfig, as far as they can be read off the file."""

    @property
    def is_learners(self) -> bool:
        """True if this is the learner's own file rather than one of labs/models."""
        return self.path.parent != paths.models_dir()

    @property
    def sha256(self) -> str:
        return sha256_text(self.text)


def variant_names() -> list[str]:
    """The reference variants in ``labs/models``, baseline first."""
    stems = (f.stem for f in paths.models_dir().glob("*.py") if not f.stem.startswith("_"))
    return sorted(stems, key=lambda name: (name != "baseline", name))


def modifications() -> list[str]:
    """The reference variants but the baseline."""
    return variant_names()[1:]


def checked_variants() -> list[str]:
    """The reference variants that ``labs/checks`` has properties for, baseline first."""
    checks = paths.models_dir().parent / "checks"
    return ["baseline", *(name for name in modifications() if (checks / f"{name}.py").is_file())]


def find_variant(typed: str) -> Variant:
    """Find a variant by what was typed: the name of a reference variant, or a path to a model file.

    Problem when it isn't there (naming the nearest), can't be read, has a syntax error, or lacks
    GPT or GPTConfig.
    """
    if not is_path(typed) and typed in variant_names():
        return read_variant(paths.models_dir() / f"{typed}.py", typed, typed)
    path = absolute_path(typed)
    if is_path(typed) or path.is_file():
        if not path.exists():
            raise Problem(f"{typed}: no such model file")
        return read_variant(path, path.stem, str(path))
    raise Problem(
        f"no variant called {typed!r}",
        next=f"{nearest(typed, variant_names())} (or the path to a model file)",
    )


def is_path(typed: str) -> bool:
    """True if a variant was typed as the path of a model file, and not as a name."""
    return typed.endswith(".py") or "/" in typed


def read_variant(path: Path, name: str, origin: str) -> Variant:
    """Read a model file and check its syntax; nothing of it runs."""
    try:
        text = read_text(path, LARGEST_MODEL_FILE)
    except UnicodeDecodeError:
        raise Problem(f"{path}:1: not UTF-8 text", file=path, line=1) from None
    except OSError as error:
        raise Problem(f"{path}: {os_reason(error)}", file=path) from None
    try:
        outline = _outline(text)
    except SyntaxError as error:
        raise Problem(
            f"{path}:{error.lineno}: SyntaxError: {error.msg}", file=path, line=error.lineno
        ) from None
    for class_name in ("GPTConfig", "GPT"):
        if class_name not in outline.classes and not (outline.imports and class_name in text):
            cure = advice(text, path)
            raise Problem(
                f"{path}:1: no class {class_name}{'. ' if cure else ''}",
                next=cure or "a model file defines GPTConfig and GPT, as nanoGPT's does",
                file=path,
                line=1,
            )
    title = outline.title or name
    return Variant(name, title, path, origin, text, outline.config_fields)


@dataclass(frozen=True)
class _Outline:
    """Names that can be read off a model file's syntax tree."""

    title: str
    """The docstring's first words (up to a colon); empty if they make no title."""
    classes: frozenset[str]
    imports: bool
    config_fields: tuple[str, ...]


@lru_cache(maxsize=128)  # an app and a plan read the same few files over and over
def _outline(text: str) -> _Outline:
    tree = parse_python(text)
    nodes = list(ast.walk(tree))
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    config = classes.get("GPTConfig")
    fields = tuple(
        node.target.id
        for node in (config.body if config else [])
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )
    imports = any(isinstance(node, ast.ImportFrom | ast.Import) for node in nodes)
    return _Outline(docstring_title(tree), frozenset(classes), imports, fields)


def docstring_title(tree: ast.Module) -> str:
    """The docstring's first words (up to a colon); empty if there are none, or too many."""
    doc = ast.get_docstring(tree) or ""
    first = next(iter(doc.splitlines()), "").strip()
    title = first.split(":", 1)[0].strip().rstrip(".")
    return title if len(title) <= 60 else ""
