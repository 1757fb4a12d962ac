"""`q1lab export`: a study as a folder or an archive, or the results of studies as a file."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from q1lab.commands._names import study_argument
from q1lab.commands._options import force_option, json_option
from q1lab.commands._output import print_json, say_written
from q1lab.commands._store import open_store
from q1lab.compare import claim
from q1lab.documents.result_files import CSV, JSON, PAGE, export_studies
from q1lab.ground.errors import NOTICES, OK, Problem, notice
from q1lab.ground.files import expand_user
from q1lab.ground.write_intents import STDOUT
from q1lab.journal import study_names
from q1lab.journal.store import Store
from q1lab.study import bundle, studies
from q1lab.study.bundle import ZIP_SUFFIX
from q1lab.study.command_arms import token_note
from q1lab.study.studies import Study

RESULTS = (CSV, JSON, PAGE)


def _complete_file(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
    return [CompletionItem(typed, type="file")]


@click.command(
    epilog="""\b
Examples:
  q1lab export rope-1 rope-1/              the whole study as a folder
  q1lab export rope-1 rope-1.zip           the same as one file
  q1lab export rope-1 swiglu-1 runs.csv    a row per run
  q1lab export --all results.json          every comparison
  q1lab export rope-1 rope-1.html          one page, to send to someone
  q1lab export rope-1 points.csv --curves
"""
    "  q1lab verify rope-1.zip                  anyone can check that file\n"
    + """
\b
Exit status: 0 written, 1 a file can't be written, 2 usage."""
)
@study_argument(nargs=-1)
@click.argument("target", shell_complete=_complete_file)
@force_option
@click.option("--all", "everything", is_flag=True, help="All studies, into a CSV or JSON.")
@click.option(
    "--curves",
    is_flag=True,
    help="All numbers that the runs reported: a row per point instead of per run, or in the JSON.",
)
@json_option
def export(
    study: tuple[str, ...],
    target: str,
    force: bool,
    everything: bool,
    curves: bool,
    as_json: bool,
) -> int:
    """Write STUDY (default: the latest) to TARGET: a folder or an archive (.zip) gets the whole
    study, a .csv, .json or .html file its results. CSV and JSON take several studies, and a TARGET
    of - prints the CSV.

    A folder or archive holds the plan, sources, events, logs, weights and the text. `q1lab restore`
    brings the study back, `q1lab verify` checks it, and `q1lab run FOLDER` trains it again.
    """
    if study and everything:
        raise Problem("give studies or --all: one of them")
    if target in studies.ids():
        raise Problem(
            f"{target} is a study, and the last word is the file or folder to write",
            next=f"q1lab export {target} {target}/",
        )
    path = expand_user(target)
    suffix = CSV if path == STDOUT else _suffix_of(path)
    if curves and suffix not in (CSV, JSON):
        raise Problem(f"{target}: --curves goes with a CSV or JSON", file=path)
    unreadable: dict[str, str] = {}
    if everything:
        readable, unreadable = studies.load_each(studies.ids())
        ids = [each.id for each in readable]
    else:
        ids = list(dict.fromkeys(study)) or [studies.latest()]
    if suffix not in (CSV, JSON) and (everything or len(ids) != 1):
        raise Problem(f"{target} takes one study", next="name one", file=path)
    with open_store() as store:
        if suffix in RESULTS:
            export_studies(store, ids, path, curves=curves, force=force, unreadable=unreadable)
        else:
            _write_bundle(store, studies.load(ids[0]), path, force)
    NOTICES.extend(f"{name} can't be read: {why}" for name, why in unreadable.items())
    if as_json:
        print_json({"studies": ids, "unreadable": unreadable, "written": str(path)})
        return OK
    say_written(path, "" if suffix in RESULTS else "; `q1lab restore` brings it back")
    return OK


def _suffix_of(target: Path) -> str:
    """The suffix that says what is written to ``target``; empty for a folder. Problem for a suffix
    of nothing."""
    suffix = "" if target.is_dir() else target.suffix.lower()
    forms = (*RESULTS, ZIP_SUFFIX)
    if suffix and suffix not in forms:
        raise Problem(
            f"{target}: nothing is exported as {target.suffix}",
            next=f"give a name that ends in {', '.join(forms)}, or a folder without a dot",
            file=target,
        )
    return suffix


def _write_bundle(store: Store, study: Study, target: Path, force: bool) -> None:
    if said := token_note(study.trainer.loop):
        notice(said)
    provenance = claim.make_provenance(store, study)
    name = study_names.name_of(store, study.id)
    bundle.export_bundle(study.id, target, provenance, name, force=force)
