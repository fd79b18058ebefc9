import pytest

from agent.errors import AgentError
from training import bounds
from training.bounds import Bounds, resident_mb


def test_a_run_within_its_bounds_goes_on() -> None:
    Bounds(60, 100_000).check()


def test_a_run_that_takes_too_long_is_given_up_and_names_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Bounds(minutes=2, memory_mb=0, began=1_000.0)
    monkeypatch.setattr(bounds, "monotonic", lambda: 1_119.0)
    begun.check()
    monkeypatch.setattr(bounds, "monotonic", lambda: 1_121.0)
    with pytest.raises(AgentError, match=r"longer than 2 minutes \(learning.budget_minutes\)"):
        begun.check()


def test_a_run_that_grows_too_large_is_given_up_and_names_the_setting() -> None:
    used = int(resident_mb())
    assert used > 20
    with pytest.raises(AgentError, match=rf"more than {used // 2} \(learning.memory_mb\)"):
        Bounds(60, used // 2).check()
    Bounds(60, 2 * used).check()
    Bounds(60, 0).check()
