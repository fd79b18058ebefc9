from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.memory import BaseExamples, CorrectionMemory, MemoryEntry, fold

VECTORS = {
    "my plastic vanished": [1.0, 0.0, 0.0],
    "the plastic is gone": [0.98, 0.199, 0.0],
    "send money": [0.0, 1.0, 0.0],
    "lend me money": [0.1, 0.0, 0.995],
}


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    rows = np.array([VECTORS.get(t, [0.0, 0.0, 1.0]) for t in texts], dtype=np.float32)
    unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def memory(base: BaseExamples | None = None) -> CorrectionMemory:
    return CorrectionMemory(encode=encode, base=base)


def heard(text: str) -> Understanding:
    return Understanding(text, (IntentScore("greet", 0.8), IntentScore("transfer", 0.2)))


def adjust(store: CorrectionMemory, text: str) -> Understanding:
    return store.adjust(heard(text), encode([text])[0])


def test_the_same_text_takes_the_corrected_intent() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "My plastic vanished!", "block_card"))
    result = adjust(store, "my  plastic vanished")
    assert result.intent == IntentScore("block_card", 1.0)
    assert result.source == "correction"
    assert result.in_scope == 1.0
    assert result.neighbours[0].exact


def test_the_same_text_takes_the_corrected_label_of_a_further_head() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "send money", "transfer"))
    store.add(MemoryEntry("c2", "send money", labels={"sentiment": "negative"}))
    result = adjust(store, "Send money")
    assert result.heads["sentiment"] == (IntentScore("negative", 1.0),)
    assert result.intent == IntentScore("transfer", 1.0)


def test_a_paraphrase_takes_the_corrected_intent() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", "block_card"))
    result = adjust(store, "the plastic is gone")
    assert result.intent is not None
    assert result.intent.intent == "block_card"
    assert 0.5 < result.neighbours[0].weight <= 0.95


def test_an_unrelated_message_is_left_alone() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", "block_card"))
    assert adjust(store, "lend me money") == heard("lend me money")


def test_a_nearer_base_example_of_another_intent_outweighs_a_correction() -> None:
    base = BaseExamples(encode(["the plastic is gone"]), np.array(["order_card"]))
    store = memory(base)
    store.add(MemoryEntry("c1", "my plastic vanished", "block_card"))
    result = adjust(store, "the plastic is gone")
    assert result.intent is not None
    assert result.intent.intent == "greet"


def test_the_newest_correction_of_a_text_wins() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "send money", "transfer"))
    store.add(MemoryEntry("c2", "send money", "loan"))
    result = adjust(store, "send money")
    assert result.intent == IntentScore("loan", 1.0)
    store.remove("c2")
    assert adjust(store, "send money").intent == IntentScore("transfer", 1.0)


def test_a_correction_that_was_overruled_does_not_come_back_when_the_newer_one_retires() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", "block_card", answer="Sorry."))
    store.add(MemoryEntry("c2", "My plastic vanished!", "greet", retired=True))
    assert (len(store), "c2" in store) == (1, False)
    assert adjust(store, "my plastic vanished").intent == IntentScore("greet", 0.8)
    near = adjust(store, "the plastic is gone")
    assert (near.intent, near.answer) == (IntentScore("greet", 0.8), "Sorry.")
    store.remove("c2")
    assert adjust(store, "my plastic vanished").intent == IntentScore("block_card", 1.0)


def test_a_paraphrase_takes_the_newest_correction_of_the_same_text() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", "complain"))
    store.add(MemoryEntry("c2", "my plastic vanished", "block_card"))
    result = adjust(store, "the plastic is gone")
    assert result.intent is not None
    assert (result.intent.intent, result.neighbours[0].correction_id) == ("block_card", "c2")


def test_a_removed_correction_has_no_influence_on_paraphrases() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", "block_card"))
    adjust(store, "the plastic is gone")
    store.remove("c1")
    assert adjust(store, "the plastic is gone") == heard("the plastic is gone")


def test_a_retrieval_key_is_corrected_with_its_intent() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "open today?", "faq/hours"))
    before = Understanding(
        "open today?",
        (IntentScore("greet", 1.0),),
        responses={"faq": (IntentScore("faq/fees", 1.0),)},
    )
    result = store.adjust(before, encode(["open today?"])[0])
    assert result.intent == IntentScore("faq", 1.0)
    assert result.responses["faq"][0] == IntentScore("faq/hours", 1.0)


def test_corrected_entities_move_with_the_text() -> None:
    store = memory()
    span = Entity("payee", 5, 8, "Ann", "Ann")
    store.add(MemoryEntry("c1", "send Ann money", None, (span,)))
    result = adjust(store, "  Send ANN money!")
    (entity,) = result.entities
    assert (entity.text, entity.start) == ("ANN", 7)
    assert result.intent == IntentScore("greet", 0.8)


def test_a_corrected_answer_is_given_to_the_same_text_only_near_by() -> None:
    store = memory()
    store.add(MemoryEntry("c1", "my plastic vanished", None, None, "We are sorry."))
    assert adjust(store, "my plastic vanished").answer == "We are sorry."
    assert adjust(store, "the plastic is gone").answer == "We are sorry."
    assert adjust(store, "lend me money").answer is None


def test_a_correction_stored_without_personal_data_fits_a_message_that_has_them() -> None:
    store = memory()
    span = Entity("contact", 13, 20, "<EMAIL>", "<EMAIL>")
    store.add(MemoryEntry("c1", "write it to: <EMAIL> today", "send", (span,)))
    result = adjust(store, "write it to: jo@example.com today")
    assert result.intent == IntentScore("send", 1.0)
    (entity,) = result.entities
    assert (entity.text, entity.value) == ("jo@example.com", "jo@example.com")


def named(text: str, name: str) -> Understanding:
    start = text.index(name)
    span = Entity("person", start, start + len(name), name, name, extractor="network")
    return Understanding(text, (IntentScore("greet", 0.8),), (span,))


def with_names() -> CorrectionMemory:
    return CorrectionMemory(encode=encode, names=frozenset({"person"}))


def test_a_correction_stored_without_a_name_fits_a_message_that_has_one() -> None:
    store = with_names()
    span = Entity("person", 5, 11, "<NAME>", "<NAME>")
    store.add(MemoryEntry("c1", "lend <NAME> money", "lend", (span,)))
    text = "Lend Ann Lee money!"
    result = store.adjust(named(text, "Ann Lee"), encode([text])[0])
    assert (result.intent, result.neighbours[0].exact) == (IntentScore("lend", 1.0), True)
    (entity,) = result.entities
    assert (entity.start, entity.end, entity.value) == (5, 12, "Ann Lee")


def test_a_correction_of_a_name_that_was_not_found_fits_when_it_is_found() -> None:
    store = with_names()
    store.add(MemoryEntry("c1", "lend Ann Lee money", "lend"))
    text = "lend Ann Lee money"
    result = store.adjust(named(text, "Ann Lee"), encode([text])[0])
    assert result.intent == IntentScore("lend", 1.0)


def test_a_correction_that_marks_a_name_holds_for_other_names() -> None:
    store = with_names()
    taught = Entity("person", 5, 12, "Ann Lee", "Ann Lee")
    store.add(MemoryEntry("c1", "lend Ann Lee money", "lend", (taught,)))
    result = store.adjust(named("lend Bob money", "Bob"), encode(["send money"])[0])
    assert (result.intent, result.neighbours[0].exact) == (IntentScore("lend", 1.0), True)
    assert [(e.start, e.end, e.value) for e in result.entities] == [(5, 8, "Bob")]
    store.remove("c1")
    assert store.adjust(named("lend Bob money", "Bob"), encode(["a"])[0]).source == "model"


def test_a_later_correction_fits_though_the_name_was_taught_by_an_earlier_one() -> None:
    store = with_names()
    taught = Entity("person", 5, 12, "Ann Lee", "Ann Lee")
    store.add(MemoryEntry("c1", "lend Ann Lee money", "lend", (taught,)))
    # The log of the next turn masks the name, and so does a correction of that turn.
    store.add(MemoryEntry("c2", "lend <NAME> money", "transfer"))
    result = adjust(store, "lend Ann Lee money")
    assert result.intent == IntentScore("transfer", 1.0)
    assert [e.value for e in result.entities] == ["Ann Lee"]


def test_a_placeholder_is_not_the_word_that_it_is_written_with() -> None:
    store = with_names()
    store.add(MemoryEntry("c1", "lend <NAME>", "lend"))
    assert not adjust(store, "lend name").neighbours[0].exact


def test_a_paraphrase_is_compared_without_its_name() -> None:
    store = with_names()
    VECTORS.update({"lend <NAME> money": [0.0, 0.6, 0.8], "give <NAME> money": [0.0, 0.61, 0.79]})
    store.add(MemoryEntry("c1", "lend <NAME> money", "lend"))
    text = "give Ann Lee money"
    result = store.adjust(named(text, "Ann Lee"), encode(["send money"])[0])
    assert result.intent is not None
    assert result.intent.intent == "lend"


@pytest.mark.parametrize("text", ["🙂", "余额", "!!!", "مرحبا"])
def test_any_text_can_be_corrected(text: str) -> None:
    store = memory()
    store.add(MemoryEntry("c1", text, "mood"))
    assert adjust(store, text).intent == IntentScore("mood", 1.0)


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_a_correction_that_the_model_rules_out_weighs_less_than_one_it_cannot_know() -> None:
    base = BaseExamples(encode(["send money"]), np.array(["ruled_out"]))
    known, unseen = memory(base), memory(base)
    known.add(MemoryEntry("c1", "my plastic vanished", "ruled_out"))
    unseen.add(MemoryEntry("c1", "my plastic vanished", "new_intent"))
    weights = [adjust(m, "the plastic is gone").neighbours[0].weight for m in (known, unseen)]
    assert weights[0] < 0.5 < weights[1]


def test_a_weight_up_to_a_half_leaves_the_best_intent_where_it_is() -> None:
    base = BaseExamples(encode(["the plastic is gone"]), np.array(["transfer"]))
    store = memory(base)
    store.add(MemoryEntry("c1", "my plastic vanished", "new_intent"))
    result = adjust(store, "the plastic is gone")
    assert result.neighbours[0].weight <= 0.5
    assert result.intent is not None
    assert result.intent.intent == "greet"
    assert result.source == "model"
