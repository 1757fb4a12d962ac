"""`q1lab skill`: what an agent needs to know, in the form of agentskills.io."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json
from q1lab.ground import command_table, paths
from q1lab.ground.errors import EXIT_STATUS, GATE_STATUS, OK, Problem
from q1lab.ground.files import proved, read_text
from q1lab.index import journal

SKILL_NAME = "q1lab"
"""The skill's, and therefore its folder's."""
PAGES = ("plan", "run", "look", "gate", "documents", "learner")
"""What there is to look up, a page each in references/."""


@click.command(
    epilog="""\b
Examples:
  q1lab skill
  q1lab skill run
  q1lab skill --output .claude/skills"""
)
@click.argument("page", required=False, type=click.Choice(PAGES))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write it into DIR/q1lab, where DIR is an agent's folder of skills.",
)
@shared.force_option
@shared.json_option
def skill(page: str | None, output: Path | None, force: bool, as_json: bool) -> int:
    """Print what an agent needs to know to help here, or one page of it: how to run, check and
    read, and what is the learner's to do. --output writes it as a skill (agentskills.io).

    An agent that follows it gives its name in Q1LAB_AGENT; the journal then shows what it did.
    """
    found = skill_files()
    if output is None:
        text = found[f"references/{page}.md" if page else "SKILL.md"]
        if as_json:
            print_json(found)
        else:
            click.echo(text, nl=False)
        return OK
    if page:
        raise Problem("--output writes every page", next="leave PAGE out")
    written = write_skill(output.absolute(), found, force=force)
    if as_json:
        print_json({"written": [str(file) for file in written]})
    else:
        click.echo(f"wrote {written[0]} and {len(written) - 1} pages beside it")
    return OK


def skill_files() -> dict[str, str]:
    """The skill's files by their names in its folder, SKILL.md first."""
    folder = paths.PACKAGE / "commands" / "skill_pages"
    names = ["SKILL.md", *(f"references/{page}.md" for page in PAGES)]
    made = {
        "COMMANDS": "\n".join(
            f"- `q1lab {a.name}`: {a.about}" for a in command_table.listed().values()
        ),
        "EXIT_STATUS": EXIT_STATUS,
        "GATE_STATUS": GATE_STATUS,
        "AGENT": journal.AGENT,
        "LEARNERS": "\n".join(f"- {what}" for what in journal.LEARNERS.values()),
    }
    found = {}
    for name in names:
        text = read_text(folder / name)
        for key, value in made.items():
            text = text.replace("{{" + key + "}}", value)
        found[name] = text
    return found


def write_skill(folder: Path, found: dict[str, str], *, force: bool) -> list[Path]:
    """Write the skill's folder into ``folder``; all of it is looked at before anything is written.
    Problem over a file that q1lab did not write (unless ``force``), and for a link on the way."""
    from q1lab.documents.change import public_mode
    from q1lab.ground import write_intents

    if not folder.is_dir():
        raise Problem(
            f"there is no folder {folder}", next="make it first, or give another path", file=folder
        )
    to = {proved(folder / SKILL_NAME / name, folder): text.encode() for name, text in found.items()}
    with write_intents.writing(None):
        for file in to:
            write_intents.may_write(file, force)
        write_intents.mean(to)
        for file, data in to.items():
            write_intents.put(file, data, mode=public_mode(), git_dir=None)
    return list(to)
