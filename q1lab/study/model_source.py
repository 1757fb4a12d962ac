"""Advice on a model file that can't be used, from its source alone: the file does not run.

People bring files as they wrote them, with a training loop below the model, imports of their own
project, and other names than nanoGPT's. All of that is reported at once.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from q1lab.ground.files import read_text
from q1lab.ground.python_source import parse_python

LARGEST_MODEL_FILE = 1 << 20
"""Bytes of a model file at most."""
WRAPPER = "q1lab take wrapper.py"
NANOGPT_FIELDS = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")
"""The fields of GPTConfig that every study sets."""

TARGETS = re.compile(r"targets?|labels?|y|tgt", re.IGNORECASE)
"""Second arguments of a forward that are targets."""
ON_PYPI = ("einops", "jaxtyping", "beartype", "rotary_embedding_torch", "x_transformers")
"""Packages that model files use, and that are found under the name by which they are imported."""


@dataclass(frozen=True)
class MissingImport:
    """An import that fails when the file is loaded, with the lines that use the imported names."""

    module: str
    line: int
    used_lines: tuple[int, ...]
    is_beside: bool
    """True if a file or folder of that name lies beside the model file."""

    @property
    def is_installable(self) -> bool:
        return not self.is_beside and self.module.split(".")[0] in ON_PYPI

    def __str__(self) -> str:
        used = f", used in {_lines(self.used_lines)}" if self.used_lines else ""
        apart = "is of its package" if self.module.startswith(".") else "is not installed"
        where = "lies beside this file" if self.is_beside else apart
        if self.is_installable:
            where += (
                f" (`pip install {self.module.split('.')[0]}`, in q1lab's environment, is enough)"
            )
        return f"line {self.line} imports {self.module}, which {where}{used}"


@dataclass(frozen=True)
class ModelSource:
    """Facts that the source of a model file shows."""

    missing_imports: tuple[MissingImport, ...]
    running: tuple[tuple[int, int], ...]
    """The first and the last line of each statement that runs when the file is imported and is not
    part of the model."""
    last_line_of_model: int | None
    config_class: str | None
    """The class that looks like the model's config; GPTConfig if there is one."""
    model_class: str | None
    """The class that looks like the model; GPT if there is one."""
    config_fields: tuple[str, ...]
    made_of: int
    """The number of arguments that the model class is made from."""
    takes_targets: bool
    """True if the model's forward takes targets as its second argument."""
    own_words: tuple[str, ...]
    """The fields of its config that the file's modules read and that no class of it has."""


def advice(text: str, path: Path) -> str:
    """The changes that make a file of this text a model file, as one sentence; "" if none is
    known."""
    try:
        source = read_source(text, path)
    except SyntaxError:
        return ""
    steps = [*_steps(source)]
    if not steps:
        return ""
    if len(steps) == 1:
        return f"{steps[0][0].upper()}{steps[0][1:]}"
    numbered = "; ".join(f"({number}) {step}" for number, step in enumerate(steps, 1))
    return f"To make it a model file: {numbered}"


def with_advice(message: str, path: Path) -> str:
    """A message about a file that can't be loaded, with the advice that its source gives."""
    try:
        text = read_text(path, LARGEST_MODEL_FILE)
    except (OSError, ValueError):
        return message
    cure = advice(text, path)
    end = "" if message.endswith("?") else "."
    return f"{message.rstrip('.')}{end} {cure}" if cure else message


def _steps(source: ModelSource) -> Iterator[str]:
    yield from _import_step(source.missing_imports)
    if source.running:
        yield (
            f"{_cut(source.running, source.last_line_of_model)} runs when the file is imported, "
            "which should read no data and train nothing"
        )
    if source.model_class == "GPT" and source.config_class == "GPTConfig":
        yield from _call_step(source)
    elif source.model_class is not None:
        yield _name_step(source, source.model_class)


def _cut(running: Sequence[tuple[int, int]], last: int | None) -> str:
    """The lines to take out, up to the verb: the first statement that runs, or all that follows the
    model, or both."""
    (first, end), (latest, _) = running[0], running[-1]
    lines = f"line {first}" if first == end else f"lines {first} to {end}"
    if last is None or latest < last:
        return f"take out {lines}, and all else that"
    if first < last:
        return f"take out {lines}, and all that follows line {last}: it"
    return f"keep lines 1 to {last}; what follows"


def _import_step(missing: Sequence[MissingImport]) -> Iterator[str]:
    if not missing:
        return
    listed = "; ".join(map(str, missing[:4]))
    if len(missing) > 4:
        listed += f"; and {len(missing) - 4} more"
    if not all(each.is_installable for each in missing):
        listed += (
            ": a model file is complete in itself, so put in what the model needs of that, and "
            "take out the rest"
        )
    yield listed


def _call_step(source: ModelSource) -> Iterator[str]:
    """The change of a file with nanoGPT's names that can't be called as nanoGPT is."""
    if not source.takes_targets:
        yield (
            "GPT.forward takes no targets; give it targets=None and let it return (logits, "
            f"loss), as `{WRAPPER}` shows"
        )
    elif source.own_words:
        yield (
            f"GPT reads {', '.join(source.own_words)} of its config, where nanoGPT has "
            f"{', '.join(NANOGPT_FIELDS)}: rename them, or use `{WRAPPER}`, which translates"
        )


def _name_step(source: ModelSource, model: str) -> str:
    """The change of a file with other names than nanoGPT's."""
    if source.config_class is None and source.made_of == 0:
        return (
            f"there is no GPTConfig, and {model} takes its sizes from elsewhere; a file typed "
            "along a video gets there in five steps, which `q1lab take from_the_video.py` shows"
        )
    names = (("GPTConfig", source.config_class), ("GPT", model))
    aliases = [f"{standard} = {name}" for standard, name in names if standard != name]
    has_fields = set(NANOGPT_FIELDS) <= {*source.config_fields}
    if has_fields and source.made_of == 1 and source.takes_targets:
        return f"add {' and '.join(aliases)} at its end: the names that q1lab calls"
    config = f"its config is {source.config_class} and " if source.config_class else ""
    return (
        f"{config}its model is {model}; `{WRAPPER}` gives it the names and the call that q1lab "
        "uses, in a few lines at the file's end"
    )


def read_source(text: str, path: Path) -> ModelSource:
    """Look over a model file's source; SyntaxError where it is no Python."""
    tree = parse_python(text, str(path))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    modules = {name: node for name, node in classes.items() if _is_module(node, classes)}
    model = _model_class(modules)
    config = _config_class(classes, modules, model)
    running = [(node.lineno, node.end_lineno or node.lineno) for node in tree.body if _runs(node)]
    last = max((node.end_lineno or 0 for node in modules.values()), default=None)
    takes = _positional(_method(model, "forward"))
    made_of = _positional(_method(model, "__init__"))
    return ModelSource(
        missing_imports=tuple(_missing_imports(tree, path)),
        running=tuple(running),
        last_line_of_model=last,
        config_class=config.name if config else None,
        model_class=model.name if model else None,
        config_fields=_fields(config),
        made_of=len(made_of),
        takes_targets=not takes or any(TARGETS.fullmatch(name) for name in takes[1:2]),
        own_words=_own_words(config, classes, modules),
    )


def _lines(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:4])) + (", …" if len(numbers) > 4 else "")
    return f"line {shown}" if len(numbers) == 1 else f"lines {shown}"


# ── imports


def _missing_imports(tree: ast.Module, path: Path) -> Iterator[MissingImport]:
    uses: dict[str, list[int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            uses.setdefault(node.id, []).append(node.lineno)
    caught = {
        part for node in ast.walk(tree) if isinstance(node, ast.Try) for part in ast.walk(node)
    }
    inner = (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level)
    late = [node for node in inner if node not in caught and node not in tree.body]
    for node in (*tree.body, *late):  # a file by itself has no package, whenever that is asked for
        if isinstance(node, ast.Import):
            for alias in node.names:
                if not _is_installed(alias.name.split(".")[0]):
                    bound = alias.asname or alias.name.split(".")[0]
                    yield _missing(alias.name, node.lineno, [bound], uses, path)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or ", .".join(a.name for a in node.names))
            if node.level or not _is_installed(module.split(".")[0]):
                bound_names = [alias.asname or alias.name for alias in node.names]
                yield _missing(module, node.lineno, bound_names, uses, path)


def _missing(
    module: str, line: int, bound_names: list[str], uses: dict[str, list[int]], path: Path
) -> MissingImport:
    used_lines = sorted({number for name in bound_names for number in uses.get(name, ())})
    first = re.split(r"[., ]", module.lstrip("."))[0]
    beside = {path.with_name(name) for name in (f"{first}.py", first)} - {path}
    is_beside = bool(first) and any(map(Path.exists, beside))
    return MissingImport(module, line, tuple(used_lines), is_beside)


def _is_installed(package: str) -> bool:
    """True if Python finds a package, wherever the command was typed."""
    if package in sys.stdlib_module_names or package == "__main__":
        return True
    this_folder = {"", str(Path.cwd())}
    try:
        return (
            PathFinder.find_spec(package, [p for p in sys.path if p not in this_folder]) is not None
        )
    except (ImportError, ValueError):
        return False


# ── what runs


RUNNING_CALLS = ("open", "input", "read", "read_text", "parse_args", "urlopen", "AdamW", "Adam")
"""Calls whose results no model file needs."""


def _runs(node: ast.stmt) -> bool:
    """True if a statement at the top level does more than define something."""
    if isinstance(node, ast.For | ast.While | ast.With | ast.Raise):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and _called(node.value) not in (
            "seed",
            "manual_seed",
            "filterwarnings",
            "append",
            "insert",
            "set_float32_matmul_precision",
        )
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return any(
            isinstance(part, ast.Call) and _called(part) in RUNNING_CALLS
            for part in ast.walk(node.value)
        )
    return False


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


# ── classes


def _is_module(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    """True if a class is a torch.nn.Module, directly or through classes of the file."""
    for base in node.bases:
        name = _name_of(base)
        if name.endswith("Module") or (
            name in classes and name != node.name and _is_module(classes[name], {})
        ):
            return True
        # a base from elsewhere, as those of a model hub, is one where there is a forward
        if name not in classes and name != "object" and _method(node, "forward"):
            return True
    return False


def _model_class(modules: dict[str, ast.ClassDef]) -> ast.ClassDef | None:
    """GPT, or the last module with a forward that no other module contains."""
    if "GPT" in modules:
        return modules["GPT"]
    parts = {
        part.id
        for node in modules.values()
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and part.id != node.name
    }
    whole = [
        node for node in modules.values() if node.name not in parts and _method(node, "forward")
    ]
    return whole[-1] if whole else None


def _config_class(
    classes: dict[str, ast.ClassDef],
    modules: dict[str, ast.ClassDef],
    model: ast.ClassDef | None,
) -> ast.ClassDef | None:
    """GPTConfig, or the class that the model's first argument is annotated with, or one whose name
    or fields are those of a config."""
    if "GPTConfig" in classes:
        return classes["GPTConfig"]
    others = [node for name, node in classes.items() if name not in modules]
    init = _method(model, "__init__")
    for argument in init.args.args[1:2] if init else ():
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id in classes:
            return classes[argument.annotation.id]
    for node in others:
        if node.name.lower().endswith(("config", "args", "params", "hparams")):
            return node
    return next((node for node in others if len({*_fields(node)} & {*NANOGPT_FIELDS}) > 1), None)


def _fields(node: ast.ClassDef | None) -> tuple[str, ...]:
    return tuple(
        part.target.id
        for part in (node.body if node else ())
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    )


def _own_words(
    config: ast.ClassDef | None,
    classes: dict[str, ast.ClassDef],
    modules: dict[str, ast.ClassDef],
) -> tuple[str, ...]:
    """The fields that modules read of something called config and that neither nanoGPT nor a class
    of the file has: one that a wrapper translates to stands beside GPTConfig."""
    if config is None or config.bases:
        return ()
    fields = {*NANOGPT_FIELDS, "dropout", "bias"}
    for part in (part for name in classes.keys() - modules for part in ast.walk(classes[name])):
        if isinstance(part, ast.FunctionDef):
            fields.add(part.name)
        elif isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store):
            fields.add(_name_of(part))
    attributes = [
        part
        for node in modules.values()
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and _name_of(part.value) == "config"
    ]
    fields |= {part.attr for part in attributes if isinstance(part.ctx, ast.Store)}
    return tuple(dict.fromkeys(part.attr for part in attributes if part.attr not in fields))


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _method(node: ast.ClassDef | None, name: str) -> ast.FunctionDef | None:
    for part in node.body if node else ():
        if isinstance(part, ast.FunctionDef) and part.name == name:
            return part
    return None


def _positional(method: ast.FunctionDef | None) -> list[str]:
    """The names of a method's positional arguments, without self."""
    if method is None:
        return []
    return [argument.arg for argument in (*method.args.posonlyargs, *method.args.args)][1:]
