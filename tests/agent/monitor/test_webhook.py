"""Alarms sent to another system: signed, once taken, tried again."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.monitor.webhook import Webhook
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[MonitorLog]:
    async with await Store.open("embedded:", tmp_path / "project") as store:
        yield MonitorLog(store.connection, store.keys, "news", kept_s=1000, items_kept=100)


class Receiver:
    """A server that notes what it is sent and answers with `status`."""

    def __init__(self) -> None:
        self.status, self.taken = 200, list[tuple[dict[str, str], bytes]]()
        self.refused, self.endless = "", False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((dict(self.headers), body))
                known = self.headers["Idempotency-Key"] == receiver.refused
                self.send_response(400 if known else receiver.status)
                self.end_headers()
                while receiver.endless:
                    self.wfile.write(b"x" * 1000)
                    time.sleep(0.01)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


ALARM = {"id": "topic 天气@0", "at": "1970-01-01", "kind": "topic", "name": "天气", "windows": 1}


async def test_an_alarm_is_sent_with_a_signature_that_the_receiver_can_check(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm(ALARM["id"], {**ALARM, "delivered": False})  # type: ignore[arg-type]
    assert await Webhook(receiver.url, "secret", log).deliver() == 1
    [(headers, body)] = receiver.taken
    wanted = hmac.new(b"secret", headers["X-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["X-Signature-256"] == f"sha256={wanted.hexdigest()}"
    assert json.loads(body) == ALARM


async def test_an_alarm_that_was_taken_is_not_sent_again(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": False})
    hook = Webhook(receiver.url, "", log)
    assert [await hook.deliver(), await hook.deliver()] == [1, 0]
    assert len(receiver.taken) == 1


async def test_an_alarm_that_was_refused_waits_for_a_later_run(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": False})
    receiver.status = 503
    assert await Webhook(receiver.url, "", log).deliver() == 0
    receiver.status = 204
    assert await Webhook(receiver.url, "", log).deliver() == 1


async def test_an_alarm_that_the_receiver_refuses_holds_up_no_other_one(
    log: MonitorLog, receiver: Receiver
) -> None:
    for name in ("a", "b"):
        await log.add_alarm(name, {**ALARM, "id": name, "delivered": False})
    receiver.refused = "a"
    hook = Webhook(receiver.url, "", log)
    assert await hook.deliver() == 1
    assert [alarm["id"] for alarm in await hook.waiting()] == ["a"]


async def test_an_answer_without_an_end_is_not_waited_for(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": False})
    receiver.endless = True
    begun = time.monotonic()
    assert await Webhook(receiver.url, "", log).deliver() == 1
    assert time.monotonic() - begun < 4
    receiver.endless = False


async def test_the_log_does_not_tell_what_an_address_holds(
    log: MonitorLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": False})
    await Webhook("http://me:hush@127.0.0.1:9/token", "", log).deliver()
    assert "127.0.0.1" in caplog.text
    assert "hush" not in caplog.text
    assert "token" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "no address"])
async def test_a_receiver_that_is_not_there_costs_nothing(log: MonitorLog, url: str) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": False})
    assert await Webhook(url, "", log).deliver() == 0
    assert not (await log.alarms())[0]["delivered"]
