"""Bytes as text, whatever they are encoded in."""

import charset_normalizer

from knowledge.errors import InputError

MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# A sample is enough to tell the encoding, and keeps large files quick.
SAMPLE_BYTES = 64 * 1024


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8, UTF-16 by its mark, else the likeliest encoding.

    Raises:
        InputError: these bytes are no text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data[:8192]:
        raise InputError("is binary, not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data[:SAMPLE_BYTES]).best()
    if best is None:
        raise InputError("is neither UTF-8 nor any other encoding that is known")
    return _decoded(data, best.encoding)


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
