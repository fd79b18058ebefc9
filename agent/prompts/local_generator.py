"""Texts from a language model in this process.                    [door: torch, transformers]."""

import asyncio
import threading
from typing import Any

from jinja2 import TemplateError

from agent.errors import GeneratorError, PromptError
from agent.prompts.generator import OnText, without_thoughts

# With less room than this for an answer, none is begun.
LEAST_TOKENS = 32


class TransformersGenerator:
    """A causal language model by name or folder, loaded at the first text it is asked for.

    One text at a time is made; others wait for it, within their own time.

    Args:
        model: a name of the model hub, or a folder.
        timeout_s: seconds for the whole answer, loading included.
        max_tokens: the longest answer.
    """

    def __init__(self, model: str, *, timeout_s: float, max_tokens: int) -> None:
        self._name, self._timeout_s, self._max_tokens = model, timeout_s, max_tokens
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's whole answer; see `agent.prompts.generator.Generator.generate`."""
        given_up = threading.Event()
        told = on_text and _on_loop(on_text, asyncio.get_running_loop())
        running = asyncio.to_thread(self._generate, system, user, told, given_up)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await running
        except TimeoutError as error:
            message = f"the model {self._name} gave no answer in {self._timeout_s:g} s"
            raise GeneratorError(message) from error
        finally:
            given_up.set()  # a thread cannot be stopped from outside

    async def load(self) -> None:
        """Load the model now; raises GeneratorError where it cannot be loaded."""
        await asyncio.to_thread(self._load_alone)

    async def close(self) -> None:
        """Let the model go."""
        self._loaded = None

    def _load_alone(self) -> None:
        with self._lock:
            self._load()

    def _generate(
        self, system: str, user: str, told: OnText | None, given_up: threading.Event
    ) -> str:
        with self._lock:
            tokenizer, model = self._load()
            try:
                said = self._written(tokenizer, model, (system, user), told, given_up)
            except GeneratorError:
                raise
            except Exception as error:  # each kind of model fails in ways of its own
                raise GeneratorError(f"the model {self._name} failed ({_reason(error)})") from error
        return without_thoughts(said).strip()

    def _written(
        self,
        tokenizer: Any,
        model: Any,
        texts: tuple[str, str],
        told: OnText | None,
        given_up: threading.Event,
    ) -> str:
        prompt = _prompt(tokenizer, *(_plain(tokenizer, text) for text in texts))
        own_marks = not tokenizer.chat_template  # a chat template writes its own
        inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=own_marks)
        ids = inputs["input_ids"].to(model.device)  # (1, T)
        tokens = model.generate(
            ids,
            attention_mask=inputs["attention_mask"].to(model.device),
            max_new_tokens=self._room(model, ids.shape[1]),
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            stopping_criteria=[_StopWhen(given_up)],
            streamer=_streamer(tokenizer, told),
        )
        text: str = tokenizer.decode(tokens[0, ids.shape[1] :], skip_special_tokens=True)
        return text

    def _room(self, model: Any, prompt_tokens: int) -> int:
        """How many tokens the answer may have.

        Raises:
            PromptError: the prompt does not fit. It is never cut: that would take away the
                instructions, which say what is data.
        """
        window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        room = self._max_tokens if window is None else min(self._max_tokens, window - prompt_tokens)
        if room < min(self._max_tokens, LEAST_TOKENS):
            raise PromptError(
                f"the prompt has {prompt_tokens} tokens, and the model {self._name} reads "
                f"{window} with its answer"
            )
        return room

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            # torch takes seconds to load; only assistants with such a generator pay for it.
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()
            device = "cuda" if torch.cuda.is_available() else "cpu"
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._name)
                model = AutoModelForCausalLM.from_pretrained(self._name).to(device).eval()
            except Exception as error:  # each kind of model fails in ways of its own
                message = f"{self._name!r} cannot be loaded ({_reason(error)})"
                raise GeneratorError(message) from error
            self._loaded = (tokenizer, model)
        return self._loaded


def _on_loop(on_text: OnText, loop: asyncio.AbstractEventLoop) -> OnText:
    """A listener that a thread may call; the one who listens lives on the loop."""

    def tell(text: str) -> None:
        loop.call_soon_threadsafe(on_text, text)

    return tell


class _StopWhen:
    """Stops a text that nobody waits for any longer, so that others need not wait for it."""

    def __init__(self, given_up: threading.Event) -> None:
        self._given_up = given_up

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        late = self._given_up.is_set()
        return torch.full((input_ids.shape[0],), late, device=input_ids.device)


def _prompt(tokenizer: Any, system: str, user: str) -> str:
    """The conversation as the model's own template has it, else one after the other."""
    if not tokenizer.chat_template:
        return f"{system}\n\n{user}\n\n"
    try:
        return _templated(
            tokenizer, [{"role": "system", "content": system}, {"role": "user", "content": user}]
        )
    except TemplateError:  # some models know no instruction beside the message
        return _templated(tokenizer, [{"role": "user", "content": f"{system}\n\n{user}"}])


def _templated(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    text: str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return text


def _plain(tokenizer: Any, text: str) -> str:
    """The text with the model's control words broken up: nobody else may give commands by them."""
    marks = [str(one) for one in tokenizer.added_tokens_decoder.values() if one.special]
    for mark in {*marks, *tokenizer.all_special_tokens}:
        if len(mark) > 1:
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__


def _streamer(tokenizer: Any, told: OnText | None) -> Any:
    if told is None:
        return None
    from transformers import TextStreamer

    class Telling(TextStreamer):  # type: ignore[misc]  # the library has no types
        tell: OnText

        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            self.tell(text)

    streamer = Telling(tokenizer, skip_prompt=True, skip_special_tokens=True)
    streamer.tell = told
    return streamer
