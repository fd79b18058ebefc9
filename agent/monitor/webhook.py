"""Tells another system of alarms: a signed POST each, repeated until it is taken or given up."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import httpx2

from agent.monitor.delivery import Delivery, Outcome, delivery_of
from agent.storage.monitor_log import MonitorLog

_TIMEOUT_S = 5.0
_PAUSE_S = 30.0
# What a receiver may say of a request that it would take later.
_LATER = (408, 425, 429)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Webhook:
    """Sends what the log holds of undelivered alarms.

    The body is the alarm's JSON. `X-Timestamp` holds seconds since 1970, `X-Signature-256` is
    `sha256=` and the HMAC of `<timestamp>.<body>` under the secret; `Idempotency-Key` is the
    alarm's id, because an alarm whose answer was lost is sent again.

    Args:
        url: where to send.
        secret: signs; nothing is signed when it is empty.
        log: holds the alarms.
    """

    url: str
    secret: str
    log: MonitorLog
    _not_before: float = 0.0

    async def deliver(self) -> int:
        """Send the alarms that are due, oldest first; how many were taken.

        An alarm that the receiver refuses holds up no other one. A receiver that is away ends
        the round, and counts as a try of all that are due. See `Delivery` for the pauses.
        """
        if time.monotonic() < self._not_before:
            return 0
        taken = 0
        due = [one for one in await self.waiting() if delivery_of(one).due(time.time())]
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
            for place, alarm in enumerate(due):
                outcome, why = await self._send(client, alarm)
                taken += outcome == "taken"
                for tried in due[place:] if outcome == "away" else [alarm]:
                    await self._note(tried, outcome, why)
                if outcome == "away":
                    self._not_before = time.monotonic() + _PAUSE_S
                    break
        return taken

    async def waiting(self) -> list[dict[str, Any]]:
        """The alarms that are neither delivered nor given up, oldest first."""
        return [one for one in await self.log.alarms() if delivery_of(one).state == "waiting"]

    async def _note(self, alarm: Mapping[str, Any], outcome: Outcome, why: str) -> None:
        """Keep what came of a try; the first one in vain and giving up are told."""
        now, name = time.time(), alarm["id"]
        tried = delivery_of(alarm).after(outcome, why, now)
        await self.log.set_delivery(name, tried.as_json())
        host = urlsplit(self.url).hostname
        if tried.state == "given up":
            hours = (now - tried.first_at) / 3600
            _log.error(
                "alarm %s is given up: the webhook at %s did not take it in %d tries over %.1f h, "
                "the last answer: %s",
                name, host, tried.tries, hours, why,
            )  # fmt: skip
        elif tried.tries == 1:
            _log.warning("the webhook at %s did not take alarm %s: %s", host, name, why)

    async def _send(
        self, client: httpx2.AsyncClient, alarm: Mapping[str, Any]
    ) -> tuple[Outcome, str]:
        """What came of one try, and why; an address may hold a password, so it is not named."""
        told = {k: v for k, v in alarm.items() if k not in ("delivered", "delivery")}
        body = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")
        headers = {"Content-Type": "application/json", "Idempotency-Key": alarm["id"]}
        if self.secret:
            headers |= signature(self.secret, str(int(time.time())), body)
        try:
            status = await self._post(client, body, _ascii(headers))
        except TimeoutError:
            return "away", f"no answer in {_TIMEOUT_S:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return "away", str(error) or type(error).__name__
        if 200 <= status < 300:
            return "taken", str(status)
        refused = 400 <= status < 500 and status not in _LATER
        return "refused" if refused else "away", f"status {status}"

    async def _post(
        self, client: httpx2.AsyncClient, body: bytes, headers: Mapping[str, str]
    ) -> int:
        """The status of the answer; what it says beside it is not read."""
        async with asyncio.timeout(_TIMEOUT_S):
            async with client.stream("POST", self.url, content=body, headers=headers) as answer:
                return answer.status_code


async def let_pass(log: MonitorLog) -> None:
    """Settle the alarms that were raised while there is no webhook: one set later gets new ones."""
    for alarm in await log.alarms():
        delivery = delivery_of(alarm)
        if delivery == Delivery():
            await log.set_delivery(alarm["id"], replace(delivery, state="not sent").as_json())


def signature(secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    """The headers that let the receiver check who sent a body, and when."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return {"X-Timestamp": timestamp, "X-Signature-256": f"sha256={digest.hexdigest()}"}


def _ascii(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as HTTP takes them: a series may be named in any script."""
    return {k: v.encode("ascii", "backslashreplace").decode() for k, v in headers.items()}
