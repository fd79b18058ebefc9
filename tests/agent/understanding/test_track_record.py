from pathlib import Path

import pytest

from agent.feedback.correction import Correction
from agent.feedback.masking import mask
from agent.understanding.track_record import TrackRecord


def corrected(text: str, intent: str, state: str = "accepted", name: str = "") -> Correction:
    return Correction(
        text=text,
        kind="intent",
        author="ops",
        id=name or text,
        intent=intent,
        state=state,  # type: ignore[arg-type]
    )


def test_trust_begins_at_a_half_and_follows_the_reviewers() -> None:
    record = TrackRecord()
    assert record.trust() == 0.5
    for text in ("a", "b", "c", "d"):
        record.note(text, "loan")
    for text in ("A!", "b", "c"):
        record.judge(corrected(text, "loan"))
    record.judge(corrected("d", "card"))
    record.judge(corrected("never proposed", "card"))
    assert record.trust() == pytest.approx(4 / 6)


def test_a_judgement_counts_once_and_can_be_taken_back() -> None:
    record = TrackRecord()
    record.note("a", "loan")
    for _ in range(3):
        record.judge(corrected("a", "loan"))
    assert record.trust() == pytest.approx(2 / 3)
    record.judge(corrected("a", "loan", "rejected"))
    assert record.trust() == 0.5


def test_proposals_outlive_the_process_without_the_messages_words(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "proposals.json"
    TrackRecord(path).note("my secret wish", "loan")
    assert "secret" not in path.read_text()
    again = TrackRecord(path)
    again.judge(corrected("my secret wish", "loan"))
    assert again.trust() > 0.5


def test_personal_data_do_not_hide_a_message_from_its_correction() -> None:
    record = TrackRecord()
    record.note("write to ann@example.com", "contact")
    record.judge(corrected(mask("write to ann@example.com").text, "contact"))
    assert record.trust() == pytest.approx(2 / 3)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9, "proposed": {}}', '{"format": 1}'])
def test_a_damaged_file_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    record = TrackRecord(tmp_path / "p.json")
    record.note("a", "loan")
    assert TrackRecord(tmp_path / "p.json").trust() == 0.5


def test_only_the_last_proposals_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.understanding.track_record._KEPT", 2)
    record = TrackRecord()
    for text in ("a", "b", "c"):
        record.note(text, "loan")
        record.judge(corrected(text, "loan"))
    record.judge(corrected("a", "loan", name="again"))
    assert record.trust() == pytest.approx(4 / 5)


def test_that_nothing_fits_earns_no_trust_and_costs_none() -> None:
    record = TrackRecord()
    record.note("what do penguins eat", None)
    record.judge(corrected("what do penguins eat", "oos"))
    record.note("lend me money", None)
    record.judge(corrected("lend me money", "loan"))
    assert record.trust() == 0.5


def test_the_two_names_of_what_is_outside_are_one() -> None:
    record = TrackRecord()
    record.note("what do penguins eat", "out_of_scope")
    record.judge(corrected("what do penguins eat", "oos"))
    assert record.trust() == pytest.approx(2 / 3)


def test_another_model_has_to_earn_its_own_trust(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    TrackRecord(path, model="good").note("a", "loan")
    for model, trust in (("good", 2 / 3), ("new", 0.5)):
        record = TrackRecord(path, model=model)
        record.judge(corrected("a", "loan"))
        assert record.trust() == pytest.approx(trust)


def test_processes_share_what_was_proposed(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    one, other = TrackRecord(path), TrackRecord(path)
    one.note("a", "loan")
    other.note("b", "loan")
    for record in (one, other, TrackRecord(path)):
        for text in ("a", "b"):
            record.judge(corrected(text, "loan"))
        assert record.trust() == pytest.approx(3 / 4)


def test_a_file_that_cannot_be_written_costs_no_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    TrackRecord(tmp_path / "file" / "p.json").note("a", "loan")
    assert "cannot be kept" in caplog.text
