"""Joins the widget's parts into the one script that a page loads."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# In the order in which they depend on each other; they share one scope.
PARTS = ("texts", "memory", "transport", "follow", "dom", "marks", "bubbles", "verdict", "element")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Bundle:
    """A script as bytes, plain and gzipped; `etag` changes with its content."""

    plain: bytes
    zipped: bytes
    etag: str


@cache
def load_bundle() -> Bundle:
    """The widget's script: one function scope, so that a page's own names are left alone."""
    style = (_FOLDER / "widget.css").read_text(encoding="utf-8")
    parts = [(_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in PARTS]
    body = "\n".join([f"const STYLE = {json.dumps(style)};", *parts])
    plain = f'(() => {{\n"use strict";\n{body}\n}})();\n'.encode()
    etag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
    return Bundle(plain, gzip.compress(plain, 9, mtime=0), etag)
