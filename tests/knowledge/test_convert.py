import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import knowledge.convert
from knowledge.convert import encoder_folder
from knowledge.encoder_source import (
    check_packaged_weights,
    packaged_minilm,
    source_folder,
)
from knowledge.encoder_spec import EncoderSpec, read_pipeline
from knowledge.errors import AgentError, InputError


@pytest.fixture
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("INTENT_AGENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "home"


@pytest.fixture
def fake_child(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for the exporter; notes each run."""
    runs: list[str] = []

    def run(name: str, precision: str, folder: Path) -> None:
        runs.append(name)
        EncoderSpec(name, "mean", 8, 16, 0, "sum").save(folder)
        (folder / "encoder.onnx").write_bytes(b"x")
        (folder / "tokenizer.json").write_text("{}")

    monkeypatch.setattr(knowledge.convert, "_run_child", run)
    return runs


def local_encoder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_an_encoder_is_converted_once_and_its_names_mean_the_same(
    own_home: Path, fake_child: list[str]
) -> None:
    told: list[str] = []
    names = ("minilm", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
    folders = {encoder_folder(name, notify=told.append) for name in names}
    assert len(folders) == len(fake_child) == len(told) == 1
    assert own_home in folders.pop().parents


def test_threads_that_ask_at_once_wait_for_one_conversion(
    own_home: Path, fake_child: list[str]
) -> None:
    threads = [threading.Thread(target=encoder_folder) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake_child) == 1


def test_changed_weights_of_a_local_encoder_are_converted_again(
    own_home: Path, fake_child: list[str], tmp_path: Path
) -> None:
    local = local_encoder(tmp_path / "mine")
    first = encoder_folder(str(local))
    (local / "model.safetensors").write_bytes(b"other weights")
    assert encoder_folder(str(local)) != first
    assert len(fake_child) == 2


def test_a_conversion_that_ended_half_way_is_begun_again(
    own_home: Path, fake_child: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(knowledge.convert, "_fsync_all", die)
        with pytest.raises(KeyboardInterrupt):
            encoder_folder()
    assert [path.name for path in (own_home / "encoders").iterdir() if path.is_dir()] == []
    assert (encoder_folder() / "encoder.onnx").is_file()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no such/thing/here", "no such folder"),
        ("", "no such folder"),
        ("../up", "no such folder"),
        ("x" * 200, "no such folder"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_at_once(
    own_home: Path, fake_child: list[str], name: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        encoder_folder(name)
    assert fake_child == []


def test_a_folder_without_an_encoder_says_what_is_missing(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"config\.json"):
        encoder_folder(str(tmp_path / "empty"))
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no weights"):
        encoder_folder(str(tmp_path / "empty"))


def test_a_hub_that_cannot_be_reached_is_explained(own_home: Path) -> None:
    with pytest.raises(AgentError, match="model hub"):
        source_folder("somebody/an-encoder-that-is-not-here")


def test_the_child_s_last_line_becomes_the_message(own_home: Path, tmp_path: Path) -> None:
    local = local_encoder(tmp_path / "mine")
    with pytest.raises(InputError, match="mine") as caught:
        encoder_folder(str(local))
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_damaged_packaged_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="reinstall"):
        check_packaged_weights(local_encoder(tmp_path / "model"))
    packaged = packaged_minilm()
    assert packaged is not None
    check_packaged_weights(packaged)


def test_a_user_folder_that_cannot_be_written_is_explained(own_home: Path) -> None:
    own_home.write_text("a file")
    with pytest.raises(AgentError, match="INTENT_AGENT_HOME"):
        encoder_folder()


def write(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def modules(*kinds: str) -> list[dict[str, str]]:
    return [
        {
            "path": f"{number}_{kind}" if number else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, kind in enumerate(kinds)
    ]


def test_pooling_window_and_prompts_are_read_from_the_folder(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "modules.json": modules("Transformer", "Pooling", "Normalize"),
            "1_Pooling/config.json": {
                "pooling_mode_cls_token": True,
                "pooling_mode_mean_tokens": False,
            },
            "sentence_bert_config.json": {"max_seq_length": 100},
            "config_sentence_transformers.json": {"prompts": {"query": "Q: ", "document": "D: "}},
        },
    )
    pipeline = read_pipeline(folder, "any")
    assert (pipeline.pooling, pipeline.max_tokens) == ("cls", 100)
    assert (pipeline.query_prompt, pipeline.passage_prompt) == ("Q: ", "D: ")


def test_the_newer_way_to_write_pooling_is_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "modules.json": modules("Transformer", "Pooling"),
            "1_Pooling/config.json": {"pooling_mode": "lasttoken", "embedding_dimension": 8},
        },
    )
    assert read_pipeline(folder, "any").pooling == "last"


@pytest.mark.parametrize(
    ("name", "pooling", "query_prompt"),
    [
        ("bert-base-uncased", "mean", ""),
        ("BAAI/bge-small-zh-v1.5", "cls", ""),
        ("intfloat/multilingual-e5-small", "mean", "query: "),
        ("FacebookAI/xlm-roberta-base", "mean", ""),
    ],
)
def test_families_without_such_files_have_their_usual_ways(
    tmp_path: Path, name: str, pooling: str, query_prompt: str
) -> None:
    pipeline = read_pipeline(tmp_path, name)
    assert (pipeline.pooling, pipeline.query_prompt) == (pooling, query_prompt)


def test_a_stage_or_pooling_we_do_not_have_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, {"modules.json": modules("Transformer", "WordWeights")})
    with pytest.raises(InputError, match="WordWeights"):
        read_pipeline(folder, "any")
    write(
        tmp_path,
        {
            "modules.json": modules("Transformer", "Pooling"),
            "1_Pooling/config.json": {"pooling_mode_weightedmean_tokens": True},
        },
    )
    with pytest.raises(InputError, match="weightedmean"):
        read_pipeline(folder, "any")


def test_converting_and_searching_never_import_torch(user_folder: Path, documents: Path) -> None:
    code = """
import sys
from pathlib import Path
import knowledge, knowledge.cli
assert not {"faiss", "onnxruntime", "tokenizers", "tantivy"} & set(sys.modules)
from knowledge.collection import Collection
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.retriever import open_retriever
index = Path(sys.argv[1]).parent / "index"
Collection.open(index, Encoder.load(encoder_folder())).sync(Path(sys.argv[1]))
assert open_retriever(index).search("what does a transfer abroad cost?")
print(*({"torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(documents)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
