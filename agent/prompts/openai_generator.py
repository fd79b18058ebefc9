"""Texts from a language model behind an OpenAI-compatible endpoint, streamed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from agent.errors import GeneratorError, PromptError
from agent.prompts.generator import OnText, without_thoughts

# So many characters a token are read at most: a model that does not stop is stopped.
CHARACTERS_PER_TOKEN = 16
CONNECT_TIMEOUT_S = 5.0
SHOWN_CHARACTERS = 160
# What servers answer to a prompt that is too long for the model.
REFUSED = (400, 413, 422)


class OpenAIGenerator:
    """Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama and others.

    Args:
        url: the address up to and including `/v1`.
        model: the name the server knows the model by.
        api_key: sent as a bearer token; empty sends none.
        timeout_s: seconds for the whole answer.
        max_tokens: the longest answer that is asked for.
    """

    def __init__(
        self, url: str, model: str, *, api_key: str = "", timeout_s: float, max_tokens: int
    ) -> None:
        self._url, self._model = url.rstrip("/") + "/chat/completions", model
        self._timeout_s, self._max_tokens = timeout_s, max_tokens
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # Environment proxies are not for a server that the settings name.
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            trust_env=False,
        )

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        """The model's whole answer, streamed; see `Generator.generate`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._collect(system, user, on_text or (lambda _: None))
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise GeneratorError(f"{self._url} gave no answer in {self._timeout_s:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise GeneratorError(f"{self._url} cannot be used ({reason})") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _collect(self, system: str, user: str, on_text: OnText) -> str:
        body = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "stream": True,
            "temperature": 0,
            "max_tokens": self._max_tokens,
        }
        pieces: list[str] = []
        async with self._client.stream("POST", self._url, json=body) as response:
            if response.status_code != 200:
                said = " ".join((await response.aread()).decode(errors="replace").split())
                shown = said[:SHOWN_CHARACTERS] or "nothing"
                kind = PromptError if response.status_code in REFUSED else GeneratorError
                raise kind(f"{self._url} answered {response.status_code}: {shown}")
            async for piece in self._pieces(response):
                pieces.append(piece)
                on_text(piece)
                if sum(map(len, pieces)) > self._max_tokens * CHARACTERS_PER_TOKEN:
                    raise GeneratorError(f"{self._url} does not stop")
        return without_thoughts("".join(pieces)).strip()

    async def _pieces(self, response: httpx2.Response) -> AsyncIterator[str]:
        """The answer's pieces: of an event stream, or one from a server that does not stream."""
        if "event-stream" not in response.headers.get("content-type", ""):
            yield _content(self._json((await response.aread()).decode()), "message")
            return
        async for line in response.aiter_lines():
            name, _, data = line.partition(":")
            if name != "data" or not data.strip():
                continue
            if data.strip() == "[DONE]":
                return
            chunk = self._json(data)
            yield _content(chunk, "delta")
            if _finished(chunk):
                return
        raise GeneratorError(f"{self._url} broke off in the middle of its answer")

    def _json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            shown = " ".join(text.split())[:SHOWN_CHARACTERS]
            raise GeneratorError(f"{self._url} answered no JSON: {shown}") from error


def _choice(chunk: Any) -> dict[str, Any]:
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else {}
    return first if isinstance(first, dict) else {}


def _content(chunk: Any, part: str) -> str:
    if isinstance(chunk, dict) and chunk.get("error"):
        raise GeneratorError(f"the model failed: {str(chunk['error'])[:SHOWN_CHARACTERS]}")
    said = _choice(chunk).get(part)
    text = said.get("content") if isinstance(said, dict) else None
    return text if isinstance(text, str) else ""


def _finished(chunk: Any) -> bool:
    return bool(_choice(chunk).get("finish_reason"))
