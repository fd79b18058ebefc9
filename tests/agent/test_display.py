from agent.display import visible


def test_direction_and_control_characters_do_not_reach_a_terminal() -> None:
    shown = visible("pay \u202e007\u2066 now\x1b[31m\u200f\u2028")
    assert shown == "pay \ufffd007\ufffd now\ufffd[31m\ufffd\ufffd"


def test_texts_of_every_script_stay_as_they_are() -> None:
    for text in ("كم رصيدي", "می\u200cخواهم", "👩\u200d💻", "余额是多少", "one\n\ttwo"):
        assert visible(text) == text
