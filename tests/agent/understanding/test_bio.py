"""Spans to tags and back in any script, and a decoder that never breaks the rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from agent.errors import ProjectError
from agent.project.types import EntityAnnotation, Example, Place
from agent.understanding.bio import (
    check_spans,
    decode_logits,
    decode_tags,
    encode_spans,
    find_units,
)
from agent.understanding.labels import SpanType
from agent.understanding.transitions import count_transitions, follow_scores

CITY, FROM, TO = SpanType("city"), SpanType("account", role="from"), SpanType("account", role="to")
TYPES = (CITY, FROM, TO)


def bert_like() -> Tokenizer:
    """Splits as BERT does, every word into letters."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def byte_level() -> Tokenizer:
    """Splits as RoBERTa does, into bytes."""
    alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def units_of(text: str, tokenizer: Tokenizer | None = None) -> list[tuple[int, int]]:
    offsets = (tokenizer or bert_like()).encode(text).offsets
    return [(unit.start, unit.end) for unit in find_units(text, offsets)]


def words_of(text: str, tokenizer: Tokenizer | None = None) -> list[str]:
    return [text[start:end] for start, end in units_of(text, tokenizer)]


def span(text: str, words: str, kind: SpanType = CITY) -> EntityAnnotation:
    start = text.index(words)
    return EntityAnnotation(start, start + len(words), kind.label, words, kind.role, kind.group)


def round_trip(text: str, spans: list[EntityAnnotation], tokenizer: Tokenizer) -> list[str]:
    units = find_units(text, tokenizer.encode(text).offsets)
    tags, lost = encode_spans(units, spans, TYPES)
    assert not lost
    return [text[s.start : s.end] for s in decode_tags(units, tags, TYPES)]


def test_a_word_of_several_sub_words_is_one_unit() -> None:
    assert units_of("ab", byte_level()) == [(0, 2)]


def test_amount_and_currency_that_touch_are_two_units() -> None:
    assert words_of("20eur", byte_level()) == ["20", "eur"]


def test_every_ideograph_is_a_unit_of_its_own() -> None:
    assert words_of("去北京 ok") == ["去", "北", "京", "ok"]


def test_a_combining_mark_belongs_to_its_letter() -> None:
    assert words_of("cafe\u0301 au") == ["cafe\u0301", "au"]


def test_signs_of_the_writing_direction_are_no_part_of_a_word() -> None:
    assert words_of("\u202efly to rome\u202c, \u2067cafe\u0301\u2069") == [
        "fly",
        "to",
        "rome",
        ",",
        "cafe\u0301",
    ]


def test_a_byte_level_tokenizer_keeps_characters_whole() -> None:
    assert words_of("né 👍🏽 ok", byte_level()) == ["né", "👍🏽", "ok"]


def test_a_leading_space_is_no_part_of_a_unit() -> None:
    assert units_of("a b", byte_level()) == [(0, 1), (2, 3)]


@pytest.mark.parametrize("tokenizer", [bert_like(), byte_level()], ids=["bert", "bytes"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fly to New York now", "New York"),
        ("我想去北京玩", "北京"),
        ("去 上海 玩", "上海"),
        ("لطفا به تهران بروید", "تهران"),
        ("אני רוצה ללכת לתל אביב", "לתל אביב"),
        ("go to Zu\u0308rich please", "Zu\u0308rich"),
        ("meet me in 🏠 home 🏠", "home"),
        ("東京タワーへ", "東京"),
        ("no\u200bspace in Oslo", "Oslo"),
    ],
)
def test_spans_survive_any_script(tokenizer: Tokenizer, text: str, words: str) -> None:
    assert round_trip(text, [span(text, words)], tokenizer) == [words]


def test_neighbouring_spans_of_one_type_stay_apart() -> None:
    text = "paris london"
    spans = [span(text, "paris"), span(text, "london")]
    assert round_trip(text, spans, bert_like()) == ["paris", "london"]


def test_roles_are_types_of_their_own() -> None:
    text = "from savings to joint"
    units = find_units(text, bert_like().encode(text).offsets)
    spans = [span(text, "savings", FROM), span(text, "joint", TO)]
    tags, _ = encode_spans(units, spans, TYPES)
    assert [s.kind.role for s in decode_tags(units, tags, TYPES)] == ["from", "to"]


def test_a_span_of_characters_that_the_tokenizer_drops_is_reported_lost() -> None:
    text = "a \u200b\u200b b"
    units = find_units(text, bert_like().encode(text).offsets)
    lost = EntityAnnotation(5, 5, "city", "")
    assert encode_spans(units, [lost], TYPES)[1] == [lost]


visible = st.characters(categories=("L", "N", "P", "S"))
# Combining accents, Arabic and Hebrew points, a variation selector, the joiner of emoji families.
marks = st.text(st.sampled_from("\u0301\u0308\u064b\u05b8\ufe0f\u200d"), max_size=2)
word = st.lists(st.tuples(visible, marks).map("".join), min_size=1, max_size=8).map("".join)


@pytest.mark.parametrize("tokenizer", [bert_like(), byte_level()], ids=["bert", "bytes"])
@given(words=st.lists(word, min_size=1, max_size=8), data=st.data())
def test_any_run_of_whole_words_round_trips(
    tokenizer: Tokenizer, words: list[str], data: st.DataObject
) -> None:
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    start = len(" ".join(words[:first])) + (first > 0)
    chosen = " ".join(words[first : last + 1])
    annotation = EntityAnnotation(start, start + len(chosen), "city", chosen)
    assert round_trip(text, [annotation], tokenizer) == [chosen]


def test_how_the_training_datas_tags_follow_each_other_decides_where_a_span_ends() -> None:
    text = "go to new york"
    units = find_units(text, bert_like().encode(text).offsets)
    logits = np.full((4, 3), -9, np.float32)
    logits[:2, 0], logits[2, 1], logits[3, 0], logits[3, 2] = 9, 9, 1, 0.8
    follows = follow_scores(count_transitions([[0, 0, 1, 2, 2, 0]] * 20, 3, 0.5))
    plain = decode_logits(units, logits, (CITY,))
    told = decode_logits(units, logits, (CITY,), follows)
    assert [text[s.start : s.end] for s in plain] == ["new"]
    assert [text[s.start : s.end] for s in told] == ["new york"]


def test_a_sure_span_has_high_confidence_and_a_doubtful_one_low() -> None:
    text = "go to paris"
    units = find_units(text, bert_like().encode(text).offsets)
    sure, doubtful = np.zeros((3, 7), np.float32), np.zeros((3, 7), np.float32)
    sure[:, 0], sure[2] = 9, [0, 9, 0, 0, 0, 0, 0]
    doubtful[:, 0], doubtful[2] = 9, [0.9, 1, 0, 0, 0, 0, 0]
    high = decode_logits(units, sure, TYPES)
    low = decode_logits(units, doubtful, TYPES)
    assert [text[s.start : s.end] for s in (*high, *low)] == ["paris", "paris"]
    assert high[0].confidence > 0.99
    assert low[0].confidence < 0.5


def test_overlapping_annotations_are_refused_with_their_line() -> None:
    text = "new york city"
    spans = (EntityAnnotation(0, 8, "city", ""), EntityAnnotation(4, 13, "place", ""))
    with pytest.raises(ProjectError, match=r"nlu\.yml:7: .*'city'.*'place'.*overlap"):
        check_spans(Example(text, "go", spans, place=Place("nlu.yml", 7)))


def test_an_annotation_outside_the_text_is_refused() -> None:
    spans = (EntityAnnotation(2, 9, "city", ""),)
    with pytest.raises(ProjectError, match="not inside the text"):
        check_spans(Example("short", "go", spans))
