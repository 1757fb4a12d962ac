"""`q1lab content`: check a week's folder, or start a new one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable


@click.group(epilog="Example: q1lab content check my-week")
def content() -> None:
    """Write weeks of your own: check a content folder, or start one.

    A week is a folder with week.toml and Markdown files; open it with `q1lab --content DIR`.
    """


@content.command("check", short_help="Say what is wrong with the week in DIR.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--run", "running", is_flag=True, help="Run its Python, too: minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check_command(ctx: click.Context, folder: Path, running: bool, as_json: bool) -> None:
    """Say what is wrong with the week in DIR, one line each: FILE:LINE: what.

    Nothing in the folder is executed, unless you ask for it with --run: then the Python of its text
    and the scripts in its files run, which may take some minutes.

    \b
    Example:
      q1lab content check my-week

    Exit status: 0 nothing is wrong, 1 something is, 2 DIR is not a folder.
    """
    from q1lab.ground.paths import models_dir
    from q1lab.plugins.author.weeks import check_week
    from q1lab.study import variants
    from q1lab.week.content import load_week
    from q1lab.week.lists.kpis import COUNTERS

    if not folder.is_dir():
        raise Problem(
            f"{folder} is not a folder", next="name the folder that holds week.toml", file=folder
        )
    findings = check_week(folder, variants.variant_names(), COUNTERS)
    if running and not any(finding.fatal for finding in findings):
        from q1lab.plugins.author import code_runner

        editions = [load_week(folder, course) for course in (True, False)]
        distinct_editions = {tuple(code.source for code in week.code): week for week in editions}
        for index, week in enumerate(distinct_editions.values()):
            run_findings = code_runner.run_blocks(week, models_dir(), scripts=index == 0)
            findings += [new for new in run_findings if new not in findings]
    if as_json:
        rows = [
            {"file": f.file, "line": f.line, "message": printable(f.message), "fatal": f.fatal}
            for f in findings
        ]
        click.echo(
            json.dumps({"folder": str(folder), "findings": rows}, indent=2, ensure_ascii=False)
        )
    else:
        for finding in findings:
            click.echo(printable(str(finding)))
        if not findings:
            week = load_week(folder)
            parts, steps = len(list(week.parts())), len(list(week.steps()))
            click.echo(
                f"{printable(week.label)} is fine: sessions {len(week.sessions)}, parts {parts}, "
                f"steps {steps}, "
                f"{week.minutes} minutes"
            )
    if findings:
        ctx.exit(FAILED)


@content.command("new", short_help="Start a week in DIR.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--name", "label", default="M00-W00", show_default=True, help="The week's short name."
)
def new_command(folder: Path, label: str) -> None:
    """Write a small week into DIR that passes the check. Overwrites nothing.

    \b
    Example:
      q1lab content new my-week --name M04-W01

    Exit status: 0 written, 1 DIR can't be written, 2 there is a week in DIR already.
    """
    from q1lab.plugins.author.weeks import write_skeleton

    for path in write_skeleton(folder, label):
        click.echo(f"wrote {printable(str(path))}")
    click.echo(
        f"next: q1lab content check {printable(str(folder))}, then q1lab --content "
        f"{printable(str(folder))}"
    )
