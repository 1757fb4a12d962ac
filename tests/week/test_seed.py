"""The facts that the week was made from, row by row, looked up in what the app draws."""

from __future__ import annotations

import re

import pytest

from q1lab.tui.pages import week_pages
from q1lab.tui.widgets.markdown_layout import lay_out_markdown
from q1lab.tui.widgets.page_blocks import FoldPiece, StepPiece, pieces_of
from q1lab.week.content import load_week
from q1lab.week.syllabus import Week
from tests.kit.places import ROOT

VARIANTS = ("rmsnorm", "rope", "swiglu", "gqa")

ROWS: dict[str, list[str]] = {
    "label, next, goal": ["M03-W04", "M04-W01", "three seeds each", "retrospective post"],
    "time": ["about 10 hours", "Tuesday or Wednesday evening", "Saturday morning", "Sunday afternoon",
             "about 3 h", "about 4 h"],
    "output of the week": ["two variants, three seeds each", "third public post", "about 3,000 words",
                           "`Q1_RETRO.md` in your repo", "`AI_EXPERT_ROADMAP.md` brought up to date"],
    "builds on": ["`08-transformers`, rungs 03, 04 and 11", "`05-pytorch`, rungs 07 to 10"],
    "prerequisites": ["M03-W01, M03-W02 and M03-W03 are done", "trains on something"],
    "why it matters": ["never implemented backprop", "a published ablation", "Llama 3, Mistral 7B and Qwen3",
                       "RMSNorm, RoPE, SwiGLU and a form of GQA", "latent attention"],
    "repos": ["`transformer-from-scratch/`: seven notebooks", "`ml-from-scratch/` (four notebooks)",
              "`micrograd-minimal/` (an autograd engine)", "`classical-ml/` (course notebooks, an ablation, a tabular comparison)"],
    "A: parts and minutes": ["pick 15, paper 90, sketch 75"],
    "A: the four": ["LayerNorm, without the centering", "Llama, Mistral", "Llama, Qwen", "Llama, PaLM",
                    "Llama 2 (34B, 70B), Llama 3", "easy, 30 min", "medium, 90 min", "DeepSeek V3"],
    "A: papers": ["arXiv 1910.07467, short: read all of it", "arXiv 2104.09864: sections 1, 3.1, 3.2, 3.3",
                  "arXiv 2002.05202: skim", "arXiv 2305.13245: sections 1 to 3"],
    "A: recommendation": ["RoPE is the recommendation", "richest idea", "most widely used"],
    "A: one paragraph": ["Write one paragraph: why this one?", "MODIFICATION.md"],
    "A: sketch": ["Name the exact lines that change", "**not** going to make it run"],
    "A: output": ["MODIFICATION.md with the choice, the reasoning and the paper notes", "a sketch of the implementation"],
    "B: parts and minutes": ["implement 90, train 130, analyze 30"],
    "B: runs": ["baseline and modified, seeds 0, 1 and 2", "On a T4 each takes about 15 to 20 minutes"],
    "B: W&B": ["`q1-capstone`", "`baseline-seed0` to `modified-seed2`", "`cfg` (`baseline` or `modified`) and `seed`",
               'name=f"{cfg}-seed{seed}"', 'config={"cfg": cfg, "seed": seed}'],
    "B: the table's form": ["mean val_loss", "std val_loss", "| baseline | 2.137 | 0.024 |", "| modified | 2.089 | 0.018 |"],
    "B: question": ["Is the modification helping?", "bootstrap CI"],
    "B: honesty": ["gain little or nothing at this scale", "honest negative result can be published", "Nothing is fudged"],
    "B: output": ["six W&B runs", "the comparison table with its bootstrap CIs", "the modification merged into your transformer"],
    "C: parts and minutes": ["draft 90, publish 60, retrospective 45"],
    "C: title": ["Twelve weeks from no backprop to a modified transformer: a Q1 deep dive"],
    "C: nine sections": ["Hook: the change in twelve weeks", "Where you started, honestly", "mathematical foundations",
                         "What still hasn't", "XGBoost against an MLP", "Why does it matter", "What did Karpathy's way of teaching do for you",
                         "attention click", "The modification experiment", "Three to five surprises",
                         "What you would do differently", "Q2 is LLM applications"],
    "C: what goes in": ["diagram of the paper", "the charts, the diff"],
    "C: editing": ["Edit hard", "Read it aloud", "Add the charts", "Publish", "cross-post"],
    "C: channels": ["Hacker News", "Show HN", "r/MachineLearning", "flair Project", "r/LocalLLaMA", "| X |", "LinkedIn",
                    "shared once it is in three channels"],
    "C: tagging": ["Karpathy, if you implemented his lecture literally, and the paper's authors, politely"],
    "C: Q1_RETRO.md": ["Artifacts shipped** in twelve weeks", "KPIs against targets", "three biggest insights", "What slipped",
                       "Sustainable, accelerated or behind", "Q2 plan", "Confidence calibration before Q2"],
    "C: KPIs": ["3 public repos, 1 blog post, 8 papers read deeply", "4, 3 and about 10"],
    "C: insights": ["backprop came to feel inevitable after micrograd", "cosine identity is a bridge between algebra and geometry",
                    "the variance between seeds is real, and most claimed improvements are noise"],
    "C: Q2": ["LLM application engineering", "incident-triage and root-cause-analysis system", "starts with M04-W01"],
    "C: calibration": ["I can implement attention from a blank file in 30 min", "I can read any transformer paper",
                       "I have public artifacts to point to"],
    "C: output": ["your third public post, live and shared in three or more channels"],
    "why: the post": ["an artifact that you can point to for years", "from an engineer who calls models through an API to one who changes them"],
    "why: the field": ["you understand why the field moved on"],
    "why: reactions": ["a reaction that changes your career", "Nobody can promise that"],
    "B: a seeded loop": ["torch.manual_seed(seed)"],
    "B: pulling from W&B": ["`q1lab import wandb:ENTITY/q1-capstone` takes in"],
    "C: the longest": ["the longest and most substantive post you have written so far"],
    "C: three posts, ten papers": ["the quarter's two earlier posts", "about nine earlier ones"],
    "end: self-assessment": ["I can tell Q1's change in 30 seconds", "I have shipped artifacts that prove the work",
                             "I am ready to go from building models to building with models"],
    "end: failures": ["The change is too ambitious", "A negative result is hidden", "The post is not published", "this post does the most for you"],
    "end: next": ["pick the Q2 anchor project", "incident triage and root-cause analysis on real or synthetic CI/CD telemetry",
                  "first calls to two providers", "structured outputs and Pydantic"],
}  # fmt: skip
OF_ROPE: dict[str, list[str]] = {
    "rotation": ["(x0, x1) → (x0 cos φ − x1 sin φ, x0 sin φ + x1 cos φ)", "10000^(−2i/d)"],
    "relative": ["The absolute position cancels only in the product", "only their difference is left"],
    "helpers": ["`precompute_freqs_cis(dim, end, theta=10000.0)`", "`(end, dim/2)`", "once per run",
                "`apply_rotary_emb(xq, xk, freqs_cis)`", "(B, T, n_head, head_dim)", "computes in float32 and casts back"],
    "pseudocode": ["def precompute_freqs_cis(dim, end, theta=10000.0):", "def apply_rotary_emb(xq, xk, freqs_cis):"],
    "before the product": ["Attention calls the second helper before the dot product"],
    "norm test": ["atol=1e-4", "(2, 8, 4, 64)"],
    "downstream, with care": ["2.759", "ahead of BERT in three and behind in three", "There isn't a very strong trend"],
}  # fmt: skip
OF: dict[str, dict[str, list[str]]] = {
    "rope": OF_ROPE,
    "rmsnorm": {"norm": ["RMS² = σ² + μ²", "ln_f"]},
    "swiglu": {"width": ["h′ = ⅔ h"]},
    "gqa": {"groups": ["⌊ j / (H/G) ⌋", "Limitations"]},
}


def drawn(week: Week, width: int) -> str:
    """What the reader draws on its pages, every fold open, with the form that chooses."""
    lines = [week.label, week.title, week.goal]
    for sheet in week_pages(week):
        for piece in pieces_of(sheet, {}, None):
            if isinstance(piece, FoldPiece):
                piece.open = True
            lines += [line.plain for line in piece.lines(width)]
            if isinstance(piece, StepPiece) and piece.step.answer:  # what Enter shows of a question
                lines += [
                    line.plain for line in lay_out_markdown(piece.step.answer.markdown, width)
                ]
    for variant in week.variants:
        lines += [variant.title, variant.used_in, variant.difficulty, variant.paper]
    return bare("\n".join(lines))


def bare(text: str) -> str:
    """Words alone: no marks of Markdown, no lines of tables, no spaces but single ones."""
    return " ".join(re.sub(r"[`*]", "", re.sub(r"[|─]", " ", text)).split())


@pytest.fixture(scope="module")
def screens() -> dict[str, str]:
    week = load_week(ROOT / "content")
    return {name: drawn(week.for_variant(name), 118) for name in VARIANTS}


def test_each_fact_is_drawn(screens: dict[str, str]) -> None:
    """What the page shows of them, as words on the screen."""
    for name in VARIANTS:
        rows = ROWS | OF[name]
        missing = {
            row: fact
            for row, facts in rows.items()
            for fact in facts
            if bare(fact) not in screens[name]
        }
        assert missing == {}, name


def test_in_80_columns_every_word_of_the_facts_is_drawn() -> None:
    """Cells of a table wrap there, so that words are looked for one by one."""
    page = drawn(load_week(ROOT / "content").for_variant("rope"), 76)
    facts = " ".join(fact for row in (*ROWS.values(), *OF_ROPE.values()) for fact in row)
    assert set(re.findall(r"\w+", bare(facts))) - set(re.findall(r"\w+", page)) == set()
