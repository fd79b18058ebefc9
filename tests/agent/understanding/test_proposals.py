import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from agent.errors import GeneratorError
from agent.feedback.correction import Correction
from agent.project.types import Domain, EntityType, Intent
from agent.prompts.openai_generator import OpenAIGenerator
from agent.prompts.templates import load_templates
from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.interpreter import Interpreter
from agent.understanding.memory import CorrectionMemory, MemoryEntry
from agent.understanding.proposals import Proposer, read_proposal
from agent.understanding.track_record import TrackRecord
from tests.agent.prompts.model_server import HEAD, ModelServer, chunk, model_server, streamed

DOMAIN = Domain(
    intents={
        "loan": Intent("loan", description="Wants to borrow money."),
        "card": Intent("card"),
        "faq": Intent("faq", is_retrieval=True, answer_titles={"iban": "Find my IBAN"}),
    },
    entities={
        "amount": EntityType("amount", description="How much money."),
        "city": EntityType("city"),
    },
)
TEXT = "I am short of 500 euros this month"
UNSURE = Understanding(
    text=TEXT,
    ranking=tuple(
        IntentScore(name, score)
        for name, score in (("nlu_fallback", 0.7), ("card", 0.3), ("loan", 0.2), ("faq", 0.1))
    ),
    in_scope=0.3,
    model_version="m1",
)


def interpreter() -> Interpreter:
    """An interpreter with one correction and one example, without a network."""
    memory = CorrectionMemory(lambda texts: np.ones((len(texts), 4), dtype=np.float32))
    memory.add(MemoryEntry("c1", "lend me a hundred", "loan"))
    examples = SimpleNamespace(texts=("block my card",), intents=np.array(["card"]))
    spec = SimpleNamespace(responses=("faq/iban", "faq/hours"))
    return cast(
        Interpreter,
        SimpleNamespace(
            memory=memory,
            names=frozenset({"person"}),
            spec=spec,
            network=SimpleNamespace(examples=examples),
            encode=lambda texts: np.ones((len(texts), 4), dtype=np.float32),
        ),
    )


def proposer(server: ModelServer, *, trust: float = 0.0, calls: int = 99) -> Proposer:
    left = iter([True] * calls)
    generator = OpenAIGenerator(server.url, "tiny", timeout_s=0.5, max_tokens=200)
    record = TrackRecord()
    return Proposer(generator, load_templates(), record, lambda: next(left, False), trust)


async def consult(one: Proposer, heard: Understanding = UNSURE) -> Understanding:
    return await one.consult(heard, interpreter(), DOMAIN)


def answer(**fields: Any) -> list[bytes]:
    return streamed(json.dumps(fields))


LOAN = answer(intent="loan", entities=[{"label": "amount", "text": "500 euros"}])


async def test_the_model_is_told_intents_entities_and_corrections() -> None:
    async with model_server(LOAN) as server:
        await consult(proposer(server))
    system, user = (m["content"] for m in server.requests[0][1]["messages"])
    assert user == TEXT
    assert "- loan: Wants to borrow money." in system
    assert '- card (for example: "block my card")' in system
    assert "- faq/iban: Find my IBAN" in system
    assert "\n- amount: How much money.\n- city\n" in system
    assert '"lend me a hundred" means loan' in system
    assert "nlu_fallback" not in system


async def test_a_trusted_proposal_decides_with_its_trust_as_confidence() -> None:
    async with model_server(LOAN) as server:
        heard = await consult(proposer(server, trust=0.5))
    assert heard.intent is not None
    assert heard.intent.intent == "loan"
    assert heard.intent.confidence >= 0.5
    assert heard.source == "proposal"
    (entity,) = heard.entities
    assert (entity.label, entity.text, entity.extractor) == (
        "amount",
        "500 euros",
        "language model",
    )
    assert TEXT[entity.start : entity.end] == "500 euros"
    assert heard.proposal is not None
    assert heard.proposal.used
    assert heard.proposal.prompt.startswith("understand@")


async def test_an_untrusted_proposal_is_only_noted() -> None:
    async with model_server(LOAN) as server:
        heard = await consult(proposer(server, trust=0.6))
    assert heard.proposal is not None
    assert (heard.proposal.intent, heard.proposal.used, heard.proposal.trust) == (
        "loan",
        False,
        0.5,
    )
    assert replace(heard, proposal=None) == UNSURE


async def test_an_answer_s_key_moves_the_answers_too() -> None:
    async with model_server(answer(intent="faq/iban", entities=[])) as server:
        heard = await consult(proposer(server))
    assert heard.intent is not None
    assert heard.intent.intent == "faq"
    assert heard.responses["faq"][0].intent == "faq/iban"


async def test_spans_that_the_network_found_stay() -> None:
    found = Entity("amount", 14, 17, "500", 500)
    async with model_server(LOAN) as server:
        heard = await consult(proposer(server), replace(UNSURE, entities=(found,)))
    assert heard.entities == (found,)


@pytest.mark.parametrize(
    "pieces",
    [
        streamed("I think this is a loan."),
        streamed('{"intent": "loan"'),
        streamed('["loan"]'),
        answer(intent="robbery"),
        answer(intent=["loan"]),
        streamed(""),
        [HEAD, chunk('{"intent": "lo')],
        [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"],
        [],
    ],
)
async def test_what_is_no_proposal_changes_nothing(pieces: list[bytes]) -> None:
    async with model_server(pieces) as server:
        assert await consult(proposer(server)) == UNSURE


async def test_a_slow_model_changes_nothing() -> None:
    slow = [HEAD, *[chunk(" ")] * 100]
    async with model_server(slow, pause_s=0.1) as server:
        assert await consult(proposer(server)) == UNSURE


async def test_nothing_fits_is_a_proposal_that_decides_nothing() -> None:
    async with model_server(answer(intent="none", entities=[])) as server:
        heard = await consult(proposer(server))
    assert heard.proposal is not None
    assert heard.proposal.intent is None
    assert heard.ranking == UNSURE.ranking


async def test_a_message_is_asked_about_once() -> None:
    async with model_server(LOAN) as server:
        one = proposer(server)
        first, second = await consult(one), await consult(one)
        other = await consult(one, replace(UNSURE, text=TEXT.upper() + "!"))
    assert first == second
    assert len(server.requests) == 1
    assert other.proposal is not None
    assert other.proposal.entities == ()


async def test_a_spent_day_asks_nothing() -> None:
    async with model_server(LOAN) as server:
        assert await consult(proposer(server, calls=0)) == UNSURE
    assert server.requests == []


@pytest.mark.parametrize(
    "heard",
    [
        replace(UNSURE, ranking=UNSURE.ranking[1:]),
        replace(UNSURE, ranking=()),
        replace(UNSURE, answer="This."),
    ],
)
async def test_only_messages_that_fell_back_are_asked_about(heard: Understanding) -> None:
    async with model_server(LOAN) as server:
        assert await consult(proposer(server), heard) == heard
    assert server.requests == []


def test_entities_that_are_not_there_are_left_out() -> None:
    given = [
        {"label": "amount", "text": "500"},
        {"label": "amount", "text": "500 euros"},
        {"label": "colour", "text": "short"},
        {"label": "amount", "text": "nowhere"},
        {"label": "amount", "text": ""},
        {"label": ["amount"], "text": "500"},
        "500",
    ]
    said = "Sure!\n```json\n" + json.dumps({"intent": "loan", "entities": given}) + "\n```"
    proposal = read_proposal(said, TEXT, ["loan"], ["amount"], "v")
    assert [entity.text for entity in proposal.entities] == ["500"]


def test_deep_nesting_is_no_proposal() -> None:
    with pytest.raises(GeneratorError, match="no JSON"):
        read_proposal('{"a":' * 100_000 + "}", TEXT, ["loan"], [], "v")


async def test_a_proposal_for_a_message_with_a_name_is_judged_by_its_masked_correction() -> None:
    name = Entity("person", 9, 12, "Ann", "Ann")
    heard = replace(UNSURE, text="lend me, Ann, some money", entities=(name,))
    async with model_server(LOAN) as server:
        one = proposer(server)
        await consult(one, heard)
    one.judge(
        Correction("lend me, <NAME>, some money", "intent", "ada", intent="loan", state="accepted")
    )
    assert one.record.trust() > 0.5
