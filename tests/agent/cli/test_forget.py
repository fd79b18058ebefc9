import json
import sys
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.cli.forget import trained_on
from agent.registry import Registry


def publish(registry: Registry, corrections: list[str]) -> str:
    folder = registry.temporary()
    (folder / "understanding.onnx").write_text(str(corrections))
    return registry.publish(folder, {"corrections": corrections}).id


def test_the_models_trained_on_what_was_removed_are_named(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    publish(registry, ["a"])
    guilty = publish(registry, ["b", "c"])
    assert trained_on(tmp_path, ["c", "d"]) == [guilty]
    assert trained_on(tmp_path, []) == []


def test_an_unknown_conversation_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "embedded:")
    words = ["agent", "forget", "nobody", "--project", str(tmp_path), "--json"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["conversation"], document["turns"], document["models"]) == ("nobody", 0, [])


def test_people_are_told_that_their_actions_own_data_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "embedded:")
    monkeypatch.setattr(sys, "argv", ["agent", "forget", "nobody", "--project", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert "Not covered: what the project's own actions keep" in capsys.readouterr().out
