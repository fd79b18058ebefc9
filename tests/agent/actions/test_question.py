import pytest

from agent.actions.question import completions, leans_on_dialogue, points_back, shares_a_word
from agent.dialogue.events import Restarted, SlotSet, UserUtteranceReverted
from tests.agent.actions.fakes import domain, heard, tracker


@pytest.mark.parametrize(
    "question",
    [
        "and abroad?",
        "what about a joint account?",
        "the gold one",
        "und im Ausland?",
        "那在国外呢？",
    ],
)
def test_a_question_that_says_too_little_leans_on_the_dialogue(question: str) -> None:
    assert leans_on_dialogue(question)


@pytest.mark.parametrize(
    "question",
    [
        "What does a transfer abroad cost?",
        "and another thing: I would like to know how I can order a new debit card",
        "我的银行卡丢了，应该怎么办才能冻结？",
    ],
)
def test_a_question_that_says_what_it_is_about_stands_alone(question: str) -> None:
    assert not leans_on_dialogue(question)


def test_words_that_point_back_are_noticed() -> None:
    assert points_back("how long does that take?")
    assert not points_back("how long does a transfer take?")


def test_a_question_is_completed_by_the_last_message_and_by_the_slots() -> None:
    on = tracker(
        domain(),
        heard("what does a transfer cost?"),
        UserUtteranceReverted(),
        SlotSet(name="city", value="Paris"),
        heard("and abroad?"),
    )
    assert list(completions("and abroad?", on)) == [
        "what does a transfer cost? and abroad?",
        "and abroad? Paris",
    ]


def test_commands_and_earlier_sessions_complete_nothing() -> None:
    for events in ([heard("/restart")], [heard("fees?"), Restarted()]):
        assert list(completions("and?", tracker(domain(), *events, heard("and?")))) == []


@pytest.mark.parametrize(
    ("question", "text", "shared"),
    [
        ("and abroad?", "Paying abroad costs 1 %.", True),
        ("and transfers?", "A transfer is free.", True),
        ("and abroad?", "Opening hours of branches.", False),
        ("and so?", "and so on", False),
        ("国外呢", "在国外呢取款", True),
        ("🙂", "🙂", False),
    ],
)
def test_a_telling_word_is_shared_whatever_its_ending(
    question: str, text: str, shared: bool
) -> None:
    assert shares_a_word(question, text) is shared
