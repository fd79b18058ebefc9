"""Rules: conditions, snippets, loops, and which rule wins."""

from agent.dialogue.events import UserFeaturized
from agent.dialogue.featurizer import State
from agent.dialogue.rules import fits
from agent.project.types import ActionStep, BotStep, Form, LoopStep, Rule, Slot, SlotStep, UserStep
from tests.agent.dialogue.talk import (
    Bot,
    declined,
    domain,
    loop,
    project,
    rule,
    says,
    slot,
    steps,
)

FORM = Form("pizza_form", ("city",))
SLOTS = {"city": Slot("city", "text"), "vegan": Slot("vegan", "bool")}
DOMAIN = domain(slots=SLOTS, forms=[FORM], actions=["action_x", "validate_pizza_form"])
OPEN = Rule("open", (*steps("?order", "pizza_form"), LoopStep("pizza_form")))
SUBMIT = Rule(
    "submit",
    (ActionStep("pizza_form"), LoopStep(None), ActionStep("utter_done")),
    conditions=(LoopStep("pizza_form"),),
)
CHITCHAT = rule("chitchat", "?chitchat", "utter_chitchat")


def bot(*rules: Rule, **effects: object) -> Bot:
    return Bot(project(DOMAIN, rules=rules), effects)  # type: ignore[arg-type]


def test_a_rule_answers_and_then_listens() -> None:
    talk = bot(rule("hi", "?greet", "utter_greet"))
    assert talk.hear("greet") == ["utter_greet"]
    assert talk.tracker.latest_action_name == "action_listen"


def test_what_no_rule_covers_falls_back_with_the_configured_threshold() -> None:
    given = project(DOMAIN, core_fallback_threshold=0.4, core_fallback_action="action_x")
    talk = Bot(given)
    talk.tracker.append(says("bye"))
    decision = talk.policies.decide(talk.tracker)
    assert (decision.action, decision.confidence) == ("action_x", 0.4)
    assert "no rule" in decision.reason


def test_without_fallback_prediction_it_listens_with_no_confidence() -> None:
    talk = Bot(project(DOMAIN, enable_fallback_prediction=False))
    talk.tracker.append(says("bye"))
    decision = talk.policies.decide(talk.tracker)
    assert (decision.action, decision.confidence) == ("action_listen", 0.0)


def test_built_in_intents_have_their_actions() -> None:
    talk = bot(rule("restart", "?restart", "utter_done"))
    for intent, action in (
        ("restart", "action_restart"),
        ("back", "action_back"),
        ("session_start", "action_session_start"),
    ):
        talk.tracker.append(says(intent))
        assert talk.policies.decide(talk.tracker).action == action


def test_nlu_fallback_is_an_intent_like_any_other() -> None:
    assert bot(rule("fallback", "?nlu_fallback", "utter_done")).hear("nlu_fallback") == [
        "utter_done"
    ]


def test_a_slot_condition_must_hold() -> None:
    only_vegan = Rule("vegan", steps("?greet", "utter_done"), conditions=(SlotStep("vegan", True),))
    talk = bot(only_vegan)
    assert talk.hear("greet") == ["action_default_fallback"]
    talk.tracker.append(slot("vegan", True))
    assert talk.hear("greet") == ["utter_done"]


def test_a_null_condition_wants_the_slot_empty() -> None:
    unset = Rule("unset", steps("?greet", "utter_done"), conditions=(SlotStep("city", None),))
    talk = bot(unset)
    assert talk.hear("greet") == ["utter_done"]
    talk.tracker.append(slot("city", "Rome"))
    assert talk.hear("greet") == ["action_default_fallback"]


def test_the_longer_rule_wins() -> None:
    with_city = Rule("city", steps("?greet", "utter_done"), conditions=(SlotStep("city", "x"),))
    talk = bot(rule("hi", "?greet", "utter_greet"), with_city)
    assert talk.hear("greet") == ["utter_greet"]
    talk.tracker.append(slot("city", "Rome"))
    assert talk.hear("greet") == ["utter_done"]


def test_a_conversation_start_rule_counts_at_the_start_only() -> None:
    first = Rule("first", steps("?greet", "utter_done"), conversation_start=True)
    talk = bot(first, rule("bye", "?bye", "utter_bye"))
    assert talk.hear("greet") == ["utter_done"]
    assert talk.hear("greet") == ["action_default_fallback"]


def test_a_rule_that_does_not_wait_lets_others_go_on() -> None:
    talk = bot(
        Rule("a", steps("?greet", "utter_greet"), wait_for_user_input=False),
        rule("b", "utter_greet", "utter_done"),
    )
    assert talk.hear("greet") == ["utter_greet", "utter_done"]


def test_a_form_opens_and_listens() -> None:
    talk = bot(OPEN)
    assert talk.hear("order") == ["pizza_form"]
    assert talk.tracker.active_loop == "pizza_form"


def test_an_active_form_comes_after_every_message() -> None:
    talk = bot(OPEN, CHITCHAT)
    talk.hear("order")
    assert talk.hear("chitchat") == ["pizza_form"]


def test_a_form_that_declines_lets_a_rule_act_and_comes_back() -> None:
    talk = bot(OPEN, CHITCHAT)
    talk.hear("order")
    talk.tracker.append(says("chitchat"))
    talk.tracker.append(declined("pizza_form"))
    assert talk.act() == ["utter_chitchat", "pizza_form"]
    assert talk.tracker.active_loop == "pizza_form"


def test_a_form_that_declines_falls_back_where_no_rule_helps() -> None:
    talk = bot(OPEN)
    talk.hear("order")
    talk.tracker.append(says("bye"))
    talk.tracker.append(declined("pizza_form"))
    assert talk.policies.decide(talk.tracker).action == "action_default_fallback"


def test_a_rule_for_the_inside_of_a_form_tells_the_form_that_it_was_interrupted() -> None:
    aside = Rule(
        "aside",
        (*steps("?chitchat", "utter_chitchat", "pizza_form"), LoopStep("pizza_form")),
        conditions=(LoopStep("pizza_form"),),
    )
    back = Rule(
        "back",
        (*steps("?greet", "pizza_form"), LoopStep("pizza_form")),
        conditions=(LoopStep("pizza_form"),),
    )
    talk = bot(OPEN, aside, back)
    talk.hear("order")
    talk.tracker.extend([says("chitchat"), declined("pizza_form")])
    assert talk.act() == ["utter_chitchat", "pizza_form"]
    talk.tracker.extend([says("greet"), declined("pizza_form")])
    assert talk.policies.decide(talk.tracker).loop_interrupted


def test_the_end_of_a_form_leads_to_its_submission() -> None:
    talk = bot(OPEN, SUBMIT)
    talk.hear("order")
    talk.effects = {"pizza_form": [slot("requested_slot", None), loop(None)]}
    assert talk.hear("inform") == ["pizza_form", "utter_done"]


def test_a_rule_on_text_goes_before_intents_and_says_so() -> None:
    exact = Rule("exact", (UserStep(text="open sesame"), BotStep("It opens.")))
    dom = domain(e2e_actions=("It opens.",))
    talk = Bot(project(dom, rules=[exact, rule("hi", "?greet", "utter_greet")]))
    assert talk.hear("greet", "open sesame") == ["It opens."]
    assert talk.tracker.events[-2].to_dict()["action_text"] == "It opens."
    assert any(isinstance(event, UserFeaturized) for event in talk.tracker.events)
    assert talk.hear("greet", "hello") == ["utter_greet"]


def test_turns_that_no_story_shows_are_hidden_from_stories() -> None:
    talk = bot(CHITCHAT)
    talk.tracker.append(says("chitchat"))
    assert talk.policies.decide(talk.tracker).hide_rule_turn


def test_the_reason_names_the_rule() -> None:
    talk = bot(CHITCHAT)
    talk.tracker.append(says("chitchat"))
    assert talk.policies.decide(talk.tracker).reason == "rule 'chitchat'"


def test_a_state_fits_if_it_has_all_that_is_asked() -> None:
    now = State("greet", None, ("city",), "action_listen", slots=(("city", (1.0,)),))
    assert fits(State("greet", action="action_listen"), now)
    assert fits(State(action="action_listen", slots=(("city", (1.0,)),)), now)
    assert not fits(State("bye", action="action_listen"), now)
    assert not fits(State(entities=("size",), action="action_listen"), now)
    assert not fits(State(action="action_listen", slots=(("city", "should_not_be_set"),)), now)
    assert not fits(State(), now)
    assert fits(State(), State(slots=(("vegan", (1.0, 0.0)),)))
