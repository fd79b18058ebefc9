import asyncio
from pathlib import Path

from agent.dialogue.events import SessionStarted
from agent.storage.store import Store
from tests.agent.dialogue.talk import listened, ran, says
from tests.conftest import Run
from tests.shop import write_shop


def with_conversation(root: Path) -> Path:
    async def talk() -> None:
        events = [SessionStarted(), listened(), says("greet", "hello"), ran("utter_greet")]
        async with await Store.open("embedded:", root, prefix="intent-agent") as store:
            await store.append_events("c1", [event.to_dict() for event in events])

    asyncio.run(talk())
    return root


def test_a_stored_conversation_becomes_a_test_story(run_agent: Run, tmp_path: Path) -> None:
    root = with_conversation(write_shop(tmp_path / "shop"))
    done = run_agent("story", "c1", "--project", str(root))
    assert done.returncode == 0, done.stderr
    assert "user: hello" in done.stdout
    out = tmp_path / "stories.yml"
    kept = run_agent("story", "c1", "--train", "--out", str(out), "--project", str(root))
    assert (kept.returncode, kept.stdout) == (0, "")
    assert "intent: greet" in out.read_text("utf-8")


def test_an_unknown_conversation_is_a_usage_error(run_agent: Run, tmp_path: Path) -> None:
    done = run_agent("story", "nobody", "--project", str(write_shop(tmp_path / "shop")))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "'nobody'" in done.stderr


def test_stories_and_rules_are_drawn(run_agent: Run, tmp_path: Path) -> None:
    root, out = write_shop(tmp_path / "shop"), tmp_path / "graph.html"
    done = run_agent("visualize", "--project", str(root), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "utter_refund" in out.read_text("utf-8")


def test_a_picture_of_another_kind_is_refused(run_agent: Run, tmp_path: Path) -> None:
    root = write_shop(tmp_path / "shop")
    done = run_agent("visualize", "--project", str(root), "--out", str(tmp_path / "graph.png"))
    assert done.returncode == 2
    assert ".svg" in done.stderr
