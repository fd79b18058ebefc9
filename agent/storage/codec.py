"""Stored values as JSON with a version field.  [door: orjson]"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from agent.errors import StoreError

FORMAT = 1
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def encode(value: Mapping[str, Any]) -> str:
    r"""A mapping as one line of JSON with the field `v`.

    Lone surrogates, which no UTF-8 can hold, are written as escapes; infinities and NaN,
    which JSON lacks, as null.

    >>> encode({"text": "é"})
    '{"v":1,"text":"é"}'
    """
    stored = {"v": FORMAT, **value}
    try:
        return orjson.dumps(stored, default=_plain, option=_OPTIONS).decode()
    except TypeError:  # lone surrogates, keys that are no text, very large integers
        return _encode_odd(stored)


def _encode_odd(stored: Mapping[str, Any]) -> str:
    """What orjson refuses, by the standard library: slower, and it takes everything."""
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"), default=_plain)
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(stored, separators=(",", ":"), default=_plain)
    return text


def decode(text: str, what: str) -> dict[str, Any]:
    """What `encode` wrote, without the version field.

    Raises:
        StoreError: no JSON object, or written by a newer version; `what` names it.
    """
    try:
        value = _loads(text)
        version = value.pop("v")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise StoreError(f"{what} is not in our stored format: {text[:80]!r}") from error
    if not isinstance(version, int) or version > FORMAT:
        raise StoreError(
            f"{what} has format {version!r}, this version reads up to {FORMAT}: "
            "update intent-agent, or let the version that wrote it run"
        )
    return dict(value)


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:  # escaped lone surrogates are fine for the standard library
        return json.loads(text)


def storable(text: str) -> str:
    """The text as Redis can hold it: lone surrogates, which have no UTF-8, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any) -> Any:
    """Values that JSON lacks: NumPy numbers and arrays, times, paths, mappings and tuples."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
