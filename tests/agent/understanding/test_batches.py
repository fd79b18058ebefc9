"""How texts are put together for a forward pass."""

from agent.understanding.runtime import batches_of


def test_short_texts_go_many_together() -> None:
    assert [len(batch) for batch in batches_of([10] * 70)] == [32, 32, 6]


def test_long_texts_go_few_together() -> None:
    assert [len(batch) for batch in batches_of([128] * 10)] == [4, 4, 2]


def test_a_text_too_long_for_any_batch_goes_alone() -> None:
    assert list(batches_of([5, 600, 600])) == [[0], [1], [2]]


def test_every_text_is_in_one_batch_shortest_first() -> None:
    lengths = [(7 * place) % 90 + 1 for place in range(200)]
    places = [place for batch in batches_of(lengths) for place in batch]
    assert sorted(places) == list(range(200))
    assert [lengths[place] for place in places] == sorted(lengths)
