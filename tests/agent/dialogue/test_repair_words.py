import pytest

from agent.dialogue.repair_words import marks_of


@pytest.mark.parametrize(
    ("language", "before"),
    [
        ("en", "50, not "),
        ("en", "to Bob instead of "),
        ("en", "not from my "),
        ("en", "NOT €"),
        ("de", "50 statt "),
        ("de-AT", "nicht vom "),
        ("fr", "50 au lieu de "),
        ("es", "cincuenta, no "),
        ("zh", "五十,不是"),
        ("xx", "not "),
    ],
)
def test_a_denied_value_is_seen_by_what_stands_before_it(language: str, before: str) -> None:
    assert marks_of(language).denies(before)


@pytest.mark.parametrize("before", ["no, ", "I'm not sure, ", "knot ", "not 50 but ", "", "note: "])
def test_a_value_that_is_meant_is_not_denied(before: str) -> None:
    assert not marks_of("en").denies(before)


@pytest.mark.parametrize("text", ["make it 60", "Actually, 60", "60 instead", "I meant Bob"])
def test_a_changed_mind_is_heard(text: str) -> None:
    assert marks_of("en").changes(text)
    assert not marks_of("en").changes("60 to Bob please")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "what is my balance"),
        ("en", "my balance?"),
        ("en", "Show me more"),
        ("es", "¿cuánto cuesta"),
        ("zh", "你好吗"),
        ("de", "wie spät ist es"),
    ],
)
def test_a_question_or_request_is_told_from_a_statement(language: str, text: str) -> None:
    assert marks_of(language).requests(text)
    assert not marks_of(language).requests("Anna Schmidt")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", " Forget it! "),
        ("en", "cancel"),
        ("en", "oh no, please cancel that now, thanks"),
        ("en", "I don’t want to anymore."),
        ("de", "abbrechen"),
        ("de", "ach nein, vergiss es bitte"),
        ("de", "stop please"),
        ("zh", "算了"),
    ],
)
def test_a_message_that_only_cancels_is_known(language: str, text: str) -> None:
    assert marks_of(language).cancels(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I don't want to book anymore"),
        ("en", "Sorry, I no longer need a table."),
        ("en", "I've changed my mind"),
        ("en", "ok, I don't want to continue"),
        ("de", "Ich will nicht mehr buchen"),
        ("de", "ich habe es mir anders überlegt"),
        ("fr", "je ne veux plus réserver"),
        ("es", "ya no quiero reservar"),
        ("it", "non voglio più prenotare"),
        ("pt", "não quero mais"),
        ("nl", "ik wil niet meer boeken"),
        ("zh", "我不想订了"),
    ],
)
def test_a_message_that_wants_no_more_of_it_is_known(language: str, text: str) -> None:
    assert marks_of(language).refuses(text)


@pytest.mark.parametrize("text", ["I want more", "I don't want onions", "no more, 50", "anymore"])
def test_a_message_that_wants_something_else_refuses_nothing(text: str) -> None:
    assert not marks_of("en").refuses(text)


@pytest.mark.parametrize(
    "text", ["cancel my card", "forget it not", "", "stop sign", "no", "no thanks", "please", "🛑"]
)
def test_a_message_that_says_more_cancels_nothing(text: str) -> None:
    assert not marks_of("en").cancels(text)
