"""What `agent train --cure` understands."""

import pytest

from training.cures.flags import CURES, read_cures
from training.errors import InputError
from training.network.recipe import Recipe


def test_cures_set_numbers_of_the_recipe() -> None:
    assert read_cures(["rdrop", "smoothing=0.2"]) == {"rdrop": 1.0, "label_smoothing": 0.2}
    assert read_cures(["pgd=2"]) == {"adversarial": 2.0, "adversarial_steps": 3}
    assert read_cures(["ensemble=4"]) == {"ensemble": 4}


def test_every_cure_is_off_unless_it_is_asked_for() -> None:
    off = {"ensemble": 1}
    for cure in CURES.values():
        assert getattr(Recipe(), cure.key) == off.get(cure.key, 0)
        assert set(cure.also) <= set(Recipe.__dataclass_fields__)


@pytest.mark.parametrize("wrong", ["magic", "rdrop=x", "rdrop=-1", "fgm=nan", "typos=2"])
def test_a_cure_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="--cure"):
        read_cures([wrong])
