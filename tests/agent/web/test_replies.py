from agent.turn import Reply
from agent.web.replies import channel_messages, reply_json
from agent.web.schemas import SourceOut
from knowledge.passage import Passage, ScoredPassage

PASSAGE = Passage(
    "a.md#1", "a.md", "Fees", "Two euros.", 12, 22, metadata={"url": "https://bank.test/fees"}
)
REPLY = Reply("u", text="Two euros.\n\nNo more.", passages=(ScoredPassage(PASSAGE, 0.9),))


def test_a_source_names_title_link_and_place_of_its_passage() -> None:
    (source,) = reply_json(REPLY)["sources"]
    assert SourceOut(**source).model_dump() == source
    assert (source["title"], source["url"]) == ("Fees", "https://bank.test/fees")
    assert (source["document_id"], source["start"], source["end"]) == ("a.md", 12, 22)


def test_rasa_s_channels_get_its_own_shape() -> None:
    assert channel_messages([REPLY]) == [
        {"recipient_id": "u", "text": "Two euros."},
        {"recipient_id": "u", "text": "No more."},
    ]
