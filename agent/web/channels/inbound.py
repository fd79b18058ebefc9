"""What every channel of `credentials.yml` asks before it takes a message."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from agent.errors import InputError
from agent.web.errors import HttpError
from agent.web.rasa.bodies import says_json
from agent.web.security.access import Access
from agent.web.security.tokens import is_issued


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What a channel believes.

    `any_payload`: `/intent{…}` messages are taken whether or not they were offered.
    `trust_sender`: whoever says to be a sender is; else a token must show it. Conversations
    that were begun under /api are nobody's but their token's in any case.
    """

    any_payload: bool
    trust_sender: bool

    async def check_sender(self, access: Access, request: Request, sender: str) -> None:
        """Refuse a message in somebody else's name.

        Raises:
            TooManyError: the sender has sent too many messages in this minute.
            HttpError: no token shows that the request is this sender's (401), the sender is a
                conversation of /api whose token is not shown, or another site's page sends it
                through its reader's browser (403).
        """
        if not says_json(request):
            # Only what is called JSON makes a browser ask before it sends another site's words.
            access.refuse_other_sites(request)
        issued = is_issued(sender)
        if (self.trust_sender and not issued) or await access.may_speak_as(request, sender):
            await access.limit_messages(sender)
            return
        if issued and self.trust_sender:
            raise HttpError(403, "this conversation belongs to the holder of its token")
        raise HttpError(401, "this channel needs a token of its sender: `Authorization: Bearer …`")


def read_rules(name: str, options: Mapping[str, Any], *, loopback: bool) -> ChannelRules:
    """The rules of a channel: `payloads: any|offered`, `trust_sender: true|false`.

    Both are generous on loopback and strict elsewhere unless the file says so.

    Raises:
        InputError: a value is none of these.
    """
    payloads = options.get("payloads", "any" if loopback else "offered")
    if payloads not in ("any", "offered"):
        raise InputError(
            f"must be `any` or `offered`, got {payloads!r}",
            path="credentials.yml",
            key=f"{name}.payloads",
        )
    trust = options.get("trust_sender", loopback)
    if not isinstance(trust, bool):
        raise InputError(
            f"must be true or false, got {trust!r}",
            path="credentials.yml",
            key=f"{name}.trust_sender",
        )
    return ChannelRules(any_payload=payloads == "any", trust_sender=trust)
