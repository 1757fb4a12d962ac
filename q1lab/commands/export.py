"""`q1lab export`: results as JSON, CSV, SVG or PNG."""

from __future__ import annotations

import json
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.compare.export import FORMATS
from q1lab.errors import FAILED, NOTICES, OK, Problem


@click.command(
    epilog="""\b
Examples:
  q1lab export --format csv
  q1lab export rope-1 swiglu-1 --format json --output results.json
  q1lab export rope-1 --format svg --output plots/
  q1lab export rope-1 --format csv --curves
  q1lab export --tag draft --format csv
  q1lab export notebook rope-1             a planned study for Colab or Kaggle
  q1lab export notebook rope-1 --output rope-1.zip   the same with one script

\b
Exit status: 0 written, 1 a file can't be written, 2 usage."""
)
@click.argument("study", nargs=-1)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Default: by --output's suffix, else json."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file or a folder. Default: this folder.",
)
@shared.force_option
@click.option("--all", "everything", is_flag=True, help="All studies.")
@click.option("--tag", metavar="TAG", help="All studies that have this tag.")
@click.option(
    "--curves",
    is_flag=True,
    help="CSV: a row per point of the loss curves instead of a row per run.",
)
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written.")
def export(
    study: tuple[str, ...],
    form: str | None,
    output: Path | None,
    force: bool,
    everything: bool,
    tag: str | None,
    curves: bool,
    as_json: bool,
) -> int:
    """Write the results of STUDY (several are fine; default: the latest) into files."""
    from q1lab.commands._store import opened
    from q1lab.compare.export import export as write
    from q1lab.files import not_a_file, plain
    from q1lab.index import labels
    from q1lab.study import studies

    if study[:1] == ("notebook",):
        return _notebook(study[1:], output, force, as_json)
    if bool(study) + everything + (tag is not None) > 1:
        raise Problem("give studies, --all or --tag: one of them")
    suffix = (
        output.suffix.lower().removeprefix(".")
        if output is not None and not output.is_dir()
        else ""
    )
    form = form or (suffix if suffix in FORMATS else "json")
    if curves and form != "csv":
        raise Problem(f"--curves makes a CSV; it does not go with --format {form}")
    unreadable: dict[str, str] = {}
    with opened() as store:
        if everything or tag is not None:
            names = studies.ids()
            if tag is not None:
                names = [name for name in names if tag in labels.read(store, name).tags]
                if not names:
                    raise Problem(f"no study has the tag {tag!r}; `q1lab tag` lists those in use")
            readable, unreadable = studies.sorted_out(names)
            ids = [one.id for one in readable]
        else:
            ids = list(dict.fromkeys(study)) or [studies.latest()]
        written = write(store, ids, form, output, curves=curves, force=force, unreadable=unreadable)
    NOTICES.extend(f"{name} can't be read: {why}" for name, why in unreadable.items())
    if as_json:
        click.echo(
            json.dumps(
                {
                    "format": form,
                    "studies": ids,
                    "unreadable": unreadable,
                    "written": [str(path) for path in written],
                },
                indent=2,
            )
        )
    else:
        for path in written:
            click.echo(f"wrote {plain(str(path))}", err=not_a_file(path) is not None)
    return OK


def _notebook(names: tuple[str, ...], output: Path | None, force: bool, as_json: bool) -> int:
    """Write one study as a notebook, or (by the output's suffix) as a zip with a script."""
    from q1lab.commands._store import opened
    from q1lab.files import os_reason
    from q1lab.index import ingest
    from q1lab.own_writes import write_out
    from q1lab.study import notebook, studies

    if len(names) > 1:
        raise Problem("a notebook trains one study; name one")
    study = studies.load(names[0] if names else studies.latest())
    if study.loop is not None:
        raise Problem(f"{study.id} trains by a command, which a notebook does not have")
    path = output or Path(f"{study.id}.ipynb")
    if path.is_dir():
        path /= f"{study.id}.ipynb"
    if path.suffix not in (".ipynb", ".zip"):
        raise Problem(f"--output {path}: give a name that ends in .ipynb or .zip")
    with opened() as store:
        ingest.take_in(store, study)
        missing = store.missing(study)
    if not missing:
        raise Problem(f"{study.id} lacks no run; there is nothing to train")
    try:
        make = notebook.packed if path.suffix == ".zip" else notebook.notebook
        write_out(path, make(study, missing), force=force)
    except OSError as error:
        raise Problem(
            f"{study.id} can't be taken along: {error.filename}: {os_reason(error)}", FAILED
        ) from None
    if as_json:
        click.echo(json.dumps({"study": study.id, "runs": missing, "written": str(path)}))
    else:
        click.echo(f"wrote {path}: {notebook.count(study, missing)}. Back home: q1lab import")
    return OK
