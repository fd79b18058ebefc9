from knowledge.answer import WHOLE_CHARACTERS, best_sentences, extract
from knowledge.passage import Passage
from tests.knowledge.fake_encoder import FakeEncoder

FILLER = [f"Filler number {n} says nothing of use to anybody who reads it." for n in range(12)]


def passage(text: str, start: int = 50) -> Passage:
    return Passage("d#0", "d", "Title", text, start, start + len(text))


def test_a_short_passage_is_the_answer(encoder: FakeEncoder) -> None:
    assert best_sentences("anything", passage("One. Two. Three. Four."), encoder) == (
        "One. Two. Three. Four."
    )


def test_the_sentence_that_answers_is_taken_with_its_place(encoder: FakeEncoder) -> None:
    text = " ".join([*FILLER[:6], "The zebra lives in Africa.", *FILLER[6:]])
    assert len(text) > WHOLE_CHARACTERS
    found = extract("where lives the zebra", passage(text), encoder)
    assert found.text == "The zebra lives in Africa."
    assert text[found.start - 50 : found.end - 50] == found.text


def test_near_neighbours_join_up_to_the_limit(encoder: FakeEncoder) -> None:
    zebras = [f"The zebra number {n} lives in Africa." for n in range(5)]
    text = " ".join([*FILLER[:6], *zebras, *FILLER[6:]])
    assert best_sentences("zebra lives in Africa", passage(text), encoder, n=2).count("zebra") == 2


def test_a_list_is_not_cut_from_its_beginning_nor_in_the_middle(encoder: FakeEncoder) -> None:
    items = ["- the zebra eats grass,", "- the zebra sleeps at night,", "- the lion rests."]
    led = "\n".join(["Of the animals", *items])
    text = "\n\n".join([*FILLER[:6], led, *FILLER[6:]])
    assert best_sentences("where the zebra sleeps", passage(text), encoder, n=1) == led
    assert best_sentences("of the animals", passage(text), encoder, n=1) == led


def test_a_sentence_that_is_complete_leads_into_no_list(encoder: FakeEncoder) -> None:
    items = "- the zebra eats grass,\n- the lion rests."
    text = "\n\n".join([*FILLER[:6], "Lions live in Africa.", items, *FILLER[6:]])
    assert best_sentences("lions live in Africa", passage(text), encoder, n=1) == (
        "Lions live in Africa."
    )
    assert best_sentences("the zebra eats grass", passage(text), encoder, n=1) == items


def test_without_a_question_the_passage_is_given_whole(encoder: FakeEncoder) -> None:
    text = " ".join(FILLER)
    assert best_sentences(" ", passage(text), encoder) == text
