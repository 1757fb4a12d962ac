"""Make the figures and tables that README and docs show, from real studies and the real app.

    python tools/docs/make.py                     the screenshots, from the studies in Q1LAB_HOME
    python tools/docs/make.py training            the lab while six real runs train
    python tools/docs/make.py study rope-1        README's table, from that study in Q1LAB_HOME
    python tools/docs/make.py pairing ID ID ...   docs/pairing.md, from studies with 8 or more seeds
    python tools/docs/make.py results ID ID ...   content/results.toml, from studies in Q1LAB_HOME
    python tools/docs/make.py keys                docs/keys.md, from the app's table of keys
    python tools/docs/make.py commands            docs/commands.md, from each command's --help
    python tools/docs/make.py looks               docs/looks.md's tables, from docs/results/looks.jsonl
    python tools/docs/make.py cost                docs/cost.md's tables, from docs/results/cost.jsonl
    python tools/docs/make.py floor               docs/floor.md's table, from docs/results/floor.jsonl
    python tools/docs/make.py card [ID ID ...]    docs/card.md, from docs/results/card.jsonl, which is
                                                  written first where studies are named
    python tools/docs/make.py bench               docs/performance.md's table, from `make bench` on standard input
    python tools/docs/make.py room                docs/performance.md's table of many studies, measured here
    python tools/docs/make.py thousand            docs/engines.md's table of 1,000 runs, measured here

Each writes between `<!-- made: NAME -->` and `<!-- /made -->`, and touches nothing else.
"""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"


def put(file: Path, name: str, text: str) -> None:
    """Replace what stands between the marks called ``name``."""
    old = file.read_text()
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- /made -->)", re.DOTALL)
    if not pattern.search(old):
        sys.exit(f"{file}: no marks called {name!r}")
    file.write_text(pattern.sub(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", old))
    print(f"{file.name}: {name}")


def machine() -> str:
    from q1lab.planning import cores

    return f"{cores()}-core {platform.machine()} {platform.system()} machine"


def study(study_id: str) -> None:
    from q1lab.compare import keeping
    from q1lab.compare.text import lines
    from q1lab.index.store import Store
    from q1lab.study import studies

    with Store() as store:
        record = keeping.compare(store, studies.load(study_id))
    text = "\n".join(lines(record, 80))
    put(
        README,
        "study",
        f"```text\n{text}\n```\n\n({machine()}, torch {record.versions['torch']})",
    )


def pairing(ids: list[str]) -> None:
    from q1lab.compare import keeping, stats
    from q1lab.index.store import Store
    from q1lab.study import studies

    rows = []
    with Store() as store:
        for study_id in ids:
            plan = studies.load(study_id)
            record = keeping.compare(store, plan)
            arms = [
                {
                    seed: value
                    for seed, value in record.arms[arm].values.items()
                    if value is not None
                }
                for arm in studies.ARMS
            ]
            found = stats.correlation(*arms)
            pairs = list(record.pairs.values())
            spread = (
                sum((d - sum(pairs) / len(pairs)) ** 2 for d in pairs) / (len(pairs) - 1)
            ) ** 0.5
            sds = [record.arms[arm].std for arm in studies.ARMS]
            independent = (sds[0] ** 2 + sds[1] ** 2) ** 0.5
            low, high = (
                f"{end:+.2f}" if end is not None else "—" for end in (found.low, found.high)
            )
            rows.append(
                f"| {plan.variant} | {found.n} | {sds[0]:.4f} | {sds[1]:.4f} | {found.r:+.2f} "
                f"({low} to {high}) "
                f"| {spread:.4f} | {independent:.4f} | {record.mean:+.4f} |"
            )
        first = studies.load(ids[0])
    head = (
        f"Preset `{first.preset}`, data {first.data.name}, {first.max_iters:,} iters, "
        f"{first.dtype}, "
        f"{first.device}; {machine()}.\n\n"
        "| modification | pairs | sd, baseline | sd, modified | correlation of pairs (95% "
        "interval) "
        "| sd of paired differences | sd if they were independent | mean difference |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    put(DOCS / "pairing.md", "pairing", head + "\n".join(rows))


def results(ids: list[str]) -> None:
    """Put what these studies measured into content/results.toml; a preset, a variant and a data set
    that are there already are replaced."""
    import tomllib

    from q1lab.compare import keeping
    from q1lab.index.store import Store
    from q1lab.study import corpora, studies

    file = ROOT / "content" / "results.toml"
    old = file.read_text()
    head = old[: old.index("[[results]]")] if "[[results]]" in old else old
    rows = {
        (row["preset"], row["variant"], row["data"]): row
        for row in tomllib.loads(old).get("results", [])
    }
    with Store() as store:
        for study_id in ids:
            plan = studies.load(study_id)
            record = keeping.compare(store, plan)
            pairs = list(record.pairs.values())
            mean = sum(pairs) / len(pairs)
            spread = (sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1)) ** 0.5
            half = student(len(pairs) - 1) * spread / len(pairs) ** 0.5
            shakespeare = plan.data.sha256 == corpora.SHAKESPEARE_SHA256
            data = "shakespeare" if shakespeare else plan.data.name
            rows[plan.preset, plan.variant, data] = {
                "preset": plan.preset,
                "variant": plan.variant,
                "data": data,
                "pairs": len(pairs),
                "mean": round(mean, 5),
                "low": round(mean - half, 5),
                "high": round(mean + half, 5),
                "sd": round(record.arms["baseline"].std or 0.0, 4),
                "pair_sd": round(spread, 4),
                "source": f"q1lab run {plan.variant} --preset {plan.preset} --data {data} "
                f"--seeds {len(pairs)} ({plan.device} {plan.dtype}, {machine()})",
            }
    blocks = []
    for key in sorted(rows):
        lines = [f"{name} = {toml(value)}" for name, value in rows[key].items()]
        blocks.append("[[results]]\n" + "\n".join(lines))
    file.write_text(head + "\n\n".join(blocks) + "\n")
    print(f"{file.name}: {len(blocks)} results")


def student(df: int) -> float:
    """Student's t for a 95% interval."""
    from scipy import stats

    return float(stats.t.ppf(0.975, df))


def toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def commands() -> None:
    put(DOCS / "commands.md", "commands", commands_text())


def commands_text() -> str:
    """The help of every command and subcommand, as a terminal of 96 columns shows it."""
    import click

    from q1lab.cli import COMMANDS, cli
    from q1lab.errors import EXIT_STATUS

    parts = [EXIT_STATUS]

    def page(name: str, command: click.Command) -> None:
        context = click.Context(
            command, info_name=f"q1lab {name}", terminal_width=96, max_content_width=96
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## {name}\n\n```text\n{text.strip()}\n```")
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                page(f"{name} {child}", found)

    top = click.Context(cli, info_name="q1lab")
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        page(name, command)
    return "\n\n".join(parts)


def keys_text() -> str:
    from q1lab.tui.keys import KEYS

    titles = {
        "app": "Everywhere",
        "study": "Study",
        "lab": "Lab",
        "results": "Results",
        "progress": "Progress",
        "check": "The check pane",
        "launch": "A new study",
        "verdict": "The comparison",
        "log": "A run's log",
    }
    parts = []
    for where, title in titles.items():
        rows = [(name, key) for name, key in KEYS.items() if name.split(".")[0] == where]
        lines = [
            f"| `{name}` | {shown(key.keys)} | {key.more or key.words} |" for name, key in rows
        ]
        parts.append(f"## {title}\n\n| action | keys | does |\n|---|---|---|\n" + "\n".join(lines))
    return "\n\n".join(parts)


def shown(keys: str) -> str:
    """Textual's key names as they stand on a keyboard."""
    signs = {
        "question_mark": "?",
        "slash": "/",
        "plus": "+",
        "equals_sign": "=",
        "minus": "-",
        "comma": ",",
        "full_stop": ".",
        "less_than_sign": "<",
        "greater_than_sign": ">",
        "left_square_bracket": "[",
        "right_square_bracket": "]",
        "space": "Space",
        "enter": "Enter",
        "escape": "Esc",
        "home": "Home",
        "end": "End",
        "ctrl+s": "Ctrl+S",
        "delete": "Del",
        "f1": "F1",
    }
    return " ".join(f"`{signs.get(key, key)}`" for key in keys.split(","))


def keys() -> None:
    put(DOCS / "keys.md", "keys", keys_text())


def bench() -> None:
    put(DOCS / "performance.md", "bench", sys.stdin.read())


def room() -> None:
    import subprocess

    script = [sys.executable, str(ROOT / "benchmarks" / "room.py"), *sys.argv[2:]]
    done = subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True)
    put(DOCS / "performance.md", "room", f"On a {machine()}:\n{done.stdout}")


def thousand() -> None:
    import subprocess

    script = [sys.executable, str(ROOT / "benchmarks" / "thousand.py")]
    done = subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True)
    put(DOCS / "engines.md", "thousand", f"On a {machine()}:\n{done.stdout}")


def measured(page: str) -> None:
    """A page whose blocks a module of its name makes from docs/results."""
    import importlib

    for name, text in importlib.import_module(page).texts().items():
        put(DOCS / f"{page}.md", name, text)


def card(ids: list[str]) -> None:
    import card as made

    if ids:
        made.take(ids, machine())
    measured("card")
    for name, drawn in made.charts().items():
        (DOCS / "card" / f"{name}.svg").write_text(drawn)
        print(f"card/{name}.svg")


def screens() -> None:
    import shots

    for file in shots.shoot(DOCS / "screens"):
        print(file.name)


def training() -> None:
    """The lab while six real runs train, in a home of its own."""
    import os
    import tempfile
    import time

    import shots

    from q1lab import planning
    from q1lab.index.store import Store
    from q1lab.study import launch
    from q1lab.study.command import Wish

    with tempfile.TemporaryDirectory() as home:
        os.environ.update(Q1LAB_HOME=home, WANDB_MODE="disabled")
        wish = Wish("rope", preset="quick")
        with Store() as store:
            study = planning.begin(wish, store).study
            while study.runs[3].name not in {
                path.parent.name for path in study.files.root.glob("runs/*/events.jsonl")
            }:
                time.sleep(0.5)
        time.sleep(8)
        (file,) = shots.shoot(Path(home), ("lab",))
        launch.stop(study)
        (DOCS / "screens" / "training.svg").write_bytes(file.read_bytes())
    print("training.svg")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            screens()
        case ["study", study_id]:
            study(study_id)
        case ["pairing", *ids] if ids:
            pairing(ids)
        case ["results", *ids] if ids:
            results(ids)
        case ["training"]:
            training()
        case ["keys"]:
            keys()
        case ["commands"]:
            commands()
        case ["card", *ids]:
            card(ids)
        case ["looks" | "cost" | "floor" as page]:
            measured(page)
        case ["bench"]:
            bench()
        case ["room", *_]:
            room()
        case ["thousand"]:
            thousand()
        case _:
            sys.exit(__doc__)
