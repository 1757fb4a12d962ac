"""`q1lab skill`: instructions for a coding agent, in the format of agentskills.io."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import force_option, print_json
from q1lab.ground import command_table, paths, plugin_finder
from q1lab.ground.errors import EXIT_STATUS, OK, Problem
from q1lab.ground.files import prove_inside, read_text
from q1lab.index import acts

SKILL_NAME = "q1lab"
"""Name of the skill and of its folder."""
PAGES = ("plan", "run", "look", "documents", "learner")
"""Pages of the skill, each a file in references/."""
ADDED_PAGES = {
    name: page
    for plugin in plugin_finder.plugins(installed=True)
    for name, page in plugin.skill_pages.items()
}
"""The pages of plug-ins."""


@click.command(
    epilog="""\b
Examples:
  q1lab skill
  q1lab skill run
  q1lab skill --output .claude/skills"""
)
@click.argument("page", required=False, type=click.Choice((*PAGES, *ADDED_PAGES)))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write it into DIR/q1lab, where DIR is an agent's folder of skills; made if missing.",
)
@force_option
@shared.json_option
def skill(page: str | None, output: Path | None, force: bool, as_json: bool) -> int:
    """Print the instructions for an agent that helps here, or one page of them: how to run, check
    and read, and what only the learner may do. --output writes it as a skill (agentskills.io).

    An agent that follows it gives its name in Q1LAB_AGENT; the journal then shows what it did.
    """
    pages = skill_files()
    if output is None:
        text = pages[f"references/{page}.md" if page else "SKILL.md"]
        if as_json:
            print_json(pages)
        else:
            click.echo(text, nl=False)
        return OK
    if page:
        raise Problem("--output writes every page", next="leave PAGE out")
    written = write_skill(output.absolute(), pages, force=force)
    if as_json:
        print_json({"written": [str(file) for file in written]})
    else:
        click.echo(f"wrote {written[0]} and {len(written) - 1} pages beside it")
    return OK


def skill_files() -> dict[str, str]:
    """The text of the skill's files by their paths in its folder, SKILL.md first."""
    folder = paths.PACKAGE / "commands" / "skill_pages"
    names = ["SKILL.md", *(f"references/{page}.md" for page in PAGES)]
    replacements = {
        "COMMANDS": "\n".join(
            f"- `q1lab {a.name}`: {a.about}" for a in command_table.listed_acts().values()
        ),
        "EXIT_STATUS": EXIT_STATUS,
        "ADDED_PAGES": "".join(
            f"\n- `references/{name}.md`: {page.about}" for name, page in ADDED_PAGES.items()
        ),
        "AGENT": acts.AGENT,
        "LEARNERS": "\n".join(f"- {act}" for act in acts.LEARNER_ONLY.values()),
    }
    pages = {}
    for name in names:
        text = read_text(folder / name)
        for key, value in replacements.items():
            text = text.replace("{{" + key + "}}", value)
        pages[name] = text
    for name, page in ADDED_PAGES.items():
        pages[f"references/{name}.md"] = plugin_finder.load(page.text)()
    return pages


def write_skill(folder: Path, pages: dict[str, str], *, force: bool) -> list[Path]:
    """Write the skill's folder into ``folder``, which is made if it is not there (a repository has
    no folder of skills before its first), and return the paths written. All targets are checked
    before the first is written: Problem for a file that q1lab did not write (unless ``force``), and
    for a path through a symbolic link."""
    from q1lab.documents.change import public_mode
    from q1lab.ground import write_intents

    targets = {
        prove_inside(folder / SKILL_NAME / name, folder): text.encode()
        for name, text in pages.items()
    }
    with write_intents.single_writer(None):
        for file in targets:
            write_intents.prove_writable(file, force)
        write_intents.record_intent(targets)
        for file, data in targets.items():
            write_intents.replace_file(file, data, mode=public_mode(), git_dir=None)
    return list(targets)
