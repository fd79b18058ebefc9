import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from agent.feedback.service import Feedback
from agent.feedback.submission import Said
from agent.registry import Registry
from agent.storage.spool import Spool
from agent.storage.store import Store


class Shell:
    """Runs commands of the agent in a project and reads what they print."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self._patch, self._capsys = root, monkeypatch, capsys
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        self._patch.setattr(sys, "argv", ["agent", *words, "--project", str(self.root)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        self.err = printed.err
        assert ended.value.code == code, printed.err
        return printed.out

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def submit(self, text: str, **fields: Any) -> str:
        async def run() -> str:
            async with await Store.open("embedded:", self.root) as store:
                return (await Feedback(store).submit(None, Said(**fields), text=text)).id

        return asyncio.run(run())


@pytest.fixture
def agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "embedded:")
    return Shell(tmp_path, monkeypatch, capsys)


def test_a_correction_at_the_terminal_is_accepted_at_once(agent: Shell) -> None:
    done = agent.json("feedback", "correct", "--text", "my card is gone", "--intent", "block_card")
    assert done == {"id": done["id"], "state": "accepted"}
    (listed,) = agent.json("feedback", "list", "--state", "accepted")
    assert (listed["id"], listed["intent"], listed["source"]) == (done["id"], "block_card", "ops")


def test_entities_and_answers_can_be_corrected(agent: Shell) -> None:
    spans = '[{"start": 3, "end": 9, "label": "city"}]'
    done = agent.json("feedback", "correct", "--text", "to Berlin", "--entities", spans)
    shown = agent.json("feedback", "show", done["id"][:10])
    assert shown["entities"] == [{"start": 3, "end": 9, "label": "city", "value": "Berlin"}]
    agent.json("feedback", "correct", "--text", "who are you", "--answer", "The bank's assistant.")


def test_a_pending_one_is_reviewed(agent: Shell) -> None:
    first, second = agent.submit("hi", intent="greet"), agent.submit("bye", intent="greet")
    assert [one["id"] for one in agent.json("feedback", "list")] == [first, second]
    assert agent.json("feedback", "accept", first) == {"id": first, "state": "accepted"}
    assert agent.json("feedback", "reject", second, "--reason", "no") == {
        "id": second,
        "state": "rejected",
    }
    assert agent.json("feedback", "list") == []
    assert agent.json("feedback", "show", second)["history"][-1]["reason"] == "no"


def test_a_reviewer_can_accept_with_another_intent(agent: Shell) -> None:
    one = agent.submit("hi", intent="bye")
    agent("feedback", "accept", one, "--intent", "greet")
    assert agent.json("feedback", "show", one)["intent"] == "greet"


def test_people_get_a_table_and_the_history(agent: Shell) -> None:
    one = agent.submit("[bold]hi[/bold]", intent="greet", reason="wrong answer")
    assert "[bold]hi[/bold]" in agent("feedback", "list")
    shown = agent("feedback", "show", one)
    assert "pending by anonymous" in shown
    assert "wrong answer" in shown
    assert agent("feedback", "list", "--state", "rejected") == "No rejected corrections.\n"


def test_accepted_ones_are_exported_as_training_data(agent: Shell, tmp_path: Path) -> None:
    agent("feedback", "correct", "--text", "my card is gone", "--intent", "block_card")
    agent("feedback", "correct", "--text", "who", "--answer", "me")
    assert "- my card is gone" in agent("feedback", "export")
    assert "left out" in agent.err
    out = tmp_path / "deep" / "nlu.yml"
    done = agent.json("feedback", "export", "--out", str(out))
    assert (done["path"], done["count"], len(done["left_out"])) == (str(out), 1, 1)
    assert "- my card is gone" in out.read_text()


def test_what_was_exported_is_imported_once(agent: Shell, tmp_path: Path) -> None:
    agent("feedback", "correct", "--text", "my card is gone", "--intent", "block_card")
    whole = tmp_path / "all.jsonl"
    whole.write_text(agent("feedback", "export", "--format", "corrections"))
    assert agent.json("feedback", "import", str(whole)) == {"read": 1, "added": 0}
    examples = tmp_path / "more.jsonl"
    examples.write_text('{"text": "hello", "intent": "greet"}\n')
    assert agent.json("feedback", "import", str(examples)) == {"read": 1, "added": 1}
    assert agent.json("feedback", "import", str(examples)) == {"read": 1, "added": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["correct", "--intent", "x"], "either a turn's id or --text"),
        (["correct", "t", "--text", "x"], "either a turn's id or --text"),
        (["correct", "--text", "x"], "nothing is corrected"),
        (["correct", "--text", " ", "--intent", "x"], "give a text"),
        (["correct", "--text", "x", "--intent", "/x"], "cannot be an intent's name"),
        (["correct", "--text", "x", "--entities", "{"], "--entities is no JSON"),
        (["correct", "--text", "x", "--entities", "3"], "entities must be a list"),
        (["correct", "nope", "--intent", "x"], "turn 'nope' is not in the log"),
        (["accept", "nope"], "there is no correction 'nope'"),
        (["show", "nope"], "there is no correction 'nope'"),
        (["list", "--state", "lost"], "unknown --state 'lost'"),
        (["export", "--format", "xml"], "unknown --format 'xml'"),
        (["export", "--json"], "give --out"),
        (["import", "missing.jsonl"], "missing.jsonl: cannot be read"),
    ],
)
def test_wrong_use_is_one_clear_line(agent: Shell, words: list[str], message: str) -> None:
    assert agent("feedback", *words, code=2) == ""
    assert message in agent.err
    assert agent.err.count("\n") == 1


def test_a_correction_is_taken_while_redis_is_away(
    agent: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "redis://127.0.0.1:1/0")
    done = agent.json("feedback", "correct", "--text", "hi", "--intent", "greet")
    assert done["state"] == "accepted"
    assert len(Spool(agent.root / ".agent" / "spool").entries()) == 1
    assert agent("feedback", "list", code=1) == ""
    assert "does not answer" in agent.err
    monkeypatch.setenv("INTENT_AGENT_STORE__URL", "embedded:")
    assert [one["id"] for one in agent.json("feedback", "list", "--state", "all")] == [done["id"]]


def test_a_person_is_forgotten(agent: Shell) -> None:
    async def talk() -> None:
        async with await Store.open("embedded:", agent.root) as store:
            await store.commit_turn({"id": "t"}, "c", [{"event": "user"}])

    asyncio.run(talk())
    done = agent.json("forget", "c")
    assert (done["turns"], done["events"], done["rewritten"]) == (1, 1, True)
    assert agent("forget", "c").startswith("Nothing was stored about c.\n")


def a_model(root: Path, *intents: str) -> None:
    """A model folder that only says which intents it knows."""
    registry = Registry(root)
    folder = registry.temporary()
    (folder / "weights").write_text("")
    made = registry.publish(folder, {"labels": {"intents": list(intents), "responses": []}})
    registry.promote(made.id)


def test_an_intent_that_nobody_knows_must_be_meant_to_be_new(agent: Shell) -> None:
    a_model(agent.root, "block_card", "greet")
    correct = ("feedback", "correct", "--text", "my card is gone", "--intent")
    agent(*correct, "blok_card", code=2)
    assert "did you mean block_card" in agent.err
    agent(*correct, "lost_card", "--new-intent")
    agent(*correct, "block_card")
    assert len(agent.json("feedback", "list", "--state", "accepted")) == 2


def test_in_a_pipe_each_correction_is_one_line(
    agent: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    agent.submit("a message that is rather long for so narrow a terminal", intent="block_card")
    assert len(agent("feedback", "list").splitlines()) == 2


def test_the_queue_is_shown_judged_and_undone(agent: Shell) -> None:
    agent.submit("my card is gone", intent="block_card")
    (item,) = agent.json("feedback", "queue")
    assert item["proposals"][0]["intent"] == "block_card"
    judged = agent.json("feedback", "judge", item["id"][:6], "correct", "--intent", "block_card")
    assert judged["state"] == "done"
    assert agent.json("feedback", "undo", item["id"])["state"] == "open"
    assert agent.json("feedback", "list", "--state", "accepted") == []


def test_accepting_somebodys_unknown_intent_must_be_meant_too(agent: Shell) -> None:
    a_model(agent.root, "block_card", "greet")
    one = agent.submit("my card is gone", intent="blok_card")
    agent("feedback", "accept", one, code=2)
    assert "did you mean block_card" in agent.err
    assert agent.json("feedback", "show", one)["state"] == "pending"
    agent("feedback", "accept", one, "--new-intent")
    assert agent.json("feedback", "show", one)["state"] == "accepted"


def test_a_message_cannot_turn_its_row_around(agent: Shell) -> None:
    one = agent.submit("hi \u202eolleh", intent="greet")
    for words in (("list",), ("show", one), ("queue",)):
        printed = agent("feedback", *words)
        assert ("\u202e" in printed, "hi \ufffdolleh" in printed) == (False, True)
