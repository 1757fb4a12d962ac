"""Instructions for a stranger to train a finished study again, and the bundle in the learner's
repository that makes this possible."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.documents.change import read_document
from q1lab.documents.markdown_escape import Md, code_span, inline
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.ground.git_repository import Repository
from q1lab.study import command_line, corpora, kept_folder, kinds, variants
from q1lab.study.studies import ARMS, Study
from q1lab.study.trainer import COMMAND


@dataclass(frozen=True)
class Reproduction:
    """``command`` is empty where nothing can train it again; ``folder`` where the repository does
    not keep the study. ``notes`` are sentences in Markdown."""

    command: str = ""
    folder: str = ""
    notes: tuple[Md, ...] = ()


def needs_folder(study: Study) -> bool:
    """True if the study trained a file or command of the learner's rather than files that ship with
    q1lab, or on seeds that only its plan knows."""
    is_own = any(variants.is_path(arm.origin) for arm in study.arms.values())
    return is_own or study.trainer.kind == COMMAND or bool(study.design.fresh_seeds)


def trained_reference(study: Study) -> bool:
    """True if the modified arm is a model file that q1lab ships: it was typed as a name, not as a
    path. False for the baseline, which gives nothing away."""
    origin = study.arms["modified"].origin
    return bool(study.model_files) and origin != "baseline" and not variants.is_path(origin)


def bundle_files(
    study: Study, root: Path, evidence: Mapping[str, Any]
) -> tuple[dict[Path, bytes], tuple[str, ...]]:
    """(the study's folder below ``root`` to write, the obstacles in sentences).

    A model file that is there already with other contents is the learner's edit of it: then nothing
    is to be written.
    """
    files = kept_folder.files_to_keep(study, root, evidence)
    edited = [
        path
        for path, data in files.items()
        if path.suffix == ".py" and read_document(path) not in (None, data)
    ]
    if edited:
        edited_names = ", ".join(str(path.relative_to(root)) for path in edited)
        return {}, (
            f"{edited_names}: no longer what trained in {study.id}; q1lab leaves it as it is. "
            "Delete it, and `q1lab modification` writes it again.",
        )
    return files, ()


def keeps_bundle(study: Study, root: Path) -> bool:
    """True if the repository holds the study's files as they trained."""
    try:
        files = kept_folder.files_to_keep(study, root)
    except Problem:
        return False
    return all(
        read_document(path) == data if path.suffix == ".py" else read_document(path) is not None
        for path, data in files.items()
        if path.suffix == ".py" or path.name == kept_folder.PLAN_NAME
    )


def reproduction_of(study: Study, root: Path | None, *, keeps: bool) -> Reproduction:
    """The instructions for the document. ``keeps``: the repository ``root`` holds, or is about to
    hold, the study's folder."""
    by_commands = study.trainer.kind == COMMAND
    data, notes = ("", (_commands_note(study),)) if by_commands else _data_option(study, root)
    folder = kept_folder.folder_name(study)
    from_folder = f"q1lab run {folder}{data}"
    if keeps:
        return Reproduction(from_folder, folder, notes)
    if needs_folder(study):
        program = " and, beside `studies`, the program that it names" * by_commands
        needs = Md(
            f"This needs the folder {code_span(folder)}{program}. Ask me for what is not here."
        )
        return Reproduction(from_folder, "", (needs, *notes))
    version = study.trainer.versions.get("q1lab", "")
    ship = inline(f"Both model files ship with q1lab {version}".rstrip() + ".")
    return Reproduction(rerun_command(study), "", (ship, *notes))


def _commands_note(study: Study) -> Md:
    """The command of each arm."""
    commands = " and ".join(code_span(study.arms[arm].title) for arm in ARMS)
    return Md(f"Each run is one of two commands, with its seed in place of {{seed}}: {commands}.")


def _data_option(study: Study, root: Path | None) -> tuple[str, tuple[Md, ...]]:
    """(the option that gives the data, where a stranger has to give them; notes on the data)."""
    if study.data.name == "stdlib":
        release = ".".join(study.trainer.versions.get("python", "").split(".")[:2])
        return "", (
            inline(
                f"The data are the source text of Python {release}'s standard library, so you need "
                "a Python of the same release (compare the hash in its study.json)."
            ),
        )
    origin = study.origin.typed.data if study.origin.typed else ""
    if origin in corpora.BUILT_IN or study.data.name in corpora.BUILT_IN:
        return "", ()
    if root is not None and _committed(Path(origin), study.data.sha256, root):
        return "", (Md(f"The data are {code_span(str(Path(origin).relative_to(root)))}."),)
    return f" --data {shlex.quote(study.data.name)}", (
        Md(
            f"The data, {code_span(study.data.name)} (the hash is below), are not here: "
            f"give the file with {code_span('--data')}."
        ),
    )


def _committed(file: Path, sha256: str, root: Path) -> bool:
    """True if a clone of the repository contains these data."""
    try:
        if not file.is_relative_to(root) or sha256_file(file) != sha256:
            return False
        return Repository.discover(root).has_committed(file)
    except (OSError, Problem):
        return False


def rerun_command(study: Study) -> str:
    """The command that runs a study of models that ship again. Of data only the name is told: paths
    are private."""
    # where a stranger uploads is theirs to say
    request = replace(kinds.request(study), wandb="auto", data=study.data.name)
    return command_line.command_text(request)
