import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.actions.local import LocalActions
from agent.errors import ActionError

HEADER = """
import asyncio, os, signal, subprocess, sys, time
from datetime import datetime
from rasa_sdk import Action
from rasa_sdk.events import SlotSet
"""
BODY = """
class {cls}(Action):
    def name(self):
        return "action_{name}"

    {prefix}def run(self, dispatcher, tracker, domain):
{body}
"""


def action(name: str, body: str, prefix: str = "") -> str:
    code = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    return BODY.format(cls=name.title().replace("_", ""), name=name, body=code, prefix=prefix)


def write_actions(root: Path, *sources: str) -> Path:
    (root / "actions").mkdir(exist_ok=True)
    (root / "actions" / "actions.py").write_text(HEADER + "".join(sources), encoding="utf-8")
    return root


OK = action("ok", "return [SlotSet('ok', os.getpid())]")
HANG = action("hang", "time.sleep(60)")


def state(sender: str = "alice", events: Any = ()) -> dict[str, Any]:
    return {"sender_id": sender, "slots": {}, "latest_message": {}, "events": list(events)}


@pytest.fixture
async def runners() -> AsyncIterator[list[LocalActions]]:
    started: list[LocalActions] = []
    yield started
    for runner in started:
        await runner.close()


@pytest.fixture
def make(tmp_path: Path, runners: list[LocalActions]) -> Any:
    def build(*sources: str, **options: Any) -> LocalActions:
        runner = LocalActions(write_actions(tmp_path, *sources), **options)
        runners.append(runner)
        return runner

    return build


async def pid_of(custom: LocalActions, sender: str = "alice") -> int:
    reply = await custom.call("action_ok", state(sender), {})
    return int(reply.events[0]["value"])


async def test_an_action_that_hangs_is_stopped_and_the_next_call_works(make: Any) -> None:
    custom = make(OK, HANG, timeout_s=0.3)
    before = await pid_of(custom)
    with pytest.raises(ActionError, match=r"did not end within 0.3 s"):
        await custom.call("action_hang", state(), {})
    assert await pid_of(custom) != before


async def test_an_async_action_that_hangs_costs_nobody_else_their_call(make: Any) -> None:
    slow = action("slow", "await asyncio.sleep(60)", "async ")
    fair = action("fair", "await asyncio.sleep(0.6)\nreturn [SlotSet('ok', os.getpid())]", "async ")
    custom = make(OK, slow, fair, timeout_s=0.8)
    before = await pid_of(custom)
    hung = asyncio.ensure_future(custom.call("action_slow", state("slow"), {}))
    await asyncio.sleep(0.4)
    reply = await custom.call("action_fair", state("fair"), {})
    assert reply.events[0]["value"] == before
    with pytest.raises(ActionError, match="did not end"):
        await hung
    assert await pid_of(custom) == before


async def test_calls_that_wait_behind_a_hanging_action_run_after_it(make: Any) -> None:
    custom = make(OK, HANG, timeout_s=0.3)
    await custom.start()
    hung = asyncio.ensure_future(custom.call("action_hang", state("x"), {}))
    await asyncio.sleep(0.05)
    replies = await asyncio.gather(*(pid_of(custom, f"u{n}") for n in range(5)))
    assert len(set(replies)) == 1
    with pytest.raises(ActionError):
        await hung


async def test_a_call_given_up_while_it_waits_never_runs(make: Any, tmp_path: Path) -> None:
    mark = action("mark", "open('marked', 'w').close()")
    busy = action("busy", "time.sleep(0.5)")
    custom = make(OK, mark, busy, timeout_s=5)
    await custom.start()
    working = asyncio.ensure_future(custom.call("action_busy", state("x"), {}))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(custom.call("action_mark", state("y"), {}))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await working
    await pid_of(custom)
    assert not (tmp_path / "marked").exists()


async def test_a_crash_is_an_error_and_the_next_call_works(make: Any) -> None:
    crash = action("crash", "print('so long')\nos.kill(os.getpid(), signal.SIGSEGV)")
    custom = make(OK, crash)
    with pytest.raises(ActionError, match=r"died while it ran \(signal 11\)") as caught:
        await custom.call("action_crash", state(), {})
    assert "so long" in str(caught.value)
    assert await pid_of(custom) > 0


async def test_an_action_that_calls_exit_fails_alone(make: Any) -> None:
    custom = make(OK, action("leave", "sys.exit(3)"))
    before = await pid_of(custom)
    with pytest.raises(ActionError, match="SystemExit: 3"):
        await custom.call("action_leave", state(), {})
    assert await pid_of(custom) == before


async def test_a_failure_names_the_projects_line_and_logs_the_traceback(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    custom = make(action("fail", "return [1 / 0]"))
    with pytest.raises(ActionError, match=r"division by zero \(actions/actions.py, line \d+\)"):
        await custom.call("action_fail", state(), {})
    assert "Traceback (most recent call last)" in caplog.text


async def test_what_actions_print_is_logged_and_breaks_nothing(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loud = action("loud", "print('x' * 300_000)\nprint('héllo')\nreturn [SlotSet('ok', 1)]")
    custom = make(loud)
    assert (await custom.call("action_loud", state(), {})).events
    await custom.close()
    assert "action output: héllo" in caplog.text


async def test_results_that_are_not_json_are_an_error(make: Any) -> None:
    custom = make(OK, action("when", "return [SlotSet('when', datetime.now())]"))
    with pytest.raises(ActionError, match=r"not JSON: .*datetime"):
        await custom.call("action_when", state(), {})
    assert await pid_of(custom)


async def test_a_module_that_is_missing_is_named(make: Any, tmp_path: Path) -> None:
    custom = make("import no_such_module_here\n")
    with pytest.raises(ActionError, match="No module named 'no_such_module_here'"):
        await custom.call("action_ok", state(), {})
    write_actions(tmp_path, OK)
    assert await pid_of(custom)


async def test_a_syntax_error_is_named_with_its_line(make: Any) -> None:
    custom = make("\ndef broken(:\n")
    with pytest.raises(ActionError, match=r"SyntaxError: .*\(actions/actions.py, line \d+\)"):
        await custom.call("action_ok", state(), {})


async def test_an_import_that_takes_too_long_is_stopped(make: Any) -> None:
    custom = make("time.sleep(60)\n", start_timeout_s=1.5)
    with pytest.raises(ActionError, match=r"longer than 1.5 s to import"):
        await custom.start()


async def test_a_project_without_actions_says_where_to_write_one(tmp_path: Path) -> None:
    custom = LocalActions(tmp_path)
    assert not custom.available
    assert await custom.names() == []
    with pytest.raises(ActionError, match=r"has no actions/ folder"):
        await custom.call("action_ok", state(), {})


async def test_actions_may_stand_in_one_file(tmp_path: Path, runners: list[LocalActions]) -> None:
    (tmp_path / "actions.py").write_text(HEADER + OK)
    custom = LocalActions(tmp_path)
    runners.append(custom)
    assert await custom.names() == ["action_ok"]


@pytest.fixture
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.actions.local._LOOK_EVERY_S", -1.0)


@pytest.mark.usefixtures("looks_each_time")
async def test_edited_actions_are_used_by_the_next_call(make: Any, tmp_path: Path) -> None:
    custom = make(OK)
    before = await pid_of(custom)
    assert await pid_of(custom) == before
    write_actions(tmp_path, OK, action("new", "return [SlotSet('new', 1)]"))
    reply = await custom.call("action_new", state(), {})
    assert reply.events[0]["name"] == "new"
    assert await pid_of(custom) != before


@pytest.mark.usefixtures("looks_each_time")
async def test_an_edit_that_does_not_import_is_said_and_the_next_one_heals_it(
    make: Any, tmp_path: Path
) -> None:
    custom = make(OK)
    await pid_of(custom)
    write_actions(tmp_path, OK, "\nclass Broken(\n")
    with pytest.raises(ActionError, match="SyntaxError"):
        await pid_of(custom)
    write_actions(tmp_path, OK)
    assert await pid_of(custom)


@pytest.mark.usefixtures("looks_each_time")
async def test_an_edit_cuts_off_no_action_that_runs(make: Any, tmp_path: Path) -> None:
    slow = action("slow", "await asyncio.sleep(0.5); return [SlotSet('ok', 1)]", "async ")
    custom = make(OK, slow)
    before = await pid_of(custom)
    running = asyncio.create_task(custom.call("action_slow", state("bob"), {}))
    while not custom._process or custom._process.idle:
        await asyncio.sleep(0.01)
    write_actions(tmp_path, OK, slow, "# edited")
    assert await pid_of(custom) == before
    assert (await running).events
    assert await pid_of(custom) != before


async def test_only_new_events_are_sent(make: Any) -> None:
    count = action("count", "return [SlotSet('n', [e['n'] for e in tracker.events])]")
    custom = make(count)
    events = [{"event": "x", "n": n} for n in range(100)]
    await custom.call("action_count", state(events=events), {})
    sent: list[int] = []
    write = custom._process._write

    def spy(message: dict[str, Any]) -> None:
        sent.append(len(message["events"]))
        write(message)

    custom._process._write = spy
    for length in (101, 102):
        events.append({"event": "x", "n": length - 1})
        reply = await custom.call("action_count", state(events=events), {})
        assert reply.events[0]["value"] == list(range(length))
    tail = [*events[:100], {"event": "x", "n": -1}]
    reply = await custom.call("action_count", state(events=tail), {})
    assert reply.events[0]["value"] == [*range(100), -1]
    assert sent == [1, 1, 1]


async def test_events_that_the_process_lost_are_sent_again(make: Any) -> None:
    count = action("count", "return [SlotSet('n', len(tracker.events))]")
    custom = make(count)
    events = [{"event": "x", "n": n} for n in range(3)]
    await custom.start()
    custom._process._sent["alice"] = (3, list(events))
    reply = await custom.call("action_count", state(events=events), {})
    assert reply.events[0]["value"] == 3


PARENT = """
import asyncio, sys
from pathlib import Path
from agent.actions.local import LocalActions

async def main():
    custom = LocalActions(Path(sys.argv[1]))
    state = {"sender_id": "a", "slots": {}, "latest_message": {}, "events": []}
    reply = await custom.call("action_ok", state, {})
    print(reply.events[0]["value"], flush=True)
    await custom.call("action_hang", state, {})

asyncio.run(main())
"""


def test_the_process_ends_with_its_parent_even_when_an_action_hangs(tmp_path: Path) -> None:
    root = write_actions(tmp_path, OK, HANG)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.1)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
    except OSError:
        os.kill(pid, 0)
        return True
