"""A tiny random encoder and a small made-up assistant's examples, for quick training tests."""

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from agent.project.types import EntityAnnotation, Example, NluData

SENTENCES = """
book a table for two in paris london rome send money to anna bob carla hello hi there good
morning bye see you soon what is the weather like today tomorrow please can i my card lost
block it now 20 50 eur in berlin 中 国 we need
"""
WORDS = SENTENCES.split()


def make_encoder(folder: Path) -> Path:
    """Write a two-layer BERT of 32 dimensions with a word-level vocabulary, random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789€!?.,'")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS)]
    pieces += [c for c in letters if c not in pieces] + [f"##{c}" for c in letters]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def examples() -> NluData:
    """Three intents and two entity types, a handful of sentences each."""
    cities, days = ("paris", "london", "rome"), ("today", "tomorrow")
    names, amounts = ("anna", "bob", "carla"), ("20", "50")
    rows = [_book(city, day) for city in cities for day in days]
    rows += [_send(name, amount) for name in names for amount in amounts]
    rows += [
        Example(text, "greet")
        for text in ("hello", "hi there", "good morning", "hello there", "hi", "good morning hello")
    ]
    return NluData(tuple(rows), synonyms={"eur": "EUR"})


def _book(city: str, day: str) -> Example:
    return annotated("book", f"book a table in [{city}] {day}", "city")


def _send(name: str, amount: str) -> Example:
    return annotated("send", f"send {amount} eur to [{name}] please", "payee")


def annotated(intent: str, text: str, label: str) -> Example:
    """An example whose entity stands in brackets."""
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    span = EntityAnnotation(start, end, label, plain[start:end])
    return Example(plain, intent, (span,))
