from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent.feedback.correction import Correction, Prediction
from agent.project.types import EntityAnnotation, Example, NluData
from training.curate import correction_ids, curate

START = datetime(2026, 1, 1, tzinfo=UTC)
BASE = NluData(examples=(Example("hello", "greet"), Example("block it", "block_card")))


def correction(number: int, text: str, **parts: object) -> Correction:
    return Correction(
        text=text,
        kind="intent",
        author="ops",
        id=f"c{number}",
        state="accepted",
        created_at=START + timedelta(minutes=number),
        predicted=Prediction("greet", 0.5),
        **parts,  # type: ignore[arg-type]
    )


def test_a_correction_becomes_an_example_that_names_it() -> None:
    curated = curate([correction(1, "kill my card", intent="block_card")], BASE, held_out=0.2)
    (example,) = curated.examples
    assert (example.text, example.intent) == ("kill my card", "block_card")
    assert correction_ids(curated.examples) == ("c1",)


def test_the_newest_correction_of_a_text_counts() -> None:
    older = correction(1, "kill my card", intent="greet")
    newer = correction(2, "Kill  my card", intent="block_card")
    curated = curate([newer, older], BASE, held_out=0)
    assert [e.intent for e in curated.examples] == ["block_card"]
    assert curated.skipped == {"c1": "a newer correction of the text"}


def test_corrected_entities_keep_the_predicted_intent() -> None:
    spans = (EntityAnnotation(8, 12, "thing", "card"),)
    curated = curate([correction(1, "kill my card", entities=spans)], BASE, held_out=0)
    assert curated.examples[0].intent == "greet"
    assert curated.examples[0].entities == spans


def test_labels_are_learned_and_kept_by_a_later_correction_of_the_intent() -> None:
    told = [
        correction(1, "kill my card", intent="greet", labels={"sentiment": "negative"}),
        correction(2, "kill my card", intent="block_card"),
    ]
    (example,) = curate(told, BASE, held_out=0).examples
    assert (example.intent, example.labels) == ("block_card", {"sentiment": "negative"})


def test_an_answer_trains_nothing() -> None:
    curated = curate([correction(1, "who are you", answer="Wick.")], BASE, held_out=0)
    assert curated.examples == ()
    assert "c1" in curated.skipped


def test_a_retrieval_key_is_split_from_its_intent() -> None:
    curated = curate([correction(1, "open today?", intent="faq/hours")], BASE, held_out=0)
    assert (curated.examples[0].intent, curated.examples[0].response) == ("faq", "faq/hours")


def test_a_base_example_that_a_correction_contradicts_is_overruled() -> None:
    curated = curate([correction(1, "Block it", intent="cancel")], BASE, held_out=0)
    assert [e.text for e in curated.overruled] == ["block it"]
    assert [(e.text, e.intent) for e in curated.mixed_with(BASE).examples] == [
        ("hello", "greet"),
        ("Block it", "cancel"),
    ]


def test_held_out_corrections_are_chosen_by_their_text_and_never_trained_on() -> None:
    many = [correction(i, f"message number {i}", intent="block_card") for i in range(200)]
    curated = curate(many, BASE, held_out=0.2)
    again = curate(reversed(many), BASE, held_out=0.2)
    assert {e.text for e in curated.held_out} == {e.text for e in again.held_out}
    assert 20 <= len(curated.held_out) <= 60
    trained = {e.text for e in curated.mixed_with(BASE).examples}
    assert trained.isdisjoint(e.text for e in curated.held_out)


def test_a_few_corrections_are_all_learned() -> None:
    few = [correction(i, f"message number {i}", intent="block_card") for i in range(4)]
    assert curate(few, BASE, held_out=0.9).held_out == ()


def test_what_was_drawn_at_random_only_judges() -> None:
    drawn = correction(1, "kill my card", intent="block_card", drawn=True)
    again = correction(2, "Kill my card", intent="block_card")
    curated = curate([drawn, again], BASE, held_out=0)
    assert [e.text for e in curated.drawn] == ["Kill my card"]
    assert curated.examples == ()
    assert all(e.text != "Kill my card" for e in curated.mixed_with(BASE).examples)


def test_contradictions_with_base_data_and_with_each_other_are_listed() -> None:
    older = correction(1, "block it", intent="greet")
    newer = correction(2, "block it", intent="pay")
    curated = curate([older, newer], BASE, held_out=0)
    found = {(clash.kept, clash.against, clash.source) for clash in curated.clashes}
    assert found == {("pay", "block_card", "base"), ("pay", "greet", "correction:c1")}


def test_doubtful_corrections_are_left_out_with_the_reason() -> None:
    one = correction(1, "kill my card", intent="block_card")
    curated = curate([one], BASE, held_out=0, doubtful={"c1": "doubtful"})
    assert (curated.examples, curated.skipped) == ((), {"c1": "doubtful"})


def test_one_author_does_not_outweigh_all_others() -> None:
    many = [correction(i, f"text {i}", intent="greet") for i in range(30)]
    others = [
        replace(correction(i, f"text {i}", intent="greet"), author=f"a{i}") for i in range(30, 40)
    ]
    curated = curate([*many, *others], BASE, held_out=0)
    weights = {
        i: e.weight for i, e in zip(correction_ids(curated.examples), curated.examples, strict=True)
    }
    assert weights["c0"] < weights["c35"]
    assert sum(weights[f"c{i}"] for i in range(30)) <= 0.5 * len(weights) * weights["c35"] + 1e-9


def test_an_example_of_an_intent_that_the_base_lacks_counts_four_times() -> None:
    base = NluData(tuple(Example(f"text {i}", "greet") for i in range(20)))
    found = [correction(1, "kill my card", intent="block"), correction(2, "hi", intent="greet")]
    mixed = curate(found, base, held_out=0).mixed_with(base)
    weights = {e.intent: e.weight for e in mixed.examples[-2:]}
    assert weights["block"] == 4 * weights["greet"]


def test_many_corrections_count_less_than_examples_and_a_few_in_full() -> None:
    base = NluData(tuple(Example(f"text {i}", "greet") for i in range(20)))
    found = [correction(i, f"hello {i}", intent="greet") for i in range(100)]
    few, many = (curate(part, base, held_out=0).mixed_with(base) for part in (found[:9], found))
    assert {e.weight for e in few.examples} == {1.0}
    assert {e.weight for e in many.examples if e.source.startswith("corr")} == {0.25}


NAMES = frozenset({"person"})


def named(number: int, text: str, name: str, **parts: object) -> Correction:
    start = text.index(name)
    span = EntityAnnotation(start, start + len(name), "person", name)
    return correction(number, text, entities=(span,), **parts)


def test_no_example_has_the_name_that_a_correction_marks() -> None:
    taught = [named(1, "send 5 to Zoltan", "Zoltan", intent="pay")]
    (example,) = curate(taught, BASE, held_out=0, names=NAMES).examples
    (span,) = example.entities
    assert "Zoltan" not in str(example)
    assert example.text == f"send 5 to {example.text[span.start : span.end]}"
    assert span.value == example.text[span.start : span.end] != "<NAME>"


def test_corrections_of_one_message_with_other_names_are_one() -> None:
    both = [named(n, f"send 5 to {w}", w, intent="pay") for n, w in enumerate(("Zoltan", "Ann"))]
    curated = curate(both, BASE, held_out=0, names=NAMES)
    assert correction_ids(curated.examples) == ("c1",)


def test_a_base_example_that_differs_in_the_name_alone_is_overruled() -> None:
    told = Example("send 5 to Ann", "greet", (EntityAnnotation(10, 13, "person", "Ann"),))
    base = NluData((*BASE.examples, told))
    taught = [named(1, "send 5 to Zoltan", "Zoltan", intent="pay")]
    curated = curate(taught, base, held_out=0, names=NAMES)
    assert curated.overruled == (told,)
    assert {e.intent for e in curated.mixed_with(base).examples} == {"greet", "block_card", "pay"}
    assert told not in curated.mixed_with(base).examples


def test_what_a_newer_correction_leaves_open_an_older_one_says() -> None:
    spans = (EntityAnnotation(5, 7, "what", "my"),)
    marked = correction(1, "kill my card", entities=spans)
    named_later = correction(2, "kill my card", intent="block_card")
    answered = correction(3, "kill my card", answer="Done.")
    curated = curate([marked, named_later, answered], BASE, held_out=0)
    (example,) = curated.examples
    assert (example.intent, example.entities) == ("block_card", spans)
    assert example.source == "correction:c2"


def test_a_message_whose_name_was_exchanged_is_kept_as_it_was_stored() -> None:
    told = [
        named(1, "send 5 to Zoltan", "Zoltan", intent="pay"),
        correction(2, "stop it", intent="block_card"),
    ]
    curated = curate(told, BASE, held_out=0, names=NAMES)
    assert {one: e.text for one, e in curated.as_stored.items()} == {"c1": "send 5 to Zoltan"}
    assert curated.taught() == told


def test_a_correction_that_was_amended_last_holds() -> None:
    first = correction(1, "hats?", intent="greet").moved("pending", "ada")
    amended = replace(first, intent="block_card").moved("accepted", "ada")
    newer = correction(2, "hats?", intent="greet")
    (example,) = curate([amended, newer], BASE, held_out=0).examples
    assert example.intent == "block_card"
