"""Which examples the network that is kept was taught, and in how many courses."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import training.network.courses
from tests.training.tiny import examples
from training.corpus import hold_out, read_corpus
from training.label_names import SOURCE
from training.network import full, trainer
from training.network.start import Part
from training.options import TrainOptions

Courses = Callable[..., list[int]]
_ALL = len(examples().examples)
_KEPT = len(hold_out(read_corpus(examples()).examples)[0])


@pytest.fixture
def courses(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Courses:
    """How many examples each course from the beginning was given, and 0 for one that goes on."""
    given: list[int] = []
    first, second = training.network.courses._first_course, training.network.courses.second_course

    def noted(run: Any, learned: Part, *others: Any) -> None:
        given.append(sum(e.source != SOURCE for e in learned.examples))
        first(run, learned, *others)

    def continued(*arguments: Any) -> None:
        given.append(0)
        second(*arguments)

    monkeypatch.setattr(training.network.courses, "_first_course", noted)
    monkeypatch.setattr(full, "second_course", continued)

    def run(**options: Any) -> list[int]:
        given.clear()
        chosen = TrainOptions(encoder=str(tiny_encoder), threads=1, epochs=1, **options)
        full._trained(read_corpus(examples()), None, chosen)
        return given

    return run


def test_few_examples_are_learned_from_the_beginning_with_those_held_out(courses: Courses) -> None:
    assert courses() == [_KEPT, _ALL]
    assert _KEPT < _ALL


def test_every_network_of_an_ensemble_learns_all_examples_at_last(courses: Courses) -> None:
    assert courses(cures={"ensemble": 2}) == [_KEPT] * 3 + [_ALL] * 3


def test_of_many_examples_the_held_out_ones_are_learned_in_a_short_course(
    courses: Courses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "_FEW", _ALL - 1)
    assert courses() == [_KEPT, 0]


def test_what_must_end_by_a_given_time_does_not_begin_again(courses: Courses) -> None:
    assert courses(deadline=monotonic() + 60) == [_KEPT, 0]


def test_progress_never_goes_back(courses: Courses) -> None:
    told: list[float] = []
    courses(progress=lambda done, _text: told.append(done), compress=False)
    assert told == sorted(told)
    assert told[-1] <= 0.8


def test_the_teacher_of_a_compressed_network_sees_the_held_out_ones_before_it_teaches_them(
    courses: Courses, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, bool]] = []

    def noted(network: Any, items: Any, *others: Any, **options: Any) -> Any:
        given.append((network.encoder.config.num_hidden_layers, options.get("teach") is not None))
        return trainer.fine_tune(network, items, *others, **options)

    monkeypatch.setattr(training.network.courses, "fine_tune", noted)
    monkeypatch.setattr(full, "_FEW", _ALL - 1)
    told: list[float] = []
    courses(compress=True, progress=lambda done, _text: told.append(done))
    assert given == [(2, False), (1, True), (2, False), (1, True)]
    assert told == sorted(told)
