"""The pages' scripts and styles, and the widget's script, as cacheable responses."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Request, Response

from agent.web.errors import HttpError
from agent.web.widget import load_bundle

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _Asset:
    plain: bytes
    zipped: bytes
    etag: str
    media_type: str


def static_file(request: Request, name: str) -> Response:
    """One of the pages' own files.

    Raises:
        HttpError: there is none of that name (404).
    """
    found = _assets().get(name)
    if found is None:
        raise HttpError(404, "there is no such file")
    return _cached(request, found)


def widget_script(request: Request) -> Response:
    """The widget; any page may load it."""
    bundle = load_bundle()
    asset = _Asset(bundle.plain, bundle.zipped, bundle.etag, "text/javascript")
    response = _cached(request, asset)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@cache
def _assets() -> dict[str, _Asset]:
    found = {}
    for path in _FOLDER.iterdir():
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        zipped = gzip.compress(content, 9, mtime=0)
        found[path.name] = _Asset(content, zipped, etag, _TYPES[path.suffix])
    return found


def _cached(request: Request, asset: _Asset) -> Response:
    """The file, gzipped for who takes that, or 304 for who has it already."""
    headers = {
        "ETag": asset.etag,
        "Cache-Control": "public, max-age=300",
        "Vary": "Accept-Encoding",
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.plain, media_type=asset.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(asset.zipped, media_type=asset.media_type, headers=headers)
