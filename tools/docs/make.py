"""Make the pages and pictures in docs that commands make.

    python tools/docs/make.py            the screenshots, from the studies in Q1LAB_HOME
    python tools/docs/make.py film       README's moving picture: a range that really trains, some minutes
    python tools/docs/make.py keys       docs/keys.md, from the app's table of keys
    python tools/docs/make.py commands   docs/commands.md, from each command's --help
    python tools/docs/make.py looks      docs/looks.md's tables and two of docs/statistics.md, from
                                         docs/results/looks.jsonl
    python tools/docs/make.py assumed    docs/statistics.md's table of broken assumptions
    python tools/docs/make.py together   docs/card.md's table of all four against their sum
    python tools/docs/make.py floor      docs/floor.md's table of regrouped runs
    python tools/docs/make.py night      docs/night/README.md's log: an agent's night, some minutes
    python tools/docs/make.py examples   docs/examples.md's tables, from docs/results/public.json

The pages are written between `<!-- made: NAME -->` and `<!-- /made -->`, and nowhere else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def put(file: Path, name: str, text: str) -> None:
    """Replace what stands between the marks called ``name``."""
    old = file.read_text()
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- /made -->)", re.DOTALL)
    if not pattern.search(old):
        sys.exit(f"{file}: no marks called {name!r}")
    file.write_text(pattern.sub(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", old))
    print(f"{file.name}: {name}")


def commands() -> None:
    put(DOCS / "commands.md", "commands", commands_text())


def commands_text() -> str:
    """The help of every command and subcommand, as a terminal of 96 columns shows it."""
    import click

    from q1lab.commands.cli import cli
    from q1lab.ground.command_table import listed_acts
    from q1lab.ground.errors import EXIT_STATUS

    parts = [EXIT_STATUS]

    def page(name: str, command: click.Command) -> None:
        context = click.Context(
            command, info_name=f"q1lab {name}", terminal_width=96, max_content_width=96
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## {name}\n\n```text\n{text.strip()}\n```")
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                child_command = command.get_command(context, child)
                assert child_command is not None
                page(f"{name} {child}", child_command)

    top = click.Context(cli, info_name="q1lab")
    for name in listed_acts():
        command = cli.get_command(top, name)
        assert command is not None
        page(name, command)
    return "\n\n".join(parts)


def keys_text() -> str:
    from q1lab.tui.keys import all_keys, key_name

    titles = {
        "app": "Everywhere",
        "study": "Study",
        "lab": "Lab",
        "results": "Results",
        "progress": "Progress",
        "check": "The check pane",
        "launch": "A new study",
        "verdict": "The comparison",
        "sample": "Passages of both models",
        "log": "A run's log",
    }

    def shown(keys: str) -> str:
        return " ".join(f"`{key_name(key)}`" for key in keys.split(","))

    def table(heading: str, *columns: str, rows: list[str]) -> str:
        lines = [
            f"## {heading}\n",
            f"| {' | '.join(columns)} |",
            "|---" * len(columns) + "|",
            *rows,
        ]
        return "\n".join(lines)

    letters: dict[str, tuple[str, list[str]]] = {}
    for name, key in all_keys().items():
        for letter in key.keys.split(","):
            if len(key_name(letter)) == 1:
                letters.setdefault(letter, (key.words, []))[1].append(titles[name.split(".")[0]])
    means = [
        f"| {shown(letter)} | {words} | {', '.join(dict.fromkeys(where))} |"
        for letter, (words, where) in sorted(
            letters.items(), key=lambda item: key_name(item[0]).lower()
        )
    ]
    parts = [table("Each letter means one thing", "key", "means", "where", rows=means)]
    for where, title in titles.items():
        rows = [
            f"| `{name}` | {shown(key.keys)} | {key.more or key.words} |"
            for name, key in all_keys().items()
            if name.split(".")[0] == where
        ]
        parts.append(table(title, "action", "keys", "does", rows=rows))
    return "\n\n".join(parts)


def keys() -> None:
    put(DOCS / "keys.md", "keys", keys_text())


def examples() -> None:
    import examples as page

    put(DOCS / "examples.md", "changes", page.changes_table())
    put(DOCS / "examples.md", "contest", page.contest_table())


def night() -> None:
    """A night of docs/night, in a home of its own."""
    import os
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        bin_folder = Path(sys.executable).parent
        env = {**os.environ, "Q1LAB_HOME": home, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, "agent.py"],
            cwd=DOCS / "night",
            env=env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    put(DOCS / "night" / "README.md", "night", f"```text\n{done.stdout.strip()}\n```")



def looks() -> None:
    import looks as page

    for name, text in page.texts().items():
        put(DOCS / "looks.md", name, text)
    for name, text in page.statistics_texts().items():
        put(DOCS / "statistics.md", name, text)


def assumed() -> None:
    import assumed as page

    put(DOCS / "statistics.md", "assumed", page.text())


def floor() -> None:
    import floor as page

    put(DOCS / "floor.md", "regrouped", page.regrouped_text())



def together() -> None:
    import together as page

    put(DOCS / "card.md", "together", page.text())


def screens() -> None:
    import shots

    for file in shots.shoot(DOCS / "screens"):
        print(file.name)


FILM_SETTINGS = {
    **{"max_iters": "200", "n_layer": "2", "n_head": "2", "n_embd": "64", "block_size": "32"},
    **{"eval_windows": "20", "eval_interval": "10", "log_interval": "4"},
}
"""A model so small that a range of pairs trains in minutes, and that seeds matter."""


def film() -> None:
    """The lab while a range trains, then its verdict, in a home of its own."""
    import os
    import tempfile

    import film as camera

    from q1lab.index.store import Store
    from q1lab.planning import study_plan
    from q1lab.runner import launch
    from q1lab.study.command_line import Request

    with tempfile.TemporaryDirectory() as home:
        os.environ.update(Q1LAB_HOME=home, WANDB_MODE="disabled")
        request = Request(
            "relu_squared",
            seeds="full:3..8",
            preset="cpu",
            overrides=FILM_SETTINGS,
            jobs=2,
        )
        with Store() as store:
            study = study_plan.begin_study(request, store).study
        try:
            svg = camera.film_study(study)
        finally:
            launch.stop_study(study)
    (DOCS / "screens" / "film.svg").write_text(svg)
    print(f"film.svg: {len(svg.encode()) >> 10} kB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            screens()
        case ["film"]:
            film()
        case ["keys"]:
            keys()
        case ["commands"]:
            commands()
        case ["looks"]:
            looks()
        case ["assumed"]:
            assumed()
        case ["floor"]:
            floor()
        case ["together"]:
            together()
        case ["night"]:
            night()
        case ["examples"]:
            examples()
        case _:
            sys.exit(__doc__)
