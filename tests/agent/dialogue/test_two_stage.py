"""The two-stage fallback, from the first doubt to giving up or being understood."""

from agent.dialogue import Tracker
from agent.dialogue.events import Event, UserUttered
from agent.dialogue.two_stage import run_two_stage_fallback
from tests.agent.dialogue.talk import Actions, domain, listened, loop, ran, says

LOOP = "action_two_stage_fallback"
DOMAIN = domain()
DOUBT = [listened(), says("nlu_fallback", "blorp")]
ASKED = [ran(LOOP), loop(LOOP), listened()]


async def run(*events: Event) -> tuple[list[Event], list[str]]:
    actions = Actions(action_default_fallback=[[]])
    result = await run_two_stage_fallback(Tracker("test", DOMAIN, events), actions)
    return list(result.events), actions.called


async def test_the_first_doubt_asks_whether_the_best_guess_is_meant() -> None:
    events, called = await run(*DOUBT)
    assert called == ["action_default_ask_affirmation"]
    assert [event.kind for event in events] == ["active_loop", "bot"]


async def test_a_denial_asks_to_rephrase() -> None:
    _, called = await run(*DOUBT, *ASKED, says("out_of_scope"))
    assert called == ["action_default_ask_rephrase"]


async def test_a_doubt_after_rephrasing_asks_a_second_time() -> None:
    denied = [*DOUBT, *ASKED, says("out_of_scope"), ran(LOOP), listened()]
    _, called = await run(*denied, says("nlu_fallback", "blarp"))
    assert called == ["action_default_ask_affirmation"]


async def test_a_second_denial_gives_up() -> None:
    denied = [*DOUBT, *ASKED, says("out_of_scope"), ran(LOOP), listened()]
    again = [*denied, says("nlu_fallback"), ran(LOOP), listened(), says("out_of_scope")]
    events, called = await run(*again)
    assert called == ["action_default_fallback"]
    assert [event.to_dict().get("name") for event in events] == [None]


async def test_two_doubts_in_a_row_give_up() -> None:
    _, called = await run(*DOUBT, *ASKED, says("nlu_fallback", "blarp"))
    assert called == ["action_default_fallback"]


async def test_a_message_that_is_understood_stands_as_if_there_had_been_no_doubt() -> None:
    events, called = await run(*DOUBT, *ASKED, says("order", "a pizza"))
    assert called == []
    assert [event.kind for event in events] == ["active_loop", "rewind", "action", "user"]
    message = events[-1]
    assert isinstance(message, UserUttered)
    assert message.parse_data["intent"] == {"name": "order", "confidence": 1.0}
    talk = Tracker("test", DOMAIN, [*DOUBT, *ASKED, says("order", "a pizza"), ran(LOOP), *events])
    assert talk.active_loop is None
    assert talk.latest_message == message
