import pytest

from agent.feedback.agreement import nominal_alpha


def test_alpha_is_krippendorffs_own_example() -> None:
    # Krippendorff 2011, section C: four observers, nominal data, alpha = 0.743.
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
    alpha = nominal_alpha([unit for unit in units if len(unit) > 1])
    assert alpha == pytest.approx(0.743, abs=0.001)


def test_without_variety_there_is_no_alpha() -> None:
    assert nominal_alpha([["a", "a"], ["a", "a"]]) is None
