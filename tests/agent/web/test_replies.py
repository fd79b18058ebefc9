from agent.turn import Button, Reply
from agent.web.replies import channel_messages, outlet_messages, reply_json
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


def test_buttons_keep_their_text_whole_and_need_none() -> None:
    yes = Button("Yes", "/affirm")
    shown = [{"title": "Yes", "payload": "/affirm"}]
    replies = [Reply("u", text="A\n\nB", buttons=(yes,)), Reply("u", buttons=(yes,))]
    assert channel_messages(replies) == [
        {"recipient_id": "u", "text": "A\n\nB", "buttons": shown},
        {"recipient_id": "u", "buttons": shown},
    ]


def test_elements_are_told_in_words_where_they_cannot_be_shown() -> None:
    buy = {"title": "Buy", "payload": "/buy"}
    cards = ({"title": "Tea", "subtitle": "green", "buttons": [buy]}, {"title": "Cup"}, "none")
    assert channel_messages([Reply("u", elements=cards)]) == [
        {"recipient_id": "u", "text": "Tea : green", "buttons": [buy]},
        {"recipient_id": "u", "text": "Cup : ", "buttons": []},
    ]
    assert outlet_messages([Reply("u", elements=cards[:1])]) == [
        {"recipient_id": "u", "elements": [cards[0]]}
    ]
