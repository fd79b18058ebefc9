"""Repair in forms, seen from the outside: what is said, what is set, what comes next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agent.actions.executor import Executor
from agent.actions.speech import Speech
from agent.actions.types import ActionServerReply
from agent.brain import ANSWER_ACTION, Brain
from agent.dialogue.extraction import as_extracted
from agent.dialogue.repair import Repair
from agent.dialogue.tracker import Tracker
from agent.errors import ActionError
from agent.project import load_project
from agent.project.types import Project, SlotMapping
from agent.prompts.responses import DomainResponses
from agent.prompts.templates import load_templates
from agent.turn import Decision, Entity, IntentScore, Message, Reply, Understanding, new_id
from tests.agent.dialogue.talk import declined, listened, loop, policies_of, ran, says

PROJECT = """
version: "3.1"
intents: [send, inform, affirm, deny, greet, balance, faq, stop, chitchat, other]
entities: [amount, payee, {account: {roles: [from, to]}}]
slots:
  payee: {type: text, mappings: [{type: from_entity, entity: payee, intent: send},
    {type: from_entity, entity: payee,
     conditions: [{active_loop: send_form, requested_slot: payee}]}]}
  amount: {type: text, mappings: [{type: from_entity, entity: amount, intent: send},
    {type: from_entity, entity: amount,
     conditions: [{active_loop: send_form, requested_slot: amount}]}]}
  source: {type: text, mappings: [{type: from_entity, entity: account, role: from,
     conditions: [{active_loop: send_form}]}]}
  note: {type: text, mappings: [{type: from_text,
     conditions: [{active_loop: send_form, requested_slot: note}]}]}
  sure: {type: bool, mappings: [
    {type: from_intent, intent: affirm, value: true,
     conditions: [{active_loop: send_form, requested_slot: sure}]},
    {type: from_intent, intent: deny, value: false,
     conditions: [{active_loop: send_form, requested_slot: sure}]}]}
  place: {type: text, mappings: [{type: from_text,
     conditions: [{active_loop: help_form, requested_slot: place}]}]}
forms:
  send_form: {required_slots: [payee, amount, source, note, sure]}
  help_form: {required_slots: [place]}
actions: [action_balance]
responses:
  utter_ask_payee: [{text: "Who?"}]
  utter_ask_amount: [{text: "How much?"}]
  utter_ask_source: [{text: "From where?"}]
  utter_ask_note: [{text: "What for?", buttons: [{title: Rent, payload: what we owe}]}]
  utter_ask_sure: [{text: "{amount} from {source} to {payee} for {note}?",
    buttons: [{title: "Yes", payload: /affirm}]}]
  utter_ask_place: [{text: "Which place?"}]
  utter_greet: [{text: Hello, buttons: [{title: Send, payload: /send}]}]
  utter_faq: [{text: Nine to five}]
  utter_done: [{text: Done}]
"""
RULES = """
version: "3.1"
rules:
- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
- {rule: faq, steps: [{intent: faq}, {action: utter_faq}]}
- {rule: balance, steps: [{intent: balance}, {action: action_balance}]}
- {rule: send, steps: [{intent: send}, {action: send_form}, {active_loop: send_form}]}
- {rule: help, steps: [{intent: other}, {action: help_form}, {active_loop: help_form}]}
- rule: helped
  condition: [{active_loop: help_form}]
  steps: [{action: help_form}, {active_loop: null}, {action: utter_faq}]
- rule: sent
  condition: [{active_loop: send_form}]
  steps: [{action: send_form}, {active_loop: null}, {action: utter_done}]
"""
_MARK = re.compile(r"\[([^\]]+)\]\((\w+)(?::(\w+))?\)")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("bank")
    (root / "domain.yml").write_text(PROJECT)
    (root / "data").mkdir()
    (root / "data" / "rules.yml").write_text(RULES)
    policies = "[{name: RulePolicy}, {name: MemoizationPolicy}]"
    (root / "config.yml").write_text(f"recipe: default.v1\nlanguage: en\npolicies: {policies}\n")
    return load_project(root)


def heard(said: str, answer: str | None = None) -> Understanding:
    """`intent: text with [marked](label:role) values` as an understanding."""
    intent, _, marked = said.partition(": ")
    entities, text = [], ""
    for part in re.split(r"(\[[^\]]+\]\([^)]+\))", marked):
        match = _MARK.fullmatch(part)
        word = match[1] if match else part
        if match:
            place = (len(text), len(text) + len(word))
            entities.append(Entity(match[2], *place, word, word, role=match[3]))
        text += word
    return Understanding(text, (IntentScore(intent, 0.95),), tuple(entities), answer=answer)


class Balance:
    """The project's only action."""

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        return ActionServerReply(responses=[{"text": "You have 7."}])

    async def names(self) -> list[str]:
        return ["action_balance"]

    async def close(self) -> None: ...


@dataclass
class Talk:
    """A conversation with the project's brain."""

    brain: Brain
    tracker: Tracker
    decisions: list[Decision] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    async def says(self, said: str, answer: str | None = None) -> list[str | None]:
        return await self.hears(heard(said, answer))

    async def hears(self, meant: Understanding) -> list[str | None]:
        await self.brain.hear(self.tracker, Message(new_id(), "c", meant.text), meant)
        self.decisions, self.replies = [], []
        while not self.decisions or self.decisions[-1].action != "action_listen":
            assert len(self.decisions) < 10
            decision = self.brain.decide(self.tracker, meant, self.decisions)
            self.decisions.append(decision)
            result = await self.brain.act(decision, self.tracker, meant, "test")
            self.replies += result.replies
        return [reply.text for reply in self.replies]

    async def all(self, *said: str) -> list[str | None]:
        for one in said[:-1]:
            await self.says(one)
        return await self.says(said[-1])

    @property
    def slots(self) -> Mapping[str, Any]:
        return {n: v for n, v in self.tracker.slots.items() if v is not None}


class Choosy(Balance):
    """Accepts only short notes."""

    async def call(
        self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
    ) -> ActionServerReply:
        note = tracker["slots"]["note"]
        if name != "validate_send_form" or not note or len(note) < 10:
            return ActionServerReply()
        refused = {"event": "slot", "name": "note", "value": None}
        return ActionServerReply(events=[refused], responses=[{"text": "Too long."}])


def talk(bank: Project, *, repair: bool = True, custom: Balance | None = None) -> Talk:
    policies = policies_of(bank)
    speech = Speech(DomainResponses(bank.domain), load_templates(), None)
    repairing = Repair(bank.domain, policies, bank.config, [ANSWER_ACTION]) if repair else None
    take = repairing.take if repairing else as_extracted
    brain = Brain(
        "m",
        bank.domain,
        None,  # type: ignore[arg-type]  # understandings are given
        policies,
        Executor(bank.domain, speech, custom or Balance(), take=take),
        repair=repairing,
    )
    return Talk(brain, Tracker("c", bank.domain, [listened()]))


TO_THE_END = (
    "send: send [500](amount) to [Anna](payee)",
    "inform: from [savings](account:from)",
    "chitchat: rent",
)
ASKS = "500 from savings to Anna for rent?"


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("deny: no, [50](amount) not [500](amount)", "50 from savings to Anna for rent?"),
        ("deny: [50](amount) instead of [500](amount)", "50 from savings to Anna for rent?"),
        ("deny: not [500, 70](amount)", "70 from savings to Anna for rent?"),
        ("deny: not 500, 70", "70 from savings to Anna for rent?"),
        ("deny: no, 70 not 500", "70 from savings to Anna for rent?"),
        ("deny: not 50, 70", "70 from savings to Anna for rent?"),
        ("inform: make it [60](amount)", "60 from savings to Anna for rent?"),
        ("inform: change [500](amount) to [60](amount)", "60 from savings to Anna for rent?"),
        ("nlu_fallback: actually to [Bob](payee)", "500 from savings to Bob for rent?"),
        ("inform: from [current](account:from) instead", "500 from current to Anna for rent?"),
        ("affirm: yes but from [current](account:from)", "500 from current to Anna for rent?"),
        ("balance: make it [60](amount)", "60 from savings to Anna for rent?"),
        ("send: send [60](amount) to [Bob](payee)", "60 from savings to Bob for rent?"),
        ("deny: [60](amount) to [Bob](payee)", "60 from savings to Bob for rent?"),
    ],
)
async def test_a_correction_at_the_confirmation_asks_again_with_the_new_value(
    bank: Project, said: str, asks: str
) -> None:
    assert await talk(bank).all(*TO_THE_END, said) == [asks]


async def test_a_plain_yes_or_no_still_answers(bank: Project) -> None:
    assert await talk(bank).all(*TO_THE_END, "affirm: yes") == ["Done"]
    assert await talk(bank).all(*TO_THE_END, "deny: no") == ["Done"]
    said = "affirm: yes, [500](amount) from [savings](account:from)"
    assert await talk(bank).all(*TO_THE_END, said) == ["Done"]


async def test_an_earlier_slot_is_corrected_while_another_is_asked_for(bank: Project) -> None:
    conversation = talk(bank)
    said = "deny: no, to [Bob](payee)"
    assert await conversation.all(TO_THE_END[0], said) == ["From where?"]
    assert conversation.slots["payee"] == "Bob"
    assert await conversation.says(TO_THE_END[1]) == ["What for?"]
    assert await conversation.says("inform: wait, make it [60](amount)") == ["What for?"]
    assert conversation.slots["amount"] == "60"
    assert "note" not in conversation.slots


async def test_a_value_that_is_only_denied_is_asked_for_again(bank: Project) -> None:
    conversation = talk(bank)
    assert await conversation.all(*TO_THE_END, "deny: not from [savings](account:from)") == [
        "From where?"
    ]
    assert await conversation.says("inform: from [current](account:from)") == [
        "500 from current to Anna for rent?"
    ]


async def test_one_answer_may_fill_more_than_was_asked_for(bank: Project) -> None:
    said = ("send: send money", "inform: [30](amount) to [Anna](payee)")
    assert await talk(bank).all(*said) == ["From where?"]


async def test_a_free_text_keeps_what_it_says_beside_other_values(bank: Project) -> None:
    conversation = talk(bank)
    await conversation.all(*TO_THE_END[:2], "chitchat: rent, that is for [Bob](payee) and me, 30")
    assert conversation.slots["note"] == "rent, that is for Bob and me, 30"
    assert conversation.slots["payee"] == "Anna"


async def test_without_repair_a_form_does_what_rasas_forms_do(bank: Project) -> None:
    said = "deny: no, [50](amount) not [500](amount)"
    assert await talk(bank, repair=False).all(*TO_THE_END, said) == ["Done"]
    conversation = talk(bank, repair=False)
    assert await conversation.all(*TO_THE_END[:2], "balance: what do I have?") == [
        ASKS.replace("rent", "what do I have?")
    ]


@pytest.mark.parametrize("text", ["balance: what do I have?", "balance: my money", "faq: hours?"])
async def test_a_question_of_its_own_fills_no_text_slot(bank: Project, text: str) -> None:
    conversation = talk(bank)
    said = await conversation.all(*TO_THE_END[:2], text)
    assert said[-1] == "What for?"
    assert len(said) == 2
    assert "note" not in conversation.slots


@pytest.mark.parametrize(
    "text", ["greet: hello kitty", "chitchat: what?", "inform: what a day", "faq: what we owe"]
)
async def test_other_texts_fill_it(bank: Project, text: str) -> None:
    conversation = talk(bank)
    await conversation.all(*TO_THE_END[:2], text)
    assert conversation.slots["note"] == text.partition(": ")[2]


@pytest.fixture(scope="module")
def choosy(bank: Project) -> Project:
    """The bank with an action that checks its form."""
    return replace(
        bank, domain=replace(bank.domain, actions=(*bank.domain.actions, "validate_send_form"))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faq: when do you open on Fridays?", ["Nine to five", "What for?"]),
        ("nlu_fallback: what is a note, then", ["I'm sorry, I don't know that.", "What for?"]),
        ("chitchat: so many different things", ["Too long.", "What for?"]),
    ],
)
async def test_a_question_that_the_project_refuses_as_an_answer_is_answered(
    choosy: Project, text: str, said: list[str]
) -> None:
    conversation = talk(choosy, custom=Choosy())
    assert await conversation.all(*TO_THE_END[:2], text) == said
    assert "note" not in conversation.slots
    assert await conversation.says("chitchat: rent") == [ASKS]


async def test_without_repair_a_refused_question_is_only_asked_again(choosy: Project) -> None:
    conversation = talk(choosy, repair=False, custom=Choosy())
    said = await conversation.all(*TO_THE_END[:2], "nlu_fallback: what is a note, then")
    assert said == ["Too long.", "What for?"]


@pytest.mark.parametrize(
    "text",
    ["chitchat: forget it", "stop: enough", "nlu_fallback: cancel", "cancel_all: no more of it"],
)
async def test_cancelling_ends_the_form_and_forgets_what_it_gathered(
    bank: Project, text: str
) -> None:
    conversation = talk(bank)
    said = await conversation.all(*TO_THE_END[:2], text)
    assert said == ["All right, I have stopped that."]
    assert conversation.tracker.active_loop is None
    assert not conversation.slots
    assert await conversation.says("greet: hi") == ["Hello"]


@pytest.mark.parametrize(
    "text",
    [
        "chitchat: I don't want to continue",
        "send: I don't want to send it",
        "deny: changed my mind",
    ],
)
async def test_refusing_what_the_form_is_for_cancels_it(bank: Project, text: str) -> None:
    conversation = talk(bank)
    text = text.replace(": changed", ": I've changed")
    said = await conversation.all("send: to [Anna](payee)", text)
    assert said == ["All right, I have stopped that."]


@pytest.mark.parametrize("text", ["send: I don't want fees", "other: I don't need [50](amount)"])
async def test_refusing_something_else_cancels_nothing(bank: Project, text: str) -> None:
    conversation = talk(bank)
    await conversation.all("send: to [Anna](payee)", text)
    assert conversation.tracker.active_loop is not None


async def test_a_refusal_may_be_the_text_that_a_form_asks_for(bank: Project) -> None:
    conversation = talk(bank)
    await conversation.all(*TO_THE_END[:2], "chitchat: I don't want to pay anymore")
    assert conversation.slots["note"] == "I don't want to pay anymore"


@pytest.mark.parametrize(
    ("likelihood", "says"), [(0.3, ["From where?"]), (0.1, ["You have 7.", "How much?"])]
)
async def test_the_question_asked_speaks_for_an_intent_that_is_nearly_as_likely(
    bank: Project, likelihood: float, says: list[str]
) -> None:
    wanting = SlotMapping("from_entity", entity="amount", intent=("inform",))
    slots = {
        **bank.domain.slots,
        "amount": replace(bank.domain.slots["amount"], mappings=(wanting,)),
    }
    conversation = talk(replace(bank, domain=replace(bank.domain, slots=slots)))
    await conversation.all("send: to [Anna](payee)")
    amount = heard("balance: [50](amount) then")
    near = (IntentScore("balance", 0.4), IntentScore("inform", likelihood))
    assert await conversation.hears(replace(amount, ranking=near)) == says


def test_what_a_project_does_when_it_understands_nothing_is_no_reaction_to_cancelling(
    bank: Project,
) -> None:
    repair = Repair(bank.domain, policies_of(bank), bank.config)
    opened = [listened(), says("send"), ran("send_form"), loop("send_form"), listened()]
    cancelling = replace(says("nlu_fallback"), text="never mind")
    talk = Tracker("c", bank.domain, [*opened, cancelling, declined("send_form")])
    rephrase = Decision("utter_faq", "RulePolicy", 1.0)
    assert repair.steer(talk, [], rephrase).action == "action_deactivate_loop"


def test_what_the_learned_policy_supposes_leaves_no_question_unasked(bank: Project) -> None:
    repair = Repair(bank.domain, policies_of(bank), bank.config)
    opened = [listened(), says("send"), ran("send_form"), loop("send_form"), listened()]
    talk = Tracker("c", bank.domain, [*opened, says("chitchat"), declined("send_form")])
    supposed = Decision("action_listen", "LearnedPolicy", 0.8)
    assert repair.steer(talk, [], supposed).action == "send_form"
    told = Decision("action_listen", "MemoizationPolicy", 1.0)
    assert repair.steer(talk, [], told) == told


async def test_a_project_that_reacts_to_cancelling_is_left_to_do_it(bank: Project) -> None:
    conversation = talk(bank)
    assert await conversation.all(*TO_THE_END[:2], "greet: stop") == ["Hello", "What for?"]


@pytest.mark.parametrize("text", ["nlu_fallback: fnord", "nlu_fallback: ¿¿", "nlu_fallback: 🙂"])
async def test_what_is_not_understood_is_said_so_and_the_question_asked_again(
    bank: Project, text: str
) -> None:
    conversation = talk(bank)
    for _ in range(3):
        said = await conversation.all(*TO_THE_END[: 0 if conversation.slots else 3], text)
        assert said == ["I'm sorry, I don't know that.", ASKS]
    assert await conversation.says("affirm: yes") == ["Done"]


async def test_what_the_form_cannot_use_is_asked_for_in_other_words(bank: Project) -> None:
    assert await talk(bank).all(*TO_THE_END, "send: to my landlord instead") == [
        "I'm not sure I understood that. Could you say it in other words?",
        ASKS,
    ]


async def test_a_corrected_answer_in_a_form_is_followed_by_the_question(bank: Project) -> None:
    conversation = talk(bank)
    await conversation.all(*TO_THE_END)
    assert await conversation.says("faq: who?", answer="Four people.") == ["Four people.", ASKS]


async def test_after_an_interruption_only_the_forms_own_buttons_are_left(bank: Project) -> None:
    conversation = talk(bank)
    assert await conversation.all(*TO_THE_END, "greet: hi") == ["Hello", ASKS]
    assert [len(reply.buttons) for reply in conversation.replies] == [0, 1]


async def test_a_form_goes_on_when_another_that_came_between_has_ended(bank: Project) -> None:
    conversation = talk(bank)
    assert await conversation.all(*TO_THE_END, "other: help me") == ["Which place?"]
    assert await conversation.says("chitchat: Rome") == ["Nine to five", ASKS]
    assert await conversation.says("affirm: yes") == ["Done"]
    assert await conversation.says("greet: hi") == ["Hello"]


async def test_a_cancelled_form_gives_way_to_the_one_before(bank: Project) -> None:
    conversation = talk(bank)
    said = await conversation.all(*TO_THE_END, "other: help me", "chitchat: never mind")
    assert said == ["All right, I have stopped that.", ASKS]


async def test_a_form_whose_check_fails_is_not_taken_for_finished(bank: Project) -> None:
    class Down(Balance):
        async def call(
            self, name: str, tracker: Mapping[str, Any], domain: Mapping[str, Any]
        ) -> ActionServerReply:
            raise ActionError(name, "cannot be reached")

    conversation = talk(bank)
    actions = (*bank.domain.actions, "validate_send_form")
    domain = replace(bank.domain, actions=actions)
    executor = conversation.brain.executor
    working = replace(conversation.brain, executor=Executor(domain, executor.speech, Balance()))
    failing = replace(conversation.brain, executor=Executor(domain, executor.speech, Down()))
    sorry = [
        "I'm sorry, something went wrong on our side and I could not do that. "
        "Please try again in a moment."
    ]
    conversation.brain = failing
    assert await conversation.says(TO_THE_END[0]) == sorry
    conversation.brain = working
    assert await conversation.says(TO_THE_END[0]) == ["You have 7.", "From where?"]
    conversation.brain = failing
    assert await conversation.says(TO_THE_END[1]) == sorry
    assert conversation.tracker.active_loop == "send_form"


async def test_outside_forms_nothing_changes(bank: Project) -> None:
    conversation = talk(bank)
    assert await conversation.says("chitchat: forget it") == await talk(bank, repair=False).says(
        "chitchat: forget it"
    )
    assert not [d for d in conversation.decisions if d.policy == "Repair"]


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        (
            "send: [50](amount) to [Ana](payee), not to [Ben](payee)",
            {"amount": "50", "payee": "Ana"},
        ),
        ("send: not to [Ben](payee), to [Ana](payee)", {"payee": "Ana"}),
        ("send: send it, but not to [Ben](payee)", {}),
    ],
)
async def test_what_the_opening_message_denies_fills_nothing(
    bank: Project, said: str, slots: Mapping[str, str]
) -> None:
    conversation = talk(bank)
    await conversation.says(said)
    filled = {name: conversation.slots.get(name) for name in ("amount", "payee")}
    assert {name: value for name, value in filled.items() if value is not None} == slots
