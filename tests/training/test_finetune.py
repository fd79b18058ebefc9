"""Training end to end on a tiny encoder: the folder's files, parity, determinism, bad input."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import training.frozen.head
from agent.errors import ModelError
from agent.project.types import Example, NluData
from agent.understanding.interpreter import NOTHING_KNOWN, Interpreter
from agent.understanding.network import load_network
from knowledge.errors import AgentError, InputError
from tests.training.tiny import annotated, examples
from training.finetune import train_understanding
from training.options import TrainOptions, TrainResult

Train = Callable[..., tuple[TrainResult, Path]]


@pytest.fixture
def train(tiny_encoder: Path, tmp_path: Path) -> Train:
    def run(data: NluData | None = None, **options: Any) -> tuple[TrainResult, Path]:
        folder = tmp_path / f"model{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        chosen = {"encoder": str(tiny_encoder), "threads": 1, "method": "head", **options}
        result = train_understanding(data or examples(), folder, TrainOptions(**chosen))
        return result, folder

    return run


@pytest.mark.parametrize("method", ["head", "full"])
def test_the_folder_understands_its_own_examples(train: Train, method: str) -> None:
    result, folder = train(method=method, epochs=100, learning_rate=1e-3)
    network = replace(Interpreter.load(folder), known=NOTHING_KNOWN)
    heard = network.understand(["book a table in rome today", "hello there"])
    assert result.spec.intents == ("book", "greet", "send")
    assert [next(s.intent for s in u.ranking if s.intent != "nlu_fallback") for u in heard] == [
        "book",
        "greet",
    ]
    assert ("city", "rome") in [(e.label, e.text) for e in heard[0].entities]


@pytest.mark.parametrize("method", ["head", "full"])
def test_every_example_has_its_vector(train: Train, method: str) -> None:
    _, folder = train(method=method, epochs=1)
    vectors = np.load(folder / "vectors.npy")
    rows = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    assert len(vectors) == len(rows) == len(examples().examples)
    assert np.allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)


@pytest.mark.parametrize("method", ["head", "full"])
def test_the_model_knows_how_the_tags_of_its_examples_follow_each_other(
    train: Train, method: str
) -> None:
    result, _ = train(method=method, epochs=1)
    found = result.spec.transitions
    spans = sum(len(e.entities) for e in examples().examples)
    assert len(found.counts) == len(result.spec.tags)
    assert sum(found.counts[1::2]) == spans
    assert any(before == 0 and after % 2 for before, after, _ in found.pairs)


def test_the_exported_graph_agrees_with_the_network(train: Train) -> None:
    _, folder = train(method="full", epochs=2)
    session = onnxruntime.InferenceSession(str(folder / "understanding.onnx"))
    ids, mask = np.array([[2, 5, 6, 3], [2, 7, 3, 0]]), np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    names = [o.name for o in session.get_outputs()]
    given = dict(
        zip(names, session.run(None, {"input_ids": ids, "attention_mask": mask}), strict=True)
    )
    with torch.inference_mode():
        wanted = load_network(folder).eval()(torch.from_numpy(ids), torch.from_numpy(mask))
    assert np.abs(given["pooled"] - wanted.pooled.numpy()).max() < 0.1
    assert given["entity_logits"].shape == tuple(wanted.entity_logits.shape)


@pytest.mark.parametrize("method", ["head", "full"])
def test_a_seed_gives_the_same_model_twice(train: Train, method: str) -> None:
    _, first = train(method=method, epochs=2, seed=5)
    _, second = train(method=method, epochs=2, seed=5)
    assert (np.load(first / "vectors.npy") == np.load(second / "vectors.npy")).all()
    assert (first / "understanding.json").read_text() == (second / "understanding.json").read_text()


@pytest.mark.parametrize("adapter", ["lora", "adalora"])
def test_adapters_are_merged_into_a_plain_network(train: Train, adapter: str) -> None:
    result, folder = train(method="lora", adapter=adapter, epochs=3)
    assert result.spec.method == "lora"
    names = load_network(folder).state_dict()
    assert not [name for name in names if "lora" in name]
    assert Interpreter.load(folder).understand(["hello"])[0].ranking


class Killed(Exception):  # noqa: N818 - it plays the end of the process
    """The process ends here."""


def test_a_killed_run_goes_on_from_its_last_epoch(train: Train, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    seen: list[float] = []

    def die_late(done: float, _text: str) -> None:
        if done > 0.5:
            raise Killed

    with pytest.raises(Killed):
        train(method="full", epochs=6, checkpoints=kept, progress=die_late)
    assert len(list(kept.glob("*/first/checkpoint-*"))) == 1
    _, folder = train(
        method="full", epochs=6, checkpoints=kept, progress=lambda done, _: seen.append(done)
    )
    assert min(done for done in seen if 0.05 < done < 0.8) > 0.4
    assert not list(kept.iterdir())
    assert Interpreter.load(folder).intents == ("book", "greet", "send")


def test_training_can_go_on_from_a_model_with_other_labels(train: Train) -> None:
    _, first = train(method="full", epochs=2)
    more = NluData((*examples().examples, *(Example(f"bye {i}", "bye") for i in range(6))))
    result, folder = train(more, method="full", epochs=1, init_from=first)
    assert "bye" in result.spec.intents
    assert Interpreter.load(folder).intents == result.spec.intents


def test_going_on_from_a_folder_without_weights_is_refused(train: Train) -> None:
    _, head = train()
    with pytest.raises(ModelError, match=r"network\.safetensors"):
        train(method="full", init_from=head)


def test_heads_learn_on_with_the_vectors_of_known_texts(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = NluData(tuple(replace(e, entities=()) for e in examples().examples))
    more = NluData((*plain.examples, Example("see you soon", "greet")))
    _, first = train(plain)
    _, scratch = train(more)
    encoded: list[str] = []
    encode = training.frozen.head._encode

    def noted(*arguments: Any) -> training.frozen.head.Features:
        encoded.extend(arguments[3])
        return encode(*arguments)

    monkeypatch.setattr(training.frozen.head, "_encode", noted)
    _, second = train(more, init_from=first)
    assert "see you soon" in encoded
    assert len({e.text for e in plain.examples} & set(encoded)) == 1
    ours, theirs = (np.load(folder / "vectors.npy") for folder in (second, scratch))
    assert np.allclose(ours, theirs, atol=0.02)


@pytest.mark.parametrize("method", ["head", "full"])
def test_dev_data_calibrate(train: Train, method: str) -> None:
    result, _ = train(method=method, epochs=1, dev=examples())
    assert result.report["split"] == "dev"
    assert result.report["intent"]["n"] == len(examples().examples)
    assert "entity" in result.report


@pytest.mark.parametrize("method", ["head", "full"])
def test_retrieval_keys_and_further_heads_are_learned(train: Train, method: str) -> None:
    rows = [
        Example(f"{word} {i}", "faq", response=f"faq/{word}", labels={"mood": mood})
        for word, mood in (("weather", "good"), ("card", "bad"))
        for i in ("today", "tomorrow", "please", "now", "soon", "there")
    ]
    result, folder = train(
        NluData((*examples().examples, *rows)), method=method, epochs=20, learning_rate=3e-3
    )
    heard = Interpreter.load(folder).understand(["weather please"])[0]
    assert result.spec.responses == ("faq/card", "faq/weather")
    assert heard.responses["faq"][0].intent == "faq/weather"
    assert heard.heads["mood"][0].intent == "good"


@pytest.mark.parametrize("method", ["head", "full"])
def test_a_single_intent_without_entities_trains(train: Train, method: str) -> None:
    rows = tuple(Example(text, "greet") for text in ("hello", "hi", "hi there"))
    _, folder = train(NluData(rows), method=method, epochs=1)
    ranking = Interpreter.load(folder).understand(["good morning"])[0].ranking
    assert ranking[-1].intent == "greet"


@pytest.mark.parametrize("method", ["head", "full"])
def test_entities_alone_train(train: Train, method: str) -> None:
    rows = tuple(Example(e.text, None, e.entities) for e in examples().examples)
    result, folder = train(NluData(rows), method=method, epochs=1)
    assert result.spec.intents == ()
    assert Interpreter.load(folder).understand(["book a table in rome"])[0].ranking == ()


ODD = {
    "10,000 words": "word " * 10_000,
    "control characters": "\x00\x07\x1b[31m",
    "emoji": "👩\u200d👩\u200d👧\u200d👦" * 50,
    "right to left": "مرحبا",
    "surrogate": "\ud800 lone",
    "marks": "a\u0301" * 200,
}


@pytest.mark.parametrize("method", ["head", "full"])
@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_texts_train_and_are_understood(train: Train, method: str, text: str) -> None:
    data = NluData((*examples().examples, Example(text, "greet")))
    _, folder = train(data, method=method, epochs=1)
    heard = Interpreter.load(folder).understand([text.replace("\ud800", "?")])[0]
    assert heard.ranking


def test_a_text_of_the_training_data_is_known_word_for_word(train: Train) -> None:
    odd = (Example("Rome at dawn", "greet"), Example("either way", "book"))
    both = Example("Either way!", "send")
    _, folder = train(NluData((*examples().examples, *odd, both)))
    interpreter = Interpreter.load(folder)
    known = interpreter.understand(["rome, at dawn."])[0]
    assert known.ranking[0].intent == "greet"
    assert known.ranking[0].confidence >= 0.95 <= known.in_scope
    # What stands under two intents is left to the network.
    assert interpreter.known.class_of("either way") is None


def test_oos_examples_are_no_class_but_lower_the_scope(train: Train) -> None:
    strange = tuple(
        Example(f"what is the weather like {w}", "oos") for w in ("today", "soon", "in rome")
    )
    many = tuple(
        Example(f"{e.text} {w}", e.intent) for e in examples().examples for w in ("now", "can i")
    )
    result, folder = train(NluData((*many, *strange)))
    assert "oos" not in result.spec.intents
    assert "contrast" in result.spec.scope.features
    known, other = Interpreter.load(folder).understand([many[0].text, strange[0].text])
    assert known.in_scope > other.in_scope


def test_an_encoder_that_is_none_is_refused(train: Train, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for method in ("head", "full"):
        with pytest.raises(InputError, match=r"config\.json"):
            train(encoder=str(empty), method=method)


def test_a_name_that_no_hub_knows_is_refused(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for method in ("head", "full"):
        with pytest.raises(AgentError, match="no-such/encoder"):
            train(encoder="no-such/encoder", method=method)


HEAD_WITHOUT_TORCH = """
import sys
from pathlib import Path
from agent.project import load_nlu
from training.finetune import train_understanding
from training.options import TrainOptions
data, encoder, out = sys.argv[1:]
train_understanding(load_nlu([Path(data)]), Path(out), TrainOptions(method="head", encoder=encoder))
print("torch" in sys.modules)
"""


def test_method_head_does_not_import_torch(
    train: Train, tiny_encoder: Path, tmp_path: Path
) -> None:
    _, folder = train()  # the encoder is converted by now
    data = tmp_path / "train.jsonl"
    rows = [json.dumps({"text": e.text, "intent": e.intent}) for e in examples().examples]
    data.write_text("\n".join(rows), encoding="utf-8")
    arguments = [str(data), str(tiny_encoder), str(folder)]
    done = subprocess.run(
        [sys.executable, "-c", HEAD_WITHOUT_TORCH, *arguments], capture_output=True, text=True
    )
    assert done.stdout.split() == ["False"], done.stderr


def test_capitals_tell_a_name_from_a_word_though_the_encoder_reads_neither(train: Train) -> None:
    words = ("paris", "london", "anna", "bob", "carla", "card", "table", "berlin", "weather")
    names = [annotated("send", f"send [{word.title()}] money", "name") for word in words]
    plain = [Example(f"send {word} money", "send") for word in words]
    greet = [Example(f"hello {word}", "greet") for word in words]
    data = NluData(examples=(*names, *plain, *greet))
    result, folder = train(data, method="full", epochs=60, learning_rate=3e-3)
    assert result.spec.casing
    upper, lower = Interpreter.load(folder).understand(["send Rome money", "send rome money"])
    assert [(e.label, e.text) for e in upper.entities] == [("name", "Rome")]
    assert lower.entities == ()


def test_compress_halves_the_layers_and_keeps_what_was_learned(train: Train) -> None:
    result, folder = train(method="full", epochs=60, learning_rate=3e-3, compress=True)
    network = load_network(folder)
    assert len(network.encoder.encoder.layer) == 1
    assert result.report["intent"]["accuracy"] == 1.0
    heard = Interpreter.load(folder).understand(["send 20 eur to anna please"])[0]
    assert next(s.intent for s in heard.ranking if s.intent != "nlu_fallback") == "send"
    assert ("payee", "anna") in [(e.label, e.text) for e in heard.entities]


def test_curves_are_logged_where_a_folder_is_named(train: Train, tmp_path: Path) -> None:
    train(method="full", epochs=1, logs=tmp_path / "curves")
    (file,) = (tmp_path / "curves").glob("**/events.out.tfevents.*")
    assert b"dev_score" in file.read_bytes()


def test_a_run_past_its_deadline_ends_with_what_it_has_reached(train: Train) -> None:
    steps: list[str] = []

    def note(_done: float, text: str) -> None:
        if text.startswith("loss"):
            steps.append(text)

    _, folder = train(method="full", epochs=50, deadline=time.monotonic() - 1, progress=note)
    assert len(steps) == 2  # one of each course
    assert Interpreter.load(folder).understand(["hello"])[0].ranking
