import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from agent.cli.opened import open_store
from agent.registry import Registry


class Shell:
    """Runs `agent models` in a project and reads what it prints."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self._patch, self._capsys = root, monkeypatch, capsys
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        words = ("agent", "models", *words, "--project", str(self.root))
        self._patch.setattr(sys, "argv", list(words))
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        self.err = printed.err
        assert ended.value.code == code, printed.err
        return printed.out

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "embedded:")
    return Shell(tmp_path, monkeypatch, capsys)


def publish(root: Path, accuracy: float) -> str:
    registry = Registry(root)
    folder = registry.temporary()
    (folder / "understanding.onnx").write_text(str(accuracy))
    return registry.publish(folder, {"report": {"intent": {"accuracy": accuracy}}}).id


def test_without_a_model_the_way_to_one_is_shown(models: Shell) -> None:
    assert "agent train" in models("list")
    assert models.json("list") == []
    models("show", code=2)
    assert "agent train" in models.err


def test_versions_are_listed_promoted_and_rolled_back(models: Shell) -> None:
    first, second = publish(models.root, 0.9), publish(models.root, 0.95)
    assert models.json("promote", first) == {"id": first, "state": "production"}
    assert models.json("promote", second.split("-")[1]) == {"id": second, "state": "production"}
    states = {one["id"]: one["state"] for one in models.json("list")}
    assert states == {first: "retired", second: "production"}
    table = models("list")
    assert "0.950" in table
    assert models.json("rollback") == {"id": first, "state": "production"}
    models("rollback", code=2)
    assert "nothing to go to" in models.err


def test_one_version_is_shown_with_its_report_and_history(models: Shell) -> None:
    first = publish(models.root, 0.9)
    models("promote", first, "--reason", "the best so far")
    shown = models.json("show")
    assert (shown["id"], shown["state"]) == (first, "production")
    assert shown["report"]["intent"]["accuracy"] == 0.9
    assert shown["history"][0]["reason"] == "the best so far"
    assert "report.intent.accuracy: 0.9" in models("show", first)


def test_a_damaged_version_is_not_promoted_and_nothing_changes(models: Shell) -> None:
    first, second = publish(models.root, 0.9), publish(models.root, 0.95)
    models("promote", first)
    (models.root / "models" / second / "understanding.onnx").write_text("0")
    models("promote", second, code=2)
    assert "understanding.onnx is truncated" in models.err
    assert models.err.count("\n") == 1
    assert models.json("show")["id"] == first


def test_a_promotion_is_possible_while_redis_is_away(
    models: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "redis://127.0.0.1:1/0")
    first = publish(models.root, 0.9)
    assert models.json("promote", first)["state"] == "production"


def test_a_canarys_turns_are_shown_beside_those_of_the_serving_model(models: Shell) -> None:
    first, second = publish(models.root, 0.9), publish(models.root, 0.95)
    models("promote", first)
    counts = {"turns": 10, "fallback": 3, f"canary:{second}": 4, f"canary_fallback:{second}": 1}

    async def count() -> None:
        async with open_store(models.root) as store:
            for name, number in counts.items():
                await store.count(name, number)

    asyncio.run(count())
    shown = models("trial", second, "--canary", "0.25")
    assert f"{second} answers 25% of the conversations" in shown
    rows = {line.split("  ")[0].strip(): line.split() for line in shown.splitlines()}
    assert rows["on trial"][2:5] == ["4", "1", "(25%)"]
    assert rows["serving"][1:4] == ["6", "2", "(33%)"]
    assert models.json("trial")["today"] == counts
