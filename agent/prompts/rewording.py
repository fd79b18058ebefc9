"""Says responses in other words with a language model, and checks that they say the same."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.dialogue.events import BotUttered, UserUttered
from agent.dialogue.tracker import Tracker
from agent.errors import GeneratorError
from agent.prompts.generator import Generator
from agent.prompts.responses import Draft, ResponseSource
from agent.prompts.templates import Templates

PROMPT = "reword"
_LINES = 6
_LONGER = 3
_FACT = re.compile(r"(?:https?://|www\.)[^\s)\]>\"']+|[\w.+-]+@[\w.-]+|\d+(?:[.,:/-]\d+)*")
_log = logging.getLogger(__name__)


class RewordedResponses:
    """A source of responses whose texts are said in words that fit the conversation.

    A response with `metadata: {rephrase: true}` is reworded, with `everything` each one that
    does not say `rephrase: false`. Where the model fails, or changes a number, a link or an
    address, the response stays as it is written.

    Args:
        inner: drafts the responses.
        generator: the language model.
        templates: holds the prompt `reword`.
        allowed: whether one more call is left today, which is then spent.
        everything: whether responses are reworded that do not ask for it.
    """

    def __init__(
        self,
        inner: ResponseSource,
        generator: Generator,
        templates: Templates,
        *,
        allowed: Callable[[], bool],
        everything: bool = False,
    ) -> None:
        self._inner, self._generator, self._templates = inner, generator, templates
        self._allowed, self._everything = allowed, everything

    async def draft(
        self, name: str, tracker: Tracker, *, channel: str, arguments: Mapping[str, Any]
    ) -> Draft | None:
        """The inner source's message, its text perhaps in other words."""
        draft = await self._inner.draft(name, tracker, channel=channel, arguments=arguments)
        text = (draft or {}).get("text")
        if draft is None or not isinstance(text, str) or not self._wanted(draft) or not text:
            return draft
        prompt = self._templates.render(PROMPT, conversation=_conversation(tracker))
        try:
            if not self._allowed():
                return draft
            said = await self._generator.generate(prompt.text, text)
            _check(text, said)
        except GeneratorError as error:
            _log.warning("%r is said as it is written: %s", name, error)
            return draft
        return {**draft, "text": said, "prompts": {prompt.name: prompt.version}}

    def _wanted(self, draft: Mapping[str, Any]) -> bool:
        metadata = draft.get("metadata")
        asked = metadata.get("rephrase") if isinstance(metadata, Mapping) else None
        return bool(self._everything if asked is None else asked)


def _check(text: str, said: str) -> None:
    """Raises GeneratorError unless the facts are the same and the length is about."""
    if not said.strip():
        raise GeneratorError("the model says nothing")
    if len(said) > _LONGER * len(text) + 80:
        raise GeneratorError("the model says much more")
    old, new = (sorted(set(_facts(one))) for one in (text, said))
    if old != new:
        raise GeneratorError(f"the model changes facts: {old} became {new}"[:200])


def _facts(text: str) -> list[str]:
    return [fact.rstrip(".,;:!?") for fact in _FACT.findall(text)]


def _conversation(tracker: Tracker) -> list[dict[str, str]]:
    """The last lines, oldest first."""
    lines: list[dict[str, str]] = []
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered | BotUttered) and event.text:
            who = "user" if isinstance(event, UserUttered) else "assistant"
            lines.append({"who": who, "text": event.text})
        if len(lines) == _LINES:
            break
    return lines[::-1]
