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

from agent.monitor.delivery import LONGEST_AWAY_S, MOST_REFUSALS, Delivery, delivery_of
from agent.monitor.webhook import Webhook, let_pass
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


ALARM: dict[str, Any] = {
    "id": "topic 天气@0",
    "at": "1970-01-01",
    "kind": "topic",
    "name": "天气",
    "windows": 1,
}


async def test_an_alarm_is_sent_with_a_signature_that_the_receiver_can_check(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("topic 天气@0", ALARM)
    assert await Webhook(receiver.url, "secret", log).deliver() == 1
    [(headers, body)] = receiver.taken
    wanted = hmac.new(b"secret", headers["X-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["X-Signature-256"] == f"sha256={wanted.hexdigest()}"
    assert json.loads(body) == ALARM


async def test_an_alarm_that_was_taken_is_not_sent_again(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    hook = Webhook(receiver.url, "", log)
    assert [await hook.deliver(), await hook.deliver()] == [1, 0]
    assert len(receiver.taken) == 1


async def test_alarms_of_the_time_without_a_webhook_are_not_sent_to_one_that_is_set_later(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("old", {**ALARM, "id": "old"})
    await let_pass(log)
    await log.add_alarm("new", {**ALARM, "id": "new"})
    assert await Webhook(receiver.url, "", log).deliver() == 1
    assert [json.loads(body)["id"] for _, body in receiver.taken] == ["new"]
    assert not await Webhook(receiver.url, "", log).waiting()


async def test_an_alarm_that_was_tried_waits_on_while_the_webhook_is_off(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    receiver.status = 503
    await Webhook(receiver.url, "", log).deliver()
    await let_pass(log)
    assert [one["id"] for one in await Webhook(receiver.url, "", log).waiting()] == ["a"]


async def test_an_alarm_that_was_refused_waits_for_a_later_run(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    receiver.status = 503
    assert await Webhook(receiver.url, "", log).deliver() == 0
    receiver.status = 204
    assert await Webhook(receiver.url, "", log).deliver() == 0
    await make_due(log, "a")
    assert await Webhook(receiver.url, "", log).deliver() == 1


async def test_an_alarm_that_the_receiver_refuses_holds_up_no_other_one(
    log: MonitorLog, receiver: Receiver
) -> None:
    for name in ("a", "b"):
        await log.add_alarm(name, {**ALARM, "id": name})
    receiver.refused = "a"
    hook = Webhook(receiver.url, "", log)
    assert await hook.deliver() == 1
    assert [alarm["id"] for alarm in await hook.waiting()] == ["a"]


async def test_an_answer_without_an_end_is_not_waited_for(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    receiver.endless = True
    begun = time.monotonic()
    assert await Webhook(receiver.url, "", log).deliver() == 1
    assert time.monotonic() - begun < 30
    receiver.endless = False


async def test_the_log_does_not_tell_what_an_address_holds(
    log: MonitorLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    await Webhook("http://me:hush@127.0.0.1:9/token", "", log).deliver()
    assert "127.0.0.1" in caplog.text
    assert "hush" not in caplog.text
    assert "token" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "no address"])
async def test_a_receiver_that_is_not_there_costs_nothing(log: MonitorLog, url: str) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    assert await Webhook(url, "", log).deliver() == 0
    assert delivery_of((await log.alarms())[0]).state == "waiting"


async def make_due(log: MonitorLog, name: str) -> None:
    """Let the pause before an alarm's next try be over."""
    (alarm,) = [one for one in await log.alarms() if one["id"] == name]
    await log.set_delivery(name, {**delivery_of(alarm).as_json(), "next_at": 0.0})


async def test_an_alarm_that_is_refused_again_and_again_is_given_up_with_one_line(
    log: MonitorLog, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a"})
    receiver.status = 404
    for _ in range(MOST_REFUSALS + 2):
        await Webhook(receiver.url, "", log).deliver()
        await make_due(log, "a")
    assert len(receiver.taken) == MOST_REFUSALS
    assert [one.message.split(":")[0] for one in caplog.records if one.levelname == "ERROR"] == [
        "alarm a is given up"
    ]
    assert "404" in caplog.text
    (alarm,) = await log.alarms()
    assert delivery_of(alarm).state == "given up"
    assert len(caplog.records) == 2


def test_pauses_double_up_to_an_hour_and_refusals_end_after_an_hour_or_so() -> None:
    tried, now, pauses = Delivery(), 1000.0, []
    while tried.state == "waiting":
        tried = tried.after("refused", "status 400", now)
        pauses.append(tried.next_at - now)
        now = tried.next_at
    assert pauses[:-1] == [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0]


def test_a_receiver_that_is_away_is_tried_for_days() -> None:
    tried, now = Delivery(), 1000.0
    while tried.state == "waiting":
        tried = tried.after("away", "no answer", now)
        now = tried.next_at
    assert LONGEST_AWAY_S <= now - 1000.0 <= LONGEST_AWAY_S + 2 * 3600
    assert tried.tries < 90


def test_a_clock_that_was_set_back_does_not_keep_an_alarm_waiting() -> None:
    tried = Delivery().after("away", "no answer", 1_000_000.0)
    assert not tried.due(1_000_010.0)
    assert tried.due(1_000_030.0)
    assert tried.due(10.0)


async def test_while_a_receiver_is_away_all_alarms_wait_together(
    log: MonitorLog, receiver: Receiver
) -> None:
    for name in ("a", "b"):
        await log.add_alarm(name, {**ALARM, "id": name})
    receiver.status = 500
    await Webhook(receiver.url, "", log).deliver()
    await Webhook(receiver.url, "", log).deliver()
    assert len(receiver.taken) == 1


async def test_an_alarm_delivered_by_an_earlier_version_is_not_sent_again(
    log: MonitorLog, receiver: Receiver
) -> None:
    await log.add_alarm("a", {**ALARM, "id": "a", "delivered": True})
    assert await Webhook(receiver.url, "", log).deliver() == 0
    assert receiver.taken == []
