import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.errors import GeneratorError, PromptError
from agent.prompts.openai_generator import OpenAIGenerator
from tests.agent.prompts.model_server import DONE, HEAD, ModelServer, chunk, model_server


@asynccontextmanager
async def model(
    *pieces: bytes, timeout_s: float = 5.0, pause_s: float = 0.0, api_key: str = ""
) -> AsyncIterator[tuple[OpenAIGenerator, ModelServer]]:
    """A server that writes the pieces one by one and hangs up, and a generator that asks it."""
    async with model_server(list(pieces), pause_s=pause_s) as server:
        generator = OpenAIGenerator(
            server.url + "/", "tiny", api_key=api_key, timeout_s=timeout_s, max_tokens=10
        )
        yield generator, server
        await generator.close()


async def test_pieces_of_a_stream_are_told_and_joined() -> None:
    told: list[str] = []
    pieces = [HEAD, b": comment\n\n", chunk("Two "), chunk("euros."), DONE]
    async with model(*pieces, api_key="secret") as (generator, server):
        assert await generator.generate("Be brief.", "Fee?", on_text=told.append) == "Two euros."
    assert told == ["Two ", "euros."]
    head, sent = server.requests[0]
    assert head.startswith(b"POST /v1/chat/completions ")
    assert b"Bearer secret" in head
    assert (sent["model"], sent["stream"], sent["temperature"], sent["max_tokens"]) == (
        "tiny",
        True,
        0,
        10,
    )
    assert [message["content"] for message in sent["messages"]] == ["Be brief.", "Fee?"]


async def test_a_finish_reason_ends_an_answer_as_well() -> None:
    async with model(HEAD, chunk("Two."), chunk("", "stop")) as (generator, _):
        assert await generator.generate("", "") == "Two."


async def test_a_server_that_does_not_stream_is_understood() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Two."}}]}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with model(head.encode() + body) as (generator, _):
        assert await generator.generate("", "") == "Two."


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([HEAD, chunk("Two")], "broke off"),
        ([HEAD, b"data: {\n\n"], "no JSON"),
        ([HEAD, b'data: {"error": {"message": "no memory"}}\n\n'], "no memory"),
        ([HEAD, *[chunk("x" * 50)] * 9, DONE], "does not stop"),
        ([b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"], "answered 503: busy"),
        ([b"nonsense\r\n\r\n"], "cannot be used"),
        ([], "cannot be used"),
    ],
)
async def test_what_cannot_be_used_is_an_error_with_its_reason(
    pieces: list[bytes], reason: str
) -> None:
    async with model(*pieces) as (generator, _):
        with pytest.raises(GeneratorError, match=reason):
            await generator.generate("", "")


async def test_a_slow_stream_is_given_up_although_pieces_come() -> None:
    async with model(HEAD, *[chunk("x")] * 50, timeout_s=0.3, pause_s=0.1) as (generator, _):
        with pytest.raises(GeneratorError, match="gave no answer in"):
            await generator.generate("", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "nonsense", "http://[::bad/v1"])
async def test_no_server_is_an_error_with_its_reason(url: str) -> None:
    generator = OpenAIGenerator(url, "tiny", timeout_s=2.0, max_tokens=10)
    with pytest.raises(GeneratorError, match="cannot be used"):
        await generator.generate("", "")
    await generator.close()


async def test_odd_chunks_without_text_are_passed_over() -> None:
    odd = [b"data: 5\n\n", b'data: {"choices": []}\n\n', b'data: {"choices": [7]}\n\n']
    async with model(HEAD, *odd, chunk("Two."), DONE) as (generator, _):
        assert await generator.generate("", "") == "Two."


async def test_a_prompt_that_the_server_refuses_is_told_from_a_server_that_fails() -> None:
    refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\ntoo long"
    async with model(refused) as (generator, _):
        with pytest.raises(PromptError, match="400: too long"):
            await generator.generate("", "")


async def test_what_a_model_thinks_aloud_is_no_part_of_its_answer() -> None:
    thoughts = [chunk("<think>One or"), chunk(" two?</think>\n\n"), chunk("Two.")]
    async with model(HEAD, *thoughts, DONE) as (generator, _):
        assert await generator.generate("", "") == "Two."
