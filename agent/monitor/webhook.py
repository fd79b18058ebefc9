"""Tells another system of alarms: a signed POST each, repeated until it is taken."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2

from agent.storage.monitor_log import MonitorLog

_TIMEOUT_S = 5.0
_PAUSE_S = 30.0
# What a receiver may say of a request that it would take later.
_LATER = (408, 425, 429)
_log = logging.getLogger(__name__)
Outcome = Literal["taken", "refused", "away"]


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
        """Send the alarms that were not delivered, oldest first; how many were taken.

        A receiver that is away ends this round; an alarm that it refuses holds up no other one.
        In both cases the next round is due half a minute later.
        """
        if time.monotonic() < self._not_before:
            return 0
        taken = 0
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
            for alarm in await self.waiting():
                outcome = await self._send(client, alarm)
                if outcome == "taken":
                    taken += 1
                    await self.log.set_alarm(alarm["id"], {**alarm, "delivered": True})
                else:
                    self._not_before = time.monotonic() + _PAUSE_S
                if outcome == "away":
                    break
        return taken

    async def waiting(self) -> list[dict[str, Any]]:
        """The alarms that were not delivered, oldest first."""
        return [alarm for alarm in await self.log.alarms() if not alarm.get("delivered")]

    async def _send(self, client: httpx2.AsyncClient, alarm: Mapping[str, Any]) -> Outcome:
        body = json.dumps(
            {k: v for k, v in alarm.items() if k != "delivered"}, ensure_ascii=False
        ).encode("utf-8", "backslashreplace")
        headers = {"Content-Type": "application/json", "Idempotency-Key": alarm["id"]}
        if self.secret:
            headers |= signature(self.secret, str(int(time.time())), body)
        # Only the host is named: an address may hold a password or a token.
        host = urlsplit(self.url).hostname
        try:
            status = await self._post(client, body, _ascii(headers))
        except TimeoutError:
            _log.warning("the webhook at %s did not answer in %g s", host, _TIMEOUT_S)
            return "away"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            _log.warning("the webhook at %s does not answer: %s", host, error or type(error))
            return "away"
        if 200 <= status < 300:
            return "taken"
        _log.warning("the webhook at %s refused an alarm with %d", host, status)
        return "refused" if 400 <= status < 500 and status not in _LATER else "away"

    async def _post(
        self, client: httpx2.AsyncClient, body: bytes, headers: Mapping[str, str]
    ) -> int:
        """The status of the answer; what it says beside it is not read."""
        async with asyncio.timeout(_TIMEOUT_S):
            async with client.stream("POST", self.url, content=body, headers=headers) as answer:
                return answer.status_code


def signature(secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    """The headers that let the receiver check who sent a body, and when."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return {"X-Timestamp": timestamp, "X-Signature-256": f"sha256={digest.hexdigest()}"}


def _ascii(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as HTTP takes them: a series may be named in any script."""
    return {k: v.encode("ascii", "backslashreplace").decode() for k, v in headers.items()}
