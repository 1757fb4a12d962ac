"""Results as people keep them: the same numbers in many writings are one verdict, and a cell that may
be two numbers is a question."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from q1lab.commands.cli import cli
from q1lab.judgment.tables.table_rows import delimited_rows
from q1lab.judgment.tables.written_numbers import plain_rows, writings
from tests.kit.commands import q1lab

ARMS = {"baseline": (71.25, 70.9, 71.6, 71.0), "wide, deep": (72.6, 72.75, 72.1, 73.4)}
RUNS = [(arm, seed, value) for arm, values in ARMS.items() for seed, value in enumerate(values)]


@pytest.fixture(autouse=True)
def where_one_stands(working_folder: None, tmp_path: Path) -> None:
    os.chdir(tmp_path)


def table(*, sep: str = ",", write: Callable[[float], str] = str, quote: str = '"') -> str:
    rows = [("method", "seed", "accuracy"), *((a, str(s), write(v)) for a, s, v in RUNS)]
    return "".join(sep.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in rows)


def markdown(write: Callable[[float], str] = str) -> str:
    rows = "".join(f"| {a} | {s} | {write(v)} |\n" for a, s, v in RUNS)
    return f"Our results:\n\n| method | seed | accuracy |\n|:--|--:|---|\n{rows}\nThat is all.\n"


def wide(sep: str = ",") -> str:
    rows = [["method", *(f"accuracy, seed {seed}" for seed in range(4))]]
    rows += [[arm, *map(str, values)] for arm, values in ARMS.items()]
    return "".join(sep.join(f'"{cell}"' for cell in row) + "\n" for row in rows)


WRITINGS = {
    "plain.csv": table(),
    "tabs.tsv": table(sep="\t", quote=""),
    "percent.csv": table(write=lambda v: f"{v} %"),
    "german.csv": table(sep=";", write=lambda v: str(v).replace(".", ",")),
    "french.csv": table(sep=";", write=lambda v: str(v).replace(".", ",") + "\u202f%"),
    "errors.csv": table(write=lambda v: f"{v} ± 0.3"),
    "brackets.csv": table(write=lambda v: f"{v} (0.31)"),
    "notes.csv": table(write=lambda v: f"{v}†"),
    "unit.csv": table(write=lambda v: f"{v} pts"),
    "paste.md": markdown(),
    "bold.md": markdown(lambda v: f"**{v}**"),
    "wide.csv": wide(),
    "list.json": json.dumps([{"method": a, "seed": s, "accuracy": v} for a, s, v in RUNS]),
}


def judged(name: str, *words: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(q1lab("judge", name, *words, "--json").stdout)
    return record


def numbers(record: dict[str, Any]) -> Any:
    return record["difference"], record["verdict"], record["arms"]


@pytest.mark.parametrize("name", WRITINGS)
def test_the_same_numbers_in_another_writing_are_the_same_verdict_to_the_bit(name: str) -> None:
    Path(name).write_text(WRITINGS[name])
    Path("reference.csv").write_text(WRITINGS["plain.csv"])
    assert numbers(judged(name)) == numbers(judged("reference.csv"))
    told = q1lab("judge", name).stdout.splitlines()[:3]
    assert 'baseline (4 runs), "wide, deep" (4 runs)' in told[0], "the arms that were read"
    assert "accuracy" in told[1], "the metric that was read"
    assert "higher is better" in told[1]
    assert "pairs by seed, from " in told[2], "where the seeds were read"


def test_a_pasted_table_is_read_from_standard_input() -> None:
    Path("reference.csv").write_text(WRITINGS["plain.csv"])
    done = CliRunner().invoke(cli, ["judge", "-", "--json"], input=markdown())
    assert numbers(json.loads(done.stdout)) == numbers(judged("reference.csv"))


def workbook(file: str, *sheets: Iterable[Iterable[object]]) -> None:
    """Write a workbook as small as Excel opens."""
    office = "http://schemas.openxmlformats.org"
    rel, main = f"{office}/officeDocument/2006/relationships", f"{office}/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def cell(value: object) -> str:
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    with zipfile.ZipFile(file, "w") as archive:
        places, links, names = "", "", ""
        for n, rows in enumerate(sheets, 1):
            data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            sheet = f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'
            archive.writestr(f"xl/worksheets/sheet{n}.xml", sheet)
            places += f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
            links += (
                f'<Relationship Id="r{n}" Type="{rel}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            )
            names += f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>'
        types = (
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{places}'
        )
        package = f"{office}/package/2006"
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types">'
            f'<Default Extension="rels" ContentType="application/xml"/>{types}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="b" '
            f'Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{names}</sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
        )


def test_a_workbook_is_read_by_its_one_sheet_with_numbers() -> None:
    pytest.importorskip("python_calamine")
    rows = [("method", "seed", "accuracy"), *RUNS]
    workbook("runs.xlsx", [["notes of November"]], rows)
    Path("reference.csv").write_text(WRITINGS["plain.csv"])
    assert numbers(judged("runs.xlsx")) == numbers(judged("reference.csv"))
    workbook("two.xlsx", rows, rows)
    assert "several sheets hold numbers (S1, S2)" in refused("two.xlsx")
    workbook("none.xlsx", [["a", "b"], ["c", "d"]])
    assert "no sheet holds numbers" in refused("none.xlsx")
    Path("broken.xlsx").write_bytes(Path("runs.xlsx").read_bytes()[:300])
    assert "broken.xlsx is no workbook" in refused("broken.xlsx")


@pytest.mark.parametrize(
    ("header", "form", "half"),
    [
        ("method,seed,accuracy", "{}/100", "0.089"),
        ("method,seed,errors", "{}/100", "0.089"),
        ("method,seed,accuracy", "{}% of 100", "8.9"),
        ("method,seed,accuracy,n_items", "{}%,100", "8.9"),
        ("method,seed,accuracy,n_items", "{},100", "8.9"),
        ("method,seed,accuracy %,examples", "{},100", "8.9"),
    ],
)
def test_what_seeds_can_t_show_stands_where_a_table_counts_items(
    header: str, form: str, half: str
) -> None:
    runs = [
        (arm, seed, 70 + 8 * at + seed * (1 + at))
        for at, arm in enumerate("ab")
        for seed in range(3)
    ]
    rows = "".join(f"{arm},{seed},{form.format(many)}\n" for arm, seed, many in runs)
    Path("t.csv").write_text(f"{header}\n{rows}")
    told = q1lab("judge", "t.csv", "--baseline", "a").stdout
    assert f"counted on 100 items: on as many others each arm's could be {half}" in " ".join(
        told.split()
    )
    assert len(told.splitlines()) < 12, "it stands in the short answer"


def test_a_step_has_thousands_and_no_fraction() -> None:
    steps = "".join(
        f'{a},{s},"{n}",{n[0]}.{s}\n' for a in "ab" for s in "01" for n in ("500", "1,500")
    )
    Path("t.csv").write_text(f"method,seed,step,val_loss\n{steps}")
    assert judged("t.csv", "--baseline", "a")["arms"]["baseline"]["mean"] == pytest.approx(1.05)


# ── means


def refused(name: str, *words: str, code: int = 2) -> str:
    (line,) = q1lab("judge", name, *words, code=code).stderr.splitlines()
    return line


SUMMARIES = [
    "method,mean,std,n\nbaseline,71.3,0.5,5\nours,72.5,0.4,5\n",
    "method,accuracy,accuracy_std,runs\nbaseline,71.3,0.5,5\nours,72.5,0.4,5\n",
    "method,accuracy ± sd,n\nbaseline,71.3 ± 0.5,5\nours,72.5 ± 0.4,5\n",
    f"method,mean,sem,n\nbaseline,71.3,{0.5 / 5**0.5},5\nours,72.5,{0.4 / 5**0.5},5\n",
    "| method | accuracy (± std) | n |\n|--|--|--|\n| baseline | 71.3 ± 0.5 | 5 |\n| ours | **72.5 ± 0.4** | 5 |\n",
]


@pytest.mark.parametrize("text", SUMMARIES)
def test_means_with_their_spread_and_number_are_judged_by_welch_s_interval(text: str) -> None:
    from scipy import stats

    Path("means.csv").write_text(text)
    record = judged("means.csv", "--better", "higher")
    pooled = stats.ttest_ind_from_stats(72.5, 0.4, 5, 71.3, 0.5, 5, equal_var=False)
    low, high = record["difference"]["welch"]["low"], record["difference"]["welch"]["high"]
    expected = pooled.confidence_interval() if hasattr(pooled, "confidence_interval") else None
    df = (0.25 / 5 + 0.16 / 5) ** 2 / ((0.25 / 5) ** 2 / 4 + (0.16 / 5) ** 2 / 4)
    half = stats.t.ppf(0.975, df) * (0.25 / 5 + 0.16 / 5) ** 0.5
    assert expected is None or expected.low == pytest.approx(low)
    assert (low, high) == pytest.approx((1.2 - half, 1.2 + half))
    assert record["verdict"] == "helps"
    told = q1lab("judge", "means.csv", "--better", "higher", "--full").stdout
    assert "two groups, by their means and spreads" in told
    assert "bootstrap" not in told, "there are no runs to resample"


def test_means_whose_spread_or_number_is_not_told_are_asked_about() -> None:
    Path("a.csv").write_text("method,accuracy,n\nbaseline,71.3 ± 0.5,5\nours,72.5 ± 0.4,5\n")
    assert "standard deviation or the standard error?" in refused("a.csv")
    Path("b.csv").write_text("method,accuracy ± sd\nbaseline,71.3 ± 0.5\nours,72.5 ± 0.4\n")
    assert "of how many runs" in refused("b.csv")


# ── what may be two numbers, and what is none


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('method,accuracy\na,"71,205"\nb,"72,301"\n', (":2", "'71,205'", "decimal")),
        ("method;accuracy;lr\na;1.234;71,2\nb;2.345;72,5\n", (":2", "'1.234'", "decimal")),
        ("method,accuracy\na,71%\nb,0.72\n", (":2", "'71%'")),
        ("method,accuracy\na,71 ms\nb,0.72 s\n", (":2", "'71 ms'")),
        ("method,accuracy\na,71k\nb,72k\n", (":2", "'71k'")),
        ("method,accuracy,minutes\na,fast,3\nb,slow,4\n", (":2", "'fast'")),
        ("arm,seed,x,y\na,0,500,1\na,1,1k,1\nb,0,1k,2\n", (":3", "x '1k'")),
        ("a,b,x\n1,2,3\n2,3,4\n", ("no column says which arm",)),
        ("name,note,x\na,good,3\nb,bad,4\n", ("--arm-key",)),
    ],
)
def test_what_may_be_two_numbers_or_none_is_a_question(text: str, words: tuple[str, ...]) -> None:
    Path("t.csv").write_text(text)
    line = refused("t.csv", "--baseline", "a")
    assert all(word in line for word in words), line


def test_a_direction_that_nobody_named_is_asked_for() -> None:
    arms = ("--baseline", "71.2,71.3,71.1", "--modified", "72.6,72.5,72.4")
    (line,) = q1lab("judge", *arms, code=2).stderr.splitlines()
    assert "--better lower, or --better higher" in line
    record = json.loads(q1lab("judge", *arms, "--better", "higher", "--json").stdout)
    assert (record["verdict"], record["metric"]["name"]) == ("helps", "value")


def test_one_run_an_arm_is_said_once() -> None:
    Path("results.tsv").write_text(
        "description\tval_bpb\n" + "".join(f"change {n}\t{1 - n / 100}\n" for n in range(8))
    )
    line = refused("results.tsv", "--baseline", "change 0", code=3)
    assert "each of 8 arms has one run" in line


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 4)), min_size=2),
    st.sampled_from(["{:,.4f}", "{:.4f}", "{:.4f} %", "**{:.4f}**"]),
    st.booleans(),
)
def test_a_written_number_is_its_plain_one(values: list[float], form: str, is_german: bool) -> None:
    texts = [form.format(value) for value in values]
    if is_german:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    rows = delimited_rows("x\n" + "".join(f'"{text}"\n' for text in texts), "t")
    plain = plain_rows(rows, writings(rows))
    assert [float(row["x"]) for _, row in plain] == values, texts
