"""Which intents "that's wrong" offers."""

from agent.project.types import Domain, Intent
from agent.turn import IntentScore, Understanding
from agent.web.api import likely_intents


def heard(*names: str) -> Understanding:
    return Understanding("hm", tuple(IntentScore(name, 0.5) for name in names))


TITLED = Domain(
    intents={
        "balance": Intent("balance", title="My balance"),
        "send": Intent("send", title="Send money"),
        "affirm": Intent("affirm"),
    }
)


def test_what_has_no_title_is_not_offered_and_what_was_acted_on_comes_last() -> None:
    assert likely_intents(heard("balance", "affirm", "send"), TITLED) == ["send", "balance"]
    assert likely_intents(heard("nlu_fallback", "affirm", "send"), TITLED) == ["send"]


def test_a_project_without_titles_offers_the_names() -> None:
    domain = Domain(intents={name: Intent(name) for name in ("balance", "affirm")})
    assert likely_intents(heard("balance", "affirm"), domain) == ["affirm", "balance"]
