from collections.abc import Sequence

import numpy as np

from agent.feedback.correction import Change, Correction
from agent.project.types import Example
from agent.turn import now
from training.doubt import Floats, Known, confirmed, find_doubtful

RNG = np.random.default_rng(3)
CENTRES = {name: RNG.normal(size=16) for name in ("pay", "block", "greet", "bye")}


def vector(name: str) -> Floats:
    found = CENTRES[name] + 0.4 * RNG.normal(size=16)
    return (found / np.linalg.norm(found)).astype(np.float32)


def test_wrong_labels_among_corrections_are_found_and_right_ones_mostly_left() -> None:
    names = list(CENTRES)
    base = [name for name in names for _ in range(50)]
    known = Known(np.stack([vector(name) for name in base]), base)
    gold = [names[i % 4] for i in range(200)]
    vectors = {f"t{i}": vector(name) for i, name in enumerate(gold)}
    wrong = set(range(0, 200, 20))
    examples = [
        Example(f"t{i}", names[(i + 1) % 4] if i in wrong else name, source=f"correction:{i}")
        for i, name in enumerate(gold)
    ]

    def encode(texts: Sequence[str]) -> Floats:
        return np.stack([vectors[text] for text in texts])

    found = {int(one) for one in find_doubtful(examples, known, encode)}
    assert len(found & wrong) >= 0.7 * len(wrong)
    assert len(found) <= 0.15 * len(examples)


def test_a_handful_of_corrections_is_never_doubted() -> None:
    examples = [Example("a", "pay", source="correction:1")]
    assert find_doubtful(examples, Known(np.zeros((0, 4), np.float32), []), lambda _: _) == {}  # type: ignore[return-value,arg-type]


def test_a_correction_that_two_people_stand_by_is_confirmed() -> None:
    accepted = Change("accepted", "ann", now())
    alone = Correction("t", "intent", "ann", intent="pay", trust="reviewer", history=(accepted,))
    assert not confirmed(alone)
    users = Correction("t", "intent", "bob", intent="pay", trust="signed_in", history=(accepted,))
    assert confirmed(users)
