"""Records that the tests of the documents share: plain, frozen, and with hostile words in some of
them."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

from q1lab.compare.comparison import Comparison
from q1lab.compare.published_names import with_published_names
from q1lab.documents import post
from q1lab.documents.comparison_tables import study_facts
from q1lab.documents.markdown_escape import Md, link
from q1lab.documents.modification import Answer, Modification, shown_prediction
from q1lab.documents.reproduce import Reproduction
from tests.kit import comparisons

PREDICTION: dict[str, Any] = {
    "id": 1,
    "week": "M03-W04",
    "variant": "rope",
    "direction": "lower",
    "size": 0.03,
    "matters": 0.01,
    "confidence": 0.7,
    "reasoning": "Position is easier to use when it is relative.",
    "created": "2026-03-03T19:10:00+00:00",
    "locked": "2026-03-07T08:30:00+00:00",
    "locked_by": "commit 1a2b3c4",
    "amended": [],
}

LOSSES = {
    "helps": ([1.9090, 1.9055, 1.9101], [1.8804, 1.8771, 1.8799]),
    "hurts": ([1.8804, 1.8771, 1.8799], [1.9090, 1.9055, 1.9101]),
    "cannot tell": ([1.4700, 1.4750, 1.4680], [1.4520, 1.4760, 1.4570]),
    "too small to matter": ([1.4700, 1.4701, 1.4699], [1.4702, 1.4704, 1.4700]),
    "no verdict": ([1.4700, 1.4750], [1.4520, 1.4760]),
    "diverged": ([1.4700, 1.4750, 1.4680], [1.4520, None, 1.4570]),
}


def comparison(
    outcome: str,
    prediction: dict[str, Any] | None = PREDICTION,
    variant: str = "rope",
    study: str | None = None,
) -> Comparison:
    """A comparison of three seeds (two for "no verdict") with a known outcome, under the names that
    documents use."""
    base, mod = (dict(enumerate(values)) for values in LOSSES[outcome])
    delta = prediction["matters"] if prediction else None
    compared = with_published_names(
        comparisons.make(
            base,
            mod,
            delta=delta,
            prediction=prediction,
            variant=variant,
            id=study or f"{variant}-1",
            repo={"commit": "1a2b3c4d5e6f", "dirty": True},
            versions={"python": "3.11.7", "torch": "2.9.0"},
        )
    )
    analysis = compared.analysis
    if analysis.bootstrap is None:
        return compared
    # a simulated figure; it may be made finer
    rounded = replace(analysis.bootstrap, true_coverage=74.2)
    return replace(compared, analysis=replace(analysis, bootstrap=rounded))


DIFF = """\
--- baseline.py
+++ rope.py
@@ -40,2 +40,3 @@
         q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
-        x = x + self.wpe(pos)
+        q, k = apply_rotary_emb(q, k, freqs_cis)
+        # the shift property is what defines it
"""

EVIL = (
    "# A heading of my own\n"
    "<script>alert(1)</script> {{ 7 * 7 }} {% raw %} `<b>code</b>` [link](javascript:alert(1))\n"
    "<!-- q1lab:end notes -->\n"
    "<!-- q1lab:begin notes sha=00 -->\n"
    "Title by underline\n===\n"
    "| a | b |\n"
    "```python\n<!-- q1lab:end notes -->\nnever closed"
)


def modification(outcome: str | None = None, evil: bool = False) -> Modification:
    """A MODIFICATION.md before any run (None) or after a study with the given outcome."""
    words = (
        EVIL
        if evil
        else "The paper claims a faster start.\n\n- no seeds are named\n- `x_m` is turned by $m\\theta$"
    )
    empty = outcome is None and not evil
    return Modification(
        week="M03-W04",
        title="Modification: RoPE" if not evil else "Modification: <script> & *stars* {{ x }}",
        variant="rope",
        variant_title="RoPE: rotary position embeddings",
        paper=link("RoFormer, arXiv 2104.09864", "https://arxiv.org/abs/2104.09864"),
        base="baseline",
        chosen=True,
        chosen_on="2026-03-03T18:20:00+00:00",
        reasoning=() if empty else (Answer("Why this one?", words),),
        notes=()
        if empty
        else (Answer("Read 3.1 and say what is asked for", words), Answer("Limits?", "No seeds.")),
        sketch=() if empty else (Answer("Name the lines of model.py that change", words),),
        prediction=None
        if empty
        else shown_prediction(PREDICTION, to_the_minute=outcome is not None),
        diff="" if empty else DIFF,
        diff_lines={"added": 2, "removed": 1},
        study=None if outcome is None else study_facts(comparison(outcome)),
        picture=None if outcome is None else "figures/rope-1.svg",
        analysis=() if outcome is None else (Answer("Is the modification helping?", words),),
        reproduce=None if outcome is None else reproduction(outcome),
        command="q1lab run rope --seeds 3",
    )


def reproduction(outcome: str) -> Reproduction:
    """Of one that ships with q1lab; for ``helps``, of a file of the learner's that is kept."""
    if outcome == "helps":
        note = Md("The data, `words.txt` (the hash is below), are not here.")
        return Reproduction("q1lab run studies/rope-1", "studies/rope-1", (note,))
    note = Md("Both model files ship with q1lab 0.1.0.")
    return Reproduction("q1lab run rope --seeds 3 --data shakespeare --device cpu", "", (note,))


def post_record(outcome: str | None) -> post.Post:
    """A draft before the runs (None) or with a study of the given outcome."""
    change_record = dataclasses.replace(
        modification(outcome),
        variant_title="RoPE: rotary position embeddings",
        prediction=shown_prediction(PREDICTION),
        diff=DIFF if outcome else "",
        diff_lines={"added": 2, "removed": 1},
        withheld=False,
    )
    return post.Post(
        "Twelve weeks from no backprop to a modified transformer",
        change_record,
        surprises=(Answer("Surprises", "- one\n- two"),),
        outline=(Answer("Outline", "Begin with <!-- the --> end --> of it"),),
    )
