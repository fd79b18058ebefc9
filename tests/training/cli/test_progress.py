"""What a training run tells while it runs."""

import pytest

from training.cli.progress import _lines, progress_bar


def test_without_a_terminal_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading") as report:
        report(0.5, "training")
    assert capsys.readouterr().err == ""


def test_a_long_run_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    report = _lines(every_s=0.0)
    report(0.5, "epoch 3 of 8")
    assert capsys.readouterr().err == "epoch 3 of 8 (50%)\n"
