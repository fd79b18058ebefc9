"""A chat session: messages to the assistant, commands about its turns."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.assemble import Assistant
from agent.cli.corrections import Corrector
from agent.cli.terminal import Terminal
from agent.dialogue.names import BUILTIN_INTENTS
from agent.dialogue.story_writer import add_to_file, stories_of
from agent.errors import AgentError
from agent.prompts.listening import listening
from agent.turn import Message, Turn, new_id

COMMANDS = {
    "/why": "why the last answer: ranking, entities, policy, passages",
    "/wrong": "put the last answer right: /wrong [INTENT | say TEXT | mark TEXT]",
    "/good": "the last answer was right",
    "/slots": "what the assistant remembers of this conversation",
    "/save": "keep this conversation as a test story: /save [train] [FILE]",
    "/restart": "begin again",
    "/help": "this list; //name sends /name to the assistant itself",
    "/quit": "leave (also Ctrl-C, Ctrl-D)",
}

_SAVED = {False: "tests/test_conversations.yml", True: "data/conversations.yml"}


@dataclass(slots=True)
class Session:
    """Reads lines, answers them, and keeps the last turn for commands about it."""

    assistant: Assistant
    terminal: Terminal
    conversation_id: str | None = None
    debug: bool = False
    last: Turn | None = None
    payloads: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Greet, and say what the person should know (a store that is away, a stale model)."""
        self.conversation_id = self.conversation_id or new_id()
        for notice in self.assistant.notices:
            self.terminal.note(notice)
        self.terminal.welcome(self.assistant.name)

    async def end(self) -> None:
        """Take leave."""
        self.terminal.farewell()

    async def respond(self, line: str) -> bool:
        """Answer one line; False when the session is to end. An empty line says nothing.

        An error that a person can act on is shown and the session goes on.
        """
        text = line.strip("\r\n")
        if not text.strip():
            return True
        try:
            command, _, rest = text.strip().partition(" ")
            if command in ("/quit", "/exit"):
                return False
            if command in COMMANDS:
                await self._command(command, rest.strip())
            else:
                self._refuse_unknown(command)
                await self._say(self._message_text(text))
        except AgentError as error:
            self.terminal.error(str(error))
        return True

    async def _command(self, command: str, rest: str) -> None:
        handlers: dict[str, Callable[[str], Awaitable[None]]] = {
            "/why": self._why,
            "/wrong": self._wrong,
            "/good": self._good,
            "/slots": self._slots,
            "/save": self._save,
            "/restart": self._restart,
            "/help": self._help,
        }
        await handlers[command](rest)

    def _refuse_unknown(self, command: str) -> None:
        """Refuse `/name` that is neither a command nor an intent; `//name` is sent as it is."""
        name = re.split(r"[{@]", command[1:], maxsplit=1)[0]
        if not command.startswith("/") or command.startswith("//") or not name:
            return
        known = {*self.assistant.intents, *BUILTIN_INTENTS}
        known |= {intent.partition("/")[0] for intent in known}
        if name not in known:
            raise AgentError(f"/{name} is no command and no intent: /help lists the commands")

    def _message_text(self, text: str) -> str:
        """The message a line stands for: a button's payload by its number, `//x` as `/x`."""
        stripped = text.strip()
        if stripped.isdecimal() and 1 <= int(stripped) <= len(self.payloads):
            return self.payloads[int(stripped) - 1]
        return stripped[1:] if stripped.startswith("//") else text

    async def _say(self, text: str) -> None:
        assert self.conversation_id is not None
        message = Message(new_id(), self.conversation_id, text, channel="cmdline")
        with self.terminal.thinking(), listening(self.terminal.write):
            turn = await self.assistant.manager.handle(message, self.terminal.hear)
        await self.take(turn)

    async def take(self, turn: Turn) -> None:
        """Show a turn, also one that a reminder began, and keep it for commands about it."""
        self.last = turn
        self.payloads = self.terminal.show(turn)
        if self.debug:
            self.terminal.why(turn)

    async def _why(self, _: str) -> None:
        turn = self._last_turn()
        interpreter = self.assistant.brains.loaded.interpreter
        self.terminal.why(turn, interpreter.explain(turn.message.text))

    async def _good(self, _: str) -> None:
        turn = self._last_turn()
        await self.assistant.feedback.thumbs(turn, up=True)
        self.terminal.note("Noted, thank you.")

    async def _wrong(self, rest: str) -> None:
        await Corrector(self.assistant, self.terminal).correct(self._last_turn(), rest)

    async def _slots(self, _: str) -> None:
        assert self.conversation_id is not None
        self.terminal.slots(await self.assistant.slots(self.conversation_id))

    async def _save(self, rest: str) -> None:
        """Add the conversation to a file of test stories (`train`: of stories to train from)."""
        assert self.conversation_id is not None
        first, _, file = rest.partition(" ")
        to_train = first == "train"
        name = (file if to_train else rest).strip()
        path = Path(name) if name else self.assistant.root / _SAVED[to_train]
        tracker = await self.assistant.tracker(self.conversation_id)
        stories = stories_of(f"Conversation {self.conversation_id[:8]}", tracker, to_train=to_train)
        if not stories:
            raise AgentError("nothing was said yet")
        add_to_file(path, stories)
        self.terminal.note(f"Saved in {path}.")

    async def _restart(self, _: str) -> None:
        assert self.conversation_id is not None
        message = Message(new_id(), self.conversation_id, "/restart", channel="cmdline")
        turn = await self.assistant.manager.handle(message)
        if turn.replies:
            self.terminal.show(turn)
        self.last, self.payloads = None, []
        self.terminal.note("The conversation begins again.")

    async def _help(self, _: str) -> None:
        self.terminal.help(COMMANDS)

    def _last_turn(self) -> Turn:
        if self.last is None:
            raise AgentError("there is no answer yet: write a message first")
        return self.last
