"""Drafts responses on an external NLG server (`nlg` in `endpoints.yml`)."""

from collections.abc import Mapping
from typing import Any

from agent.actions.endpoint_client import EndpointClient
from agent.actions.wire import tracker_state
from agent.dialogue.tracker import Tracker
from agent.project.types import Endpoint
from agent.prompts.responses import Draft

_WANTED = "an object with `text`, `buttons`, `image`, `attachment`, `elements`, `custom`"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "buttons": list,
    "elements": list,
    "attachment": (dict, str),
    "image": str,
    "custom": (dict, list),
}


class NlgServer:
    """A source of responses that asks a server for each.

    Args:
        endpoint: the server's URL with its headers and credentials.
        timeout_s: seconds to wait for an answer.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        self._client = EndpointClient(endpoint, "NLG server", timeout_s)

    async def draft(
        self, name: str, tracker: Tracker, *, channel: str, arguments: Mapping[str, Any]
    ) -> Draft | None:
        """The server's message for `name`; None if it answers with nothing.

        Raises:
            ActionError: it cannot be reached, is too slow, or answers something else.
        """
        body = {
            "response": name,
            "arguments": arguments,
            "tracker": tracker_state(tracker),
            "channel": {"name": channel},
        }
        response = await self._client.post(name, body)
        data = self._client.json(name, response, _WANTED)
        if response.status_code >= 400:
            raise self._client.unexpected(name, response, _WANTED)
        if data is None or data == "":
            return None
        if not isinstance(data, dict) or not _is_message(data):
            raise self._client.unexpected(name, response, _WANTED)
        return data

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _is_message(data: Mapping[str, Any]) -> bool:
    given = {key: data[key] for key in _TYPES if data.get(key) is not None}
    return all(isinstance(value, _TYPES[key]) for key, value in given.items())
