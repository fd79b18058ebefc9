"""Bytes as text, whatever they are encoded in."""

import re

import charset_normalizer

from knowledge.errors import InputError

MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# A sample is enough to tell the encoding, and keeps large files quick.
SAMPLE_BYTES = 64 * 1024
CONTROLS = re.compile(r"[\0-\x08\x0e-\x1f]")


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8, UTF-16 by its mark, else the likeliest encoding.

    Raises:
        InputError: these bytes are no text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data[:8192]:
        return _decoded(data, _unmarked(data[:8192]))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data[:SAMPLE_BYTES]).best()
    if best is None:
        raise InputError("is neither UTF-8 nor any other encoding that is known")
    return _decoded(data, best.encoding)


def _unmarked(sample: bytes) -> str:
    """Which of the UTF-16 encodings bytes without a mark have: the upper halves of letters are 0.

    Raises:
        InputError: neither.
    """
    zeros = (sample[0::2].count(0), sample[1::2].count(0))
    for rare, often, encoding in ((0, 1, "utf-16-le"), (1, 0, "utf-16-be")):
        # A text has some characters beyond Latin; a picture has zeros and controls everywhere.
        likely = zeros[often] > len(sample) // 4 and zeros[rare] == 0
        if likely and not CONTROLS.search(sample.decode(encoding, "replace")):
            return encoding
    raise InputError("is binary, not text")


def writable(text: str) -> str:
    """The text with question marks for halves of character pairs, which no file can hold.

    Its length stays, so offsets do, too.

    >>> writable("a\\ud800b")
    'a?b'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"is not valid {encoding} ({error})") from error
