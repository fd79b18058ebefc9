from typing import Any

import pytest

from agent.actions.types import ActionRejected, ActionResult, ActionServerReply
from agent.dialogue.events import (
    ActionExecuted,
    ActionReverted,
    ActiveLoop,
    AllSlotsReset,
    BotUttered,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
)
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError, AgentError
from agent.project.types import (
    Domain,
    Form,
    Intent,
    ResponseVariation,
    SessionConfig,
    Slot,
    SlotMapping,
)
from agent.turn import Button, Decision
from knowledge.passage import ScoredPassage
from tests.agent.actions.fakes import (
    ScriptedActions,
    ScriptedRetriever,
    domain,
    executor,
    heard,
    tracker,
)

V = ResponseVariation


async def run(name: str, on: Tracker, *args: Any) -> ActionResult:
    return await executor(on.domain, *args).run(Decision(name, "Test"), on, channel="rest")


def texts(result: ActionResult) -> list[str | None]:
    return [reply.text for reply in result.replies]


def kinds(result: ActionResult) -> list[str]:
    return [event.kind for event in result.events]


def with_response(name: str, text: str, **changes: Any) -> Domain:
    return domain(responses={name: (V(text=text),)}, **changes)


async def test_a_response_is_said_and_written_down() -> None:
    on = tracker(domain(), heard("hi", "greet"), SlotSet(name="name", value="Ada"))
    result = await run("utter_greet", on)
    assert texts(result) == ["Hello Ada!"]
    (event,) = result.events
    assert isinstance(event, BotUttered)
    assert event.metadata == {"utter_action": "utter_greet"}
    assert result.replies[0].recipient == "alice"


async def test_a_response_that_does_not_exist_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = await run("utter_missing", tracker(domain(), heard("hi", "greet")))
    assert result == ActionResult()
    assert "utter_missing" in caplog.text


@pytest.mark.parametrize("action", ["utter_faq", "respond_faq"])
async def test_a_retrieval_action_says_what_was_selected(action: str) -> None:
    selected = {"faq": {"response": {"utter_action": "utter_faq/hours"}}}
    on = tracker(domain(), heard("when?", "faq", response_selector=selected))
    assert texts(await run(action, on)) == ["From 9 to 5."]


async def test_a_retrieval_action_uses_the_default_selector_or_the_payload() -> None:
    default = {"default": {"response": {"utter_action": "utter_faq/hours"}}}
    on = tracker(domain(), heard("when?", "faq", response_selector=default))
    assert texts(await run("utter_faq", on)) == ["From 9 to 5."]
    assert texts(await run("utter_faq", tracker(domain(), heard("/x", "faq/hours")))) == [
        "From 9 to 5."
    ]
    assert texts(await run("utter_faq", tracker(domain(), heard("when?", "faq")))) == []


async def test_an_end_to_end_action_says_its_text() -> None:
    on = tracker(domain(e2e_actions=("Nice to meet you.",)), heard("hi", "greet"))
    assert texts(await run("Nice to meet you.", on)) == ["Nice to meet you."]


async def test_listening_does_nothing() -> None:
    assert await run("action_listen", tracker(domain())) == ActionResult()


async def test_a_restart_says_utter_restart_if_there_is_one() -> None:
    assert kinds(await run("action_restart", tracker(domain()))) == ["restart"]
    said = await run("action_restart", tracker(with_response("utter_restart", "Again!")))
    assert texts(said) == ["Again!"]
    assert isinstance(said.events[-1], Restarted)


async def test_going_back_undoes_two_messages() -> None:
    result = await run("action_back", tracker(with_response("utter_back", "Back.")))
    assert kinds(result) == ["bot", "rewind", "rewind"]


async def test_a_session_carries_the_slots_values_over() -> None:
    on = tracker(
        domain(),
        SlotSet(name="name", value="Old"),
        SlotSet(name="name", value="Ada", metadata={"m": 1}),
        SlotSet(name="city", value="Rome"),
        AllSlotsReset(),
        SlotSet(name="name", value="Bob"),
    )
    result = await run("action_session_start", on)
    assert isinstance(result.events[0], SessionStarted)
    assert isinstance(result.events[-1], ActionExecuted)
    after = tracker(domain(), *result.events)
    assert (after.slots["name"], after.slots["city"]) == ("Bob", None)


async def test_a_session_starts_empty_where_the_domain_says_so() -> None:
    fresh = domain(session=SessionConfig(carry_over_slots=False))
    result = await run("action_session_start", tracker(fresh, SlotSet(name="name", value="Ada")))
    assert kinds(result) == ["session_started", "action"]


async def test_deactivating_a_loop_ends_it_and_its_question() -> None:
    result = await run("action_deactivate_loop", tracker(domain()))
    loop, slot = result.events
    assert isinstance(loop, ActiveLoop)
    assert isinstance(slot, SlotSet)
    assert (loop.name, slot.name, slot.value) == (None, "requested_slot", None)


async def test_affirmation_asks_about_the_best_intent_that_is_no_fallback() -> None:
    ranking = [{"name": "nlu_fallback"}, {"name": "check_balance"}]
    on = tracker(domain(), heard("mony?", "nlu_fallback", intent_ranking=ranking))
    result = await run("action_default_ask_affirmation", on)
    assert texts(result) == ["Did you mean 'check_balance'?"]
    assert result.replies[0].buttons == (
        Button("Yes", "/check_balance"),
        Button("No", "/out_of_scope"),
    )


async def test_asking_to_rephrase_has_words_of_its_own() -> None:
    name = "action_default_ask_rephrase"
    assert "other words" in str(texts(await run(name, tracker(domain())))[0])
    own = with_response("utter_ask_rephrase", "Pardon?")
    assert texts(await run(name, tracker(own))) == ["Pardon?"]


async def test_fallback_events_are_reverted_after_an_affirmation() -> None:
    on = tracker(
        domain(),
        heard("mony?", "check_balance"),
        ActionExecuted(name="action_default_ask_affirmation"),
        ActionExecuted(name="action_listen"),
        heard("/check_balance", "check_balance"),
    )
    result = await run("action_revert_fallback_events", on)
    assert kinds(result) == ["rewind", "rewind", "action", "user"]
    after = tracker(domain(), *on.events[1:], *result.events)
    assert after.latest_message is not None
    assert after.latest_message.parse_data["intent"]["confidence"] == 1.0


async def test_a_fallback_says_utter_default_and_undoes_the_message() -> None:
    on = tracker(with_response("utter_default", "Sorry?"), heard("blah", "nlu_fallback"))
    result = await run("action_default_fallback", on)
    assert texts(result) == ["Sorry?"]
    assert isinstance(result.events[-1], UserUtteranceReverted)
    assert result.replies[0].buttons == ()


async def test_a_fallback_answers_from_the_knowledge_base_with_its_source() -> None:
    retriever = ScriptedRetriever(**{"what does it cost?": "A card is free. More follows."})
    on = tracker(with_response("utter_default", "Sorry?"), heard(" what does it cost? ", None))
    result = await run("action_default_fallback", on, None, retriever)
    (reply,) = result.replies
    assert reply.text == "A card is free"
    assert [p.passage.title for p in reply.passages] == ["Fees"]
    assert set(reply.metadata["prompts"]) == {"answer"}
    event = result.events[0]
    assert isinstance(event, BotUttered)
    assert event.metadata["sources"][0]["document_id"] == "fees.md"
    assert kinds(result) == ["bot", "rewind"]


async def test_a_fallback_without_knowledge_admits_it_and_suggests_two_intents() -> None:
    ranking = [{"name": n} for n in ("nlu_fallback", "check_balance", "gone", "faq", "greet")]
    selected = {"faq": {"response": {"intent_response_key": "faq/opening_hours"}}}
    message = heard("blah", "nlu_fallback", intent_ranking=ranking, response_selector=selected)
    retriever = ScriptedRetriever()
    result = await run("action_default_fallback", tracker(domain(), message), None, retriever)
    assert "don't know" in str(texts(result)[0])
    assert result.replies[0].buttons == (
        Button("Check balance", "/check_balance"),
        Button("Opening hours", "/faq/opening_hours"),
    )
    assert retriever.queries == ["blah"]


async def test_a_knowledge_base_that_fails_is_reported_and_costs_no_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(ScriptedRetriever):
        def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
            raise AgentError("the index is truncated; run `agent knowledge index`")

    result = await run("action_default_fallback", tracker(domain(), heard("fees?")), None, Broken())
    assert "don't know" in str(texts(result)[0])
    assert "the index is truncated" in caplog.text


async def test_only_titled_intents_are_suggested_where_there_are_titles() -> None:
    titled = {"greet": Intent("greet"), "loan": Intent("loan", title="Ask for a loan")}
    own = domain(intents=titled, responses={"utter_default": (V(text="Sorry?"),)})
    message = heard("blah", None, intent_ranking=[{"name": "greet"}, {"name": "loan"}])
    result = await run("action_default_fallback", tracker(own, message), None, ScriptedRetriever())
    assert texts(result) == ["Sorry?"]
    assert result.replies[0].buttons == (Button("Ask for a loan", "/loan"),)
    event = result.events[0]
    assert isinstance(event, BotUttered)
    assert event.data["buttons"] == [{"title": "Ask for a loan", "payload": "/loan"}]


@pytest.mark.parametrize("text", ["", "   ", "/out_of_scope"])
async def test_messages_that_ask_nothing_are_not_searched_for(text: str) -> None:
    retriever = ScriptedRetriever(**{text: "x"})
    result = await run("action_default_fallback", tracker(domain(), heard(text)), None, retriever)
    assert retriever.queries == []
    assert "don't know" in str(texts(result)[0])


async def test_a_custom_action_gives_messages_then_events() -> None:
    reply = ActionServerReply(
        events=[
            {"event": "slot", "name": "city", "value": "Rome", "timestamp": None},
            {"event": "no_such_event"},
            {"nothing": 1},
            {"event": "undo"},
        ],
        responses=[
            {"text": "One", "buttons": [], "custom": {}, "response": None, "template": None},
            {
                "response": "utter_greet",
                "text": None,
                "name": "Zoe",
                "buttons": [{"title": "B", "payload": "/b"}],
            },
            {"response": "utter_missing"},
        ],
    )
    on = tracker(domain(), heard("hi", "greet"), SlotSet(name="name", value="Ada"))
    custom = ScriptedActions(action_x=reply)
    result = await run("action_x", on, custom)
    assert texts(result) == ["One", "Hello Zoe!"]
    assert result.replies[1].buttons == (Button("B", "/b"),)
    assert kinds(result) == ["bot", "bot", "slot", "undo"]
    assert isinstance(result.events[-1], ActionReverted)
    name, state = custom.calls[0]
    assert name == "action_x"
    assert state["slots"]["name"] == "Ada"
    assert [e["event"] for e in state["events"]] == ["action", "user", "slot"]


async def test_unknown_events_and_responses_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    reply = ActionServerReply(
        events=[{"event": "no_such_event"}], responses=[{"response": "utter_missing"}]
    )
    result = await run("action_x", tracker(domain()), ScriptedActions(action_x=reply))
    assert result == ActionResult()
    assert "no_such_event" in caplog.text
    assert "utter_missing" in caplog.text


async def test_a_built_in_action_can_be_overridden() -> None:
    own = domain(actions=("action_default_fallback",))
    custom = ScriptedActions(action_default_fallback=ActionServerReply(responses=[{"text": "!"}]))
    assert texts(await run("action_default_fallback", tracker(own), custom)) == ["!"]


async def test_a_failing_action_costs_the_turn_an_apology(
    caplog: pytest.LogCaptureFixture,
) -> None:
    custom = ScriptedActions(action_x=ActionError("action_x", "did not end within 10 s"))
    result = await run("action_x", tracker(domain(), heard("hi")), custom)
    assert "something went wrong" in str(texts(result)[0])
    assert result.error == "action 'action_x': did not end within 10 s"
    assert kinds(result) == ["bot"]
    assert "did not end" in caplog.text


async def test_a_rejection_reaches_the_caller() -> None:
    with pytest.raises(ActionRejected):
        await run("action_x", tracker(domain()), ScriptedActions(action_x=ActionRejected("x")))


async def test_a_message_fills_slots() -> None:
    named = Slot("name", "text", mappings=(SlotMapping("from_text"),))
    on = tracker(domain(slots={"name": named}), heard("Ada"))
    result = await run("action_extract_slots", on)
    assert result.events[0].to_dict()["value"] == "Ada"


async def test_a_form_asks_for_its_slot_and_the_project_validates_it() -> None:
    own = domain(
        forms={"name_form": Form("name_form", ("name",))},
        responses={"utter_ask_name": (V(text="Who are you?"),)},
        actions=("validate_name_form",),
    )
    custom = ScriptedActions(validate_name_form=ActionServerReply())
    result = await run("name_form", tracker(own, heard("hi", "greet")), custom)
    assert texts(result) == ["Who are you?"]
    assert kinds(result) == ["active_loop", "slot", "bot"]
    assert {name for name, _ in custom.calls} == {"validate_name_form"}


async def test_a_form_can_be_overridden_by_an_action() -> None:
    own = domain(forms={"name_form": Form("name_form", ("name",))}, actions=("name_form",))
    custom = ScriptedActions(name_form=ActionServerReply(responses=[{"text": "mine"}]))
    assert texts(await run("name_form", tracker(own), custom)) == ["mine"]


async def test_the_two_stage_fallback_asks_what_was_meant() -> None:
    ranking = [{"name": "nlu_fallback"}, {"name": "check_balance"}]
    on = tracker(domain(), heard("mony?", "nlu_fallback", intent_ranking=ranking))
    result = await run("action_two_stage_fallback", on)
    assert texts(result) == ["Did you mean 'check_balance'?"]
    assert kinds(result) == ["active_loop", "bot"]


async def test_an_action_nobody_has_is_a_clear_error() -> None:
    result = await run("action_nowhere", tracker(domain()))
    assert "no response, form or built-in" in str(result.error)
