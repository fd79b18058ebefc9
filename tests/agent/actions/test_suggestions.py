from typing import Any

import pytest

from agent.actions.knowledge import unknown
from agent.actions.suggestions import doors, suggestions, title_of
from agent.project.types import Domain, Intent
from agent.prompts.templates import load_templates
from agent.turn import DOORS, Button
from tests.agent.actions.fakes import domain, heard


def titled() -> Domain:
    intents = {
        "loan": Intent("loan", title="Ask for a loan"),
        "out_of_scope": Intent("out_of_scope", title="Something else"),
        "faq": Intent(
            "faq", is_retrieval=True, title="A question", answer_titles={"iban": "Find my IBAN"}
        ),
    }
    return domain(intents=intents)


def ranked(*scores: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"name": name, "confidence": confidence} for name, confidence in scores]


def test_an_answer_is_suggested_by_its_title() -> None:
    selected = {"faq": {"response": {"intent_response_key": "faq/iban"}}}
    message = heard("number?", intent_ranking=ranked(("faq", 0.6)), response_selector=selected)
    assert suggestions(message, titled()) == (Button("Find my IBAN", "/faq/iban"),)
    assert title_of("faq/iban", titled()) == "Find my IBAN"
    assert title_of("faq/opening_hours", titled()) == "Opening hours"


@pytest.mark.parametrize(
    ("scores", "in_scope"),
    [
        ((("loan", 0.33),), 0.05),
        ((("loan", 0.05),), 0.9),
        ((("out_of_scope", 0.7), ("loan", 0.3)), 0.7),
        ((("nlu_fallback", 0.9), ("out_of_scope", 0.7), ("loan", 0.3)), 0.7),
        ((), 1.0),
    ],
)
def test_gibberish_and_foreign_subjects_suggest_nothing(
    scores: tuple[tuple[str, float], ...], in_scope: float
) -> None:
    message = heard("blah", intent_ranking=ranked(*scores), in_scope=in_scope)
    assert suggestions(message, titled()) == ()


def test_an_unsure_message_suggests_what_comes_nearest() -> None:
    scores = ranked(("nlu_fallback", 0.6), ("loan", 0.4), ("out_of_scope", 0.3))
    message = heard("money?", intent_ranking=scores, in_scope=0.4)
    assert suggestions(message, titled()) == (Button("Ask for a loan", "/loan"),)


def test_a_second_guess_may_be_less_likely_than_the_first() -> None:
    sure = titled().intents
    known = domain(intents={**sure, "card": Intent("card", title="A card")})
    scores = ranked(("loan", 0.4), ("card", 0.04))
    assert [b.title for b in suggestions(heard("m", intent_ranking=scores), known)] == [
        "Ask for a loan",
        "A card",
    ]


def test_the_first_titled_intents_lead_on_where_nothing_can_be_guessed() -> None:
    assert doors(titled()) == (Button("Ask for a loan", "/loan"),)
    assert doors(domain(intents={"greet": Intent("greet")})) == ()


def test_a_reply_says_whether_its_buttons_guess_or_lead_on() -> None:
    templates = load_templates(None)
    sure = heard("m", intent_ranking=ranked(("loan", 0.4)))
    for message, leads_on in ((sure, False), (heard("m"), True)):
        reply = unknown(message, titled(), templates, recipient="c").reply
        assert reply is not None
        assert reply.buttons == (Button("Ask for a loan", "/loan"),)
        assert bool(reply.metadata.get(DOORS)) is leads_on


@pytest.mark.parametrize(
    ("proposal", "expected"),
    [
        ({"intent": "faq/iban", "trust": 0.5}, ("/faq/iban", "/loan")),
        ({"intent": "loan", "trust": 0.6}, ("/loan",)),
        ({"intent": "faq/iban", "trust": 0.4}, ("/loan",)),
        ({"intent": "out_of_scope", "trust": 0.9}, ("/loan",)),
        ({"intent": "untitled", "trust": 0.9}, ("/loan",)),
        ({"intent": "unknown", "trust": 0.9}, ("/loan",)),
    ],
)
def test_what_a_language_model_proposed_is_offered_first(
    proposal: dict[str, Any], expected: tuple[str, ...]
) -> None:
    known = domain(intents={**titled().intents, "untitled": Intent("untitled")})
    message = heard("money?", intent_ranking=ranked(("loan", 0.4)), proposal=proposal)
    assert tuple(button.payload for button in suggestions(message, known)) == expected


def test_a_proposal_is_offered_although_the_network_thinks_it_foreign() -> None:
    message = heard(
        "munched?",
        intent_ranking=ranked(("out_of_scope", 0.9)),
        proposal={"intent": "loan", "trust": 0.5},
    )
    assert suggestions(message, titled()) == (Button("Ask for a loan", "/loan"),)
