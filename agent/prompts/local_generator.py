"""Texts from a language model in this process.                    [door: torch, transformers]."""

import asyncio
import threading
import time
from typing import Any

from agent.errors import GeneratorError
from agent.prompts.generator import OnText


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
        deadline = time.monotonic() + self._timeout_s
        told = on_text and _on_loop(on_text, asyncio.get_running_loop())
        running = asyncio.to_thread(self._generate, system, user, told, deadline)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await running
        except TimeoutError as error:
            message = f"the model {self._name} gave no answer in {self._timeout_s:g} s"
            raise GeneratorError(message) from error

    async def close(self) -> None:
        """Let the model go."""
        self._loaded = None

    def _generate(self, system: str, user: str, told: OnText | None, deadline: float) -> str:
        with self._lock:
            tokenizer, model = self._load()
            prompt = _prompt(tokenizer, system, user)
            inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
            room = model.config.max_position_embeddings - self._max_tokens
            inputs = {name: ids[:, -room:].to(model.device) for name, ids in inputs.items()}
            tokens = model.generate(
                **inputs,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
                stopping_criteria=[_StopAt(deadline)],
                streamer=_streamer(tokenizer, told),
            )
        if time.monotonic() > deadline:
            raise TimeoutError
        text: str = tokenizer.decode(
            tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return text.strip()

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
            except (OSError, ValueError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise GeneratorError(f"{self._name!r} cannot be loaded ({reason})") from error
            self._loaded = (tokenizer, model)
        return self._loaded


def _on_loop(on_text: OnText, loop: asyncio.AbstractEventLoop) -> OnText:
    """A listener that a thread may call; the one who listens lives on the loop."""

    def tell(text: str) -> None:
        loop.call_soon_threadsafe(on_text, text)

    return tell


class _StopAt:
    """Stops a text that is not ready in time, so that its thread does not go on for nobody."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        late = time.monotonic() > self._deadline
        return torch.full((input_ids.shape[0],), late, device=input_ids.device)


def _prompt(tokenizer: Any, system: str, user: str) -> str:
    """The conversation as the model's own template has it, else one after the other."""
    if not tokenizer.chat_template:
        return f"{system}\n\n{user}\n\n"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


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
