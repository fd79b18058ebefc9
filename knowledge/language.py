"""Tells the language of a text.                                       [door: py3langid]."""

import re

# A few words do not tell a language.
MIN_LETTERS = 24
SAMPLE_CHARACTERS = 2000
LETTER = re.compile(r"[^\W\d_]")


def detect(text: str) -> str:
    """The ISO 639-1 code of the text's language; empty when there is too little to tell.

    >>> detect("12 345"), detect("Open the app, choose the card and press Block.")
    ('', 'en')
    """
    sample = text[:SAMPLE_CHARACTERS]
    # An ideograph says as much as some letters.
    letters = len(LETTER.findall(sample)) + 2 * len(re.findall(r"[\u3040-\u9fff]", sample))
    if letters < MIN_LETTERS:
        return ""
    # Its model is unpacked in a tenth of a second, which only indexing pays.
    import py3langid

    language: str = py3langid.classify(sample)[0]
    return "" if language == "zxx" else language
