"""Answers messages for every channel: so many at a time, the rest waits or is sent away."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.dialogue.events import BotUttered
from agent.errors import AgentError, InputError
from agent.manager import DialogueManager
from agent.turn import Message, Reply, Turn
from agent.understanding.payload import EXTERNAL_PREFIX

LOOKED_BACK = 400  # events of a conversation that are searched for an offered button


class BusyError(AgentError):
    """The server has more messages than it can answer soon.

    Args:
        retry_after_s: whole seconds after which to try again.
    """

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"the server is busy: try again in {retry_after_s} s")


class NotOfferedError(InputError):
    """A message is an intent in writing that the assistant did not offer."""


def _unheard(_: Reply) -> None:
    """Nobody listens: the replies stand in the turn."""


@dataclass(slots=True)
class Turns:
    """Hands messages to the dialogue manager.

    Args:
        manager: answers them.
        max_waiting: messages that may be in work at the same time.
        max_of_one: the same for one conversation, whose messages wait for each other.
        seen: told every turn, and every failure with None.
    """

    manager: DialogueManager
    max_waiting: int
    max_of_one: int
    seen: Callable[[Message, Turn | None], None] = lambda message, turn: None
    in_work: int = 0
    _of_one: Counter[str] = field(default_factory=Counter)

    async def answer(
        self,
        message: Message,
        *,
        any_payload: bool = False,
        said: Callable[[Reply], None] = _unheard,
    ) -> Turn:
        """Answer one message; `said` hears each reply at once.

        Args:
            message: what a user (or, with `EXTERNAL: `, a program) says.
            any_payload: whether `/intent{…}` is taken although the assistant did not offer it.

        Raises:
            BusyError: too many are in work.
            NotOfferedError: it is an intent that was not offered.
            AgentError: the turn failed.
        """
        conversation = message.conversation_id
        if self.in_work >= self.max_waiting or self._of_one[conversation] >= self.max_of_one:
            raise BusyError()
        self.in_work += 1
        self._of_one[conversation] += 1
        turn: Turn | None = None
        try:
            if not any_payload and states_intent(message.text):
                await self._check_offered(message)
            turn = await self.manager.handle(message, said)
            return turn
        finally:
            self.in_work -= 1
            self._of_one[conversation] -= 1
            if not self._of_one[conversation]:
                del self._of_one[conversation]
            self.seen(message, turn)

    async def _check_offered(self, message: Message) -> None:
        brain = await self.manager.brains.current()
        tracker = await self.manager.conversations.peek(message.conversation_id, brain.domain)
        wanted = message.text.strip()
        for event in tracker.events[-LOOKED_BACK:]:
            if isinstance(event, BotUttered) and wanted in _payloads(event):
                return
        raise NotOfferedError(
            "messages that begin with / stand for buttons, and this one was not offered"
        )


def states_intent(text: str) -> bool:
    """Whether a message would bypass understanding by naming its intent.

    >>> states_intent("/transfer"), states_intent("EXTERNAL: /x"), states_intent("and/or")
    (True, True, False)
    """
    return text.removeprefix(EXTERNAL_PREFIX).strip().startswith("/")


def _payloads(event: BotUttered) -> set[str]:
    """The payloads that a bot message offers: buttons, quick replies, those of elements."""
    found: set[str] = set()
    buttons = [*_list(event.data, "buttons"), *_list(event.data, "quick_replies")]
    for element in _list(event.data, "elements"):
        buttons += _list(element, "buttons")
    for button in buttons:
        payload = button.get("payload") if isinstance(button, dict) else None
        if isinstance(payload, str):
            found.add(payload.strip())
    return found


def _list(data: object, name: str) -> list[object]:
    value = data.get(name) if hasattr(data, "get") else None
    return list(value) if isinstance(value, list | tuple) else []
