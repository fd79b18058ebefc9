import pytest

from knowledge.stop_words import stop_words, without_question_phrases


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("how do i block my card", "block card"),
        ("wie sperre ich meine karte", "sperre karte"),
        ("cómo puedo bloquear la tarjeta", "bloquear tarjeta"),
        ("combien coûte une nouvelle carte", "coûte nouvelle carte"),
        ("как можно заблокировать карту", "заблокировать карту"),
        ("when did the king die", "king die"),
        ("what was the war of the roses", "war roses"),
        ("123 xyz", "123 xyz"),
    ],
)
def test_of_a_question_in_any_language_its_subject_stays(question: str, subject: str) -> None:
    dropped = stop_words(question.split())
    assert [word for word in question.split() if word not in dropped] == subject.split()


def test_question_phrases_are_cut_from_scripts_without_spaces() -> None:
    assert without_question_phrases("信用卡丢了怎么办？").split() == ["信用卡丢了", "？"]
    assert without_question_phrases("How do I block it?") == "How do I block it?"
