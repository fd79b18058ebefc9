"""Tells another system of alarms: a signed POST each, repeated until it is taken."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from agent.storage.monitor_log import MonitorLog

_TIMEOUT_S = 5.0
_PAUSE_S = 30.0
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
        """Send the alarms that were not delivered, oldest first; how many were taken.

        The first that fails ends this round; the next is due half a minute later.
        """
        if time.monotonic() < self._not_before:
            return 0
        waiting = [alarm for alarm in await self.log.alarms() if not alarm.get("delivered")]
        if not waiting:
            return 0
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
            for done, alarm in enumerate(waiting):
                if not await self._send(client, alarm):
                    self._not_before = time.monotonic() + _PAUSE_S
                    return done
                await self.log.set_alarm(alarm["id"], {**alarm, "delivered": True})
        return len(waiting)

    async def _send(self, client: httpx2.AsyncClient, alarm: Mapping[str, Any]) -> bool:
        body = json.dumps(
            {k: v for k, v in alarm.items() if k != "delivered"}, ensure_ascii=False
        ).encode("utf-8", "backslashreplace")
        headers = {"Content-Type": "application/json", "Idempotency-Key": alarm["id"]}
        if self.secret:
            headers |= signature(self.secret, str(int(time.time())), body)
        try:
            answer = await client.post(self.url, content=body, headers=_ascii(headers))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            _log.warning("the webhook %s does not answer: %s", self.url, error)
            return False
        if answer.is_success:
            return True
        _log.warning("the webhook %s refused an alarm with %d", self.url, answer.status_code)
        return False


def signature(secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    """The headers that let the receiver check who sent a body, and when."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return {"X-Timestamp": timestamp, "X-Signature-256": f"sha256={digest.hexdigest()}"}


def _ascii(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as HTTP takes them: a series may be named in any script."""
    return {k: v.encode("ascii", "backslashreplace").decode() for k, v in headers.items()}
