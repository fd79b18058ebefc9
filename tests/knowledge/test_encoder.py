import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.errors import AgentError

TEXTS = [
    "What is my balance?",
    "How much money is on my account?",
    "Penguins feed their chicks with fish from the cold sea.",
    "",
    "信用卡丢失",
    "🎉",
    "word " * 25_000,
]


def test_vectors_have_unit_length_and_the_order_of_the_texts(minilm: Encoder) -> None:
    vectors = minilm.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-4)
    for row, text in enumerate(TEXTS):
        assert float(minilm.encode([text])[0] @ vectors[row]) > 0.93


def test_threads_that_take_a_batch_each_give_the_same_vectors(minilm: Encoder) -> None:
    texts = [f"{text[:400]} {number}" for number in range(12) for text in TEXTS]
    threaded = Encoder.load(encoder_folder(), threads=3)
    np.testing.assert_array_equal(threaded.encode(texts), minilm.encode(texts))
    for one, other in zip(threaded.token_states(texts), minilm.token_states(texts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_near_texts_are_nearer_than_others(minilm: Encoder) -> None:
    balance, money, penguins = minilm.encode(TEXTS[:3])
    assert balance @ money > 0.4 > 0.2 > balance @ penguins


def test_no_texts_give_no_vectors(minilm: Encoder) -> None:
    assert minilm.encode([]).shape == (0, 384)


def test_only_the_window_is_seen_and_the_end_token_stays(minilm: Encoder) -> None:
    ids = minilm._token_ids(["word " * 1000, "word"])
    assert len(ids[0]) == minilm.max_tokens == 256
    assert ids[0][-1] == ids[1][-1]


def test_token_offsets_are_those_of_the_whole_text(minilm: Encoder) -> None:
    text = "Blocking a card — 信用卡"
    pieces = [text[start:end] for start, end in minilm.token_offsets(text)]
    assert "".join(pieces) == text.replace(" ", "")


def test_token_states_come_one_row_a_token(minilm: Encoder) -> None:
    short, long = minilm.token_states(["card", "block my card"])
    assert short.shape == (3, 384)
    assert long.shape == (5, 384)
    pooled = long.mean(axis=0) / np.linalg.norm(long.mean(axis=0))
    assert float(pooled @ minilm.encode(["block my card"])[0]) > 0.98


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("How do I block my card?", 0.0, 0.0),
        ("信用卡丢了怎么办", 0.3, 1.0),
        ("Как заблокировать карту?", 0.7, 1.0),
        ("Wie sperre ich meine Karte?", 0.3, 0.6),
        ("카드를 어떻게 차단하나요?", 0.7, 1.0),
        ("カードを紛失しました", 0.7, 1.0),
        ("कार्ड कैसे ब्लॉक करें", 0.7, 1.0),
        ("wi-fi, iPhone or PIN: is it paid?", 0.0, 0.1),
        ("🎉🎉", 0.9, 1.0),
        ("", 0.0, 0.0),
    ],
)
def test_what_an_english_encoder_cannot_read_is_told(
    minilm: Encoder, text: str, least: float, most: float
) -> None:
    assert least <= minilm.unknown_share(text) <= most


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("encoder.json", "{"),
        ("encoder.json", '{"format": 99}'),
        ("tokenizer.json", "{}"),
        ("encoder.onnx", "nonsense"),
    ],
)
def test_a_damaged_folder_is_refused(
    minilm: Encoder, tmp_path: Path, file: str, content: str
) -> None:
    folder = Path(shutil.copytree(encoder_folder(), tmp_path / "encoder"))
    (folder / file).write_text(content)
    with pytest.raises(AgentError, match=file.replace(".", r"\.")):
        Encoder.load(folder)


def test_the_fingerprint_tells_encoders_apart(minilm: Encoder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(encoder_folder(), tmp_path / "encoder"))
    data = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps(data | {"query_prompt": "query: "}))
    assert Encoder.load(folder).fingerprint != minilm.fingerprint
    assert Encoder.load(encoder_folder()).fingerprint == minilm.fingerprint


def test_onnx_runtime_reports_to_nobody(minilm: Encoder, tmp_path: Path) -> None:
    use = "from knowledge.encoder import Encoder; Encoder.load(Path(sys.argv[1])).encode(['hi'])"
    script = f"import sys; from pathlib import Path; {use}"
    environ = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environ |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", script, str(encoder_folder())]
    subprocess.run(command, env=environ, check=True)
    assert not [path for path in tmp_path.rglob("*") if "icrosoft" in str(path)]


@pytest.mark.slow
def test_vectors_agree_with_sentence_transformers(minilm: Encoder) -> None:
    import sentence_transformers

    from knowledge.encoder_source import packaged_minilm

    model = sentence_transformers.SentenceTransformer(str(packaged_minilm()), device="cpu")
    wanted = model.encode(TEXTS, normalize_embeddings=True)
    cosines = np.sum(wanted * minilm.encode(TEXTS), axis=1)
    assert cosines[:3].min() > 0.97
    assert cosines.mean() > 0.95


def test_halves_of_character_pairs_are_read_as_question_marks(minilm: Encoder) -> None:
    broken, mended = minilm.encode(["\ud800 card", "? card"])
    np.testing.assert_allclose(broken, mended, atol=1e-5)
    assert minilm.unknown_share("\ud800 card") < 1
    assert minilm.token_offsets("a \ud800 card")[-1] == (4, 8)
