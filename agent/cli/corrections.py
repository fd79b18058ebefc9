"""`/wrong`: a reviewer at the terminal puts a turn right."""

from dataclasses import dataclass

from agent.assemble import Assistant
from agent.cli.terminal import Terminal
from agent.errors import InputError
from agent.feedback.correction import INTENT_NAME
from agent.project import parse_markup
from agent.project.types import EntityAnnotation
from agent.turn import FALLBACK_INTENT, Turn

_CHOICES = 5


@dataclass(slots=True)
class Corrector:
    """Asks what is right about a turn, or takes it from the command's argument."""

    assistant: Assistant
    terminal: Terminal

    async def correct(self, turn: Turn, argument: str) -> None:
        """Record a correction; it is accepted at once, as the terminal's user is a reviewer.

        Args:
            turn: the turn to correct.
            argument: an intent, `say TEXT`, `mark TEXT with [spans](label)`, or nothing to be
                asked.

        Raises:
            InputError: nothing to correct, an unknown intent, or spans that do not fit.
        """
        if not turn.message.text.strip():
            raise InputError("the last message was empty: there is nothing to correct")
        argument = argument or await self._ask(turn)
        if not argument:
            self.terminal.note("Nothing changed.")
            return
        word, _, rest = argument.partition(" ")
        if word in ("say", "mark") and not rest.strip():
            what = "The right answer: " if word == "say" else "The message with [spans](label): "
            rest = await self.terminal.ask(what)
        if word in ("say", "mark") and not rest.strip():
            self.terminal.note(f"Nothing changed: write /wrong {word} and the text.")
        elif word == "say":
            await self._record(turn, answer=rest.strip())
        elif word == "mark":
            await self._record(turn, entities=self._marked(turn, rest.strip()))
        else:
            await self._record(turn, intent=await self._intent(argument.strip()))

    async def _ask(self, turn: Turn) -> str:
        """Show the likely intents and read the choice."""
        likely = self._likely(turn)
        titles = [f"{self.assistant.title(intent)} ({intent})" for intent in likely]
        self.terminal.choices("What did you mean?", titles)
        answer = await self.terminal.ask(
            "A number, an intent's name, «say» and the right answer, or «mark» and the message "
            "with [spans](label): ",
            words=self.assistant.intents,
        )
        answer = answer.strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(likely):
            return likely[int(answer) - 1]
        return answer

    def _likely(self, turn: Turn) -> list[str]:
        """The best intents of the turn; for a retrieval intent its best keys."""
        found: dict[str, None] = {}
        for score in turn.understanding.ranking:
            keys = turn.understanding.responses.get(score.intent, ())
            found |= dict.fromkeys([key.intent for key in keys[:2]] or [score.intent])
        known = set(self.assistant.intents) - {FALLBACK_INTENT}
        return [intent for intent in found if intent in known][:_CHOICES]

    async def _intent(self, name: str) -> str:
        """The intent meant by a name or a title; a new one is asked about first."""
        by_title = {self.assistant.title(i).casefold(): i for i in self.assistant.intents}
        known = by_title.get(name.casefold(), name)
        if known in self.assistant.intents:
            return known
        if not INTENT_NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no intent of this assistant, and no name for a new one: pick one "
                "with /wrong alone, or write the right answer with /wrong say TEXT"
            )
        question = f"{name!r} is no intent of this assistant. Add it as a new one? [y/N] "
        if (await self.terminal.ask(question)).strip().lower() in ("y", "yes"):
            return name
        close = ", ".join(self.assistant.similar_intents(name))
        raise InputError(f"unknown intent {name!r}" + (f"; did you mean {close}?" if close else ""))

    def _marked(self, turn: Turn, markup: str) -> tuple[EntityAnnotation, ...]:
        text, entities = parse_markup(markup)
        if text.strip() != turn.message.text.strip():
            raise InputError(
                f"the marked text reads {text!r}, the message was {turn.message.text!r}: "
                "write the same message, with brackets around the spans"
            )
        lead = len(turn.message.text) - len(turn.message.text.lstrip())
        return tuple(
            EntityAnnotation(e.start + lead, e.end + lead, e.label, e.value, e.role, e.group)
            for e in entities
        )

    async def _record(
        self,
        turn: Turn,
        *,
        intent: str | None = None,
        entities: tuple[EntityAnnotation, ...] | None = None,
        answer: str | None = None,
    ) -> None:
        correction = await self.assistant.feedback.correct(
            turn, intent=intent, entities=entities, answer=answer
        )
        what = f"as {self.assistant.title(intent)}" if intent else "as you said"
        self.terminal.note(
            f"Remembered: this message will be taken {what} from now on "
            f"(correction {correction.id[:8]})."
        )
