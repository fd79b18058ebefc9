"""`endpoints.yml` and `credentials.yml`: what we use of them, and what we do not run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.project.components import KNOWN_CHANNELS, SERVED_CHANNELS
from agent.project.findings import Source
from agent.project.types import Endpoint
from agent.project.yaml_values import MissingVariable, line_of, plain

_OWN_MODULE = "actions"
_ENDPOINT_KEYS = {
    "url",
    "headers",
    "token",
    "token_name",
    "basic_auth",
    "enable_selective_domain",
    "cafile",
    "client_cert",
    "client_key",
    "type",
}
_SCHEMES = ("http://", "https://", "grpc://", "grpcs://")
_CHANNEL_KEYS: Mapping[str, set[str]] = {
    "rest": set(),
    "callback": {"url", "secret"},
    "socketio": {
        *("user_message_evt", "bot_message_evt", "namespace", "session_persistence"),
        *("socketio_path", "jwt_key", "jwt_method", "metadata_key"),
    },
}
"""What a channel's section may hold beside our `payloads` and `trust_sender`."""
_OWN_STORE = "conversations are kept in our own store (setting `store.url`)"
_UNUSED = {
    "tracker_store": _OWN_STORE,
    "lock_store": "locks are kept in our own store (setting `store.url`)",
    "event_broker": "events are not sent to a broker; the turn log is a Redis stream",
    "models": "models are not fetched from a server: put them under models/",
}
# Stores that keep what ours keeps, so that nothing is lost by not running them.
_HARMLESS_STORES = {"inmemory", "in_memory", "redis"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The servers that a project names."""

    action: Endpoint | None = None
    nlg: Endpoint | None = None


def read_endpoints(data: Any, source: Source, *, strict: bool = False) -> Endpoints:
    """The endpoints that we use; the others are reported by name.

    An endpoint whose `${VAR}` is not set is left out: an error if `strict`, else a warning.
    """
    if data is None:
        return Endpoints()
    if not isinstance(data, dict):
        source.error("must be a mapping such as `action_endpoint: {url: …}`", line_of(data))
        return Endpoints()
    for key, value in data.items():
        line = line_of(data, key)
        if key in _UNUSED:
            _report_unused(key, value, source, line)
        elif key not in ("action_endpoint", "nlg", "version"):
            source.warning("the key is unknown and not read", line, key)
    return Endpoints(
        _endpoint(data, "action_endpoint", source, strict), _endpoint(data, "nlg", source, strict)
    )


def _report_unused(key: str, value: Any, source: Source, line: int) -> None:
    if value is None:
        return
    kind = value.get("type") if isinstance(value, dict) else None
    shown = f"{key} {str(kind)!r}" if kind else key
    if key in ("tracker_store", "lock_store") and str(kind).lower() in _HARMLESS_STORES:
        source.info(f"{shown} is not used: {_UNUSED[key]}", line, key)
    else:
        source.warning(f"{shown} is not run: {_UNUSED[key]}", line, key)


def _endpoint(data: Mapping[str, Any], key: str, source: Source, strict: bool) -> Endpoint | None:
    value, line = data.get(key), line_of(data, key)
    if value is None:
        return None
    if not isinstance(value, dict):
        source.error(f"must be a mapping with `url`, not {plain(value)!r}", line, key)
        return None
    missing = missing_variable(value)
    if missing is not None:
        _report_missing(missing, value, source, key, strict)
        return None
    for name in value:
        if name not in _ENDPOINT_KEYS and (name, value[name]) != ("actions_module", _OWN_MODULE):
            source.warning(f"the key {name!r} is not read", line_of(value, name, line), key)
    url = value.get("url")
    if url is None and value.get("actions_module") == _OWN_MODULE:
        return None  # the project's own actions run in a process of ours
    if not isinstance(url, str) or not url:
        _report_no_url(value, key, source, line)
        return None
    if not url.startswith(_SCHEMES):
        message = f"the `url` begins with {', '.join(_SCHEMES)}, not {url!r}"
        (source.error if strict else source.warning)(message, line_of(value, "url", line), key)
        return None
    return Endpoint(
        url=str(url),
        headers={str(k): str(v) for k, v in _mapping(value, "headers", key, source).items()},
        token=None if value.get("token") is None else str(value["token"]),
        token_name=str(value.get("token_name") or "token"),
        basic_auth=_basic_auth(_mapping(value, "basic_auth", key, source)),
        enable_selective_domain=_flag(value, "enable_selective_domain", key, source),
        **{
            name: _path(value, name, key, source)
            for name in ("cafile", "client_cert", "client_key")
        },
    )


def _path(value: Mapping[str, Any], name: str, key: str, source: Source) -> str | None:
    """A file that an endpoint names; a relative path counts from the project's folder."""
    path = value.get(name)
    if path is None or not isinstance(path, str):
        if path is not None:
            source.error(f"`{name}` must be the path of a file", line_of(value, name), key)
        return None
    return str(source.file.parent / path)


def _report_no_url(value: Mapping[str, Any], key: str, source: Source, line: int) -> None:
    kind = value.get("type")
    if key == "nlg" and kind == "response":
        return
    if key == "nlg" and kind is not None:
        source.warning(f"the generator {kind!r} is not run", line, key)
        return
    if "url" in value:
        source.error(f"`url` must be text, not {plain(value['url'])!r}", line_of(value, "url"), key)
    else:
        source.error("needs a `url`", line, key)


def _flag(value: Mapping[str, Any], name: str, key: str, source: Source) -> bool:
    found = value.get(name)
    if found is not None and not isinstance(found, bool):
        message = f"`{name}` is true or false, not {plain(found)!r}"
        source.error(message, line_of(value, name), key)
    return found is True


def _mapping(value: Mapping[str, Any], name: str, key: str, source: Source) -> Mapping[str, Any]:
    found = value.get(name)
    if found is None or isinstance(found, dict):
        return found or {}
    source.error(f"`{name}` must be a mapping", line_of(value, name), key)
    return {}


def _basic_auth(value: Mapping[str, Any]) -> tuple[str, str] | None:
    if not value:
        return None
    return str(value.get("username", "")), str(value.get("password", ""))


def missing_variable(value: Any) -> MissingVariable | None:
    """The first text in a value whose `${VAR}` is not set."""
    if isinstance(value, MissingVariable):
        return value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for one in items if (found := missing_variable(one)) is not None), None)


def _report_missing(
    missing: MissingVariable, value: Any, source: Source, key: str, strict: bool
) -> None:
    """An unfilled `${VAR}` must never pass for a URL or a secret."""
    line = next((line_of(value, k) for k, v in value.items() if v is missing), line_of(value))
    problem = f"the environment variable {missing.name} is not set"
    if strict:
        source.error(f"{problem}: set it, or take this out", line, key)
    else:
        source.warning(f"{problem}: `agent serve` needs it", line, key)


def read_credentials(data: Any, source: Source, *, strict: bool = False) -> Mapping[str, Any]:
    """The channels that we serve, by name; the others are reported. See `read_endpoints`."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        source.error("must be a mapping of channels such as `rest:`", line_of(data))
        return {}
    channels: dict[str, Any] = {}
    for name, value in data.items():
        line = line_of(data, name)
        missing = missing_variable(value)
        if name == "version":
            continue
        if name not in SERVED_CHANNELS:
            _report_channel(name, source, line)
        elif missing is not None and isinstance(value, dict):
            _report_missing(missing, value, source, name, strict)
        elif value is not None and not isinstance(value, dict):
            source.error(f"must be a mapping, not {plain(value)!r}", line, name)
        else:
            channels[name] = plain(value) or {}
            _check_channel(name, value or {}, source, line, strict)
    return channels


def _check_channel(
    name: str, value: Mapping[str, Any], source: Source, line: int, strict: bool
) -> None:
    for key, one in value.items():
        at = line_of(value, key, line)
        if key not in _CHANNEL_KEYS[name] | {"payloads", "trust_sender"}:
            source.warning(f"the key {key!r} is not read", at, name)
        elif key == "session_persistence":
            _flag(value, key, name, source)
        elif isinstance(one, dict | list) and key != "url":
            source.error(f"`{key}` is no text", at, name)
    url = value.get("url")
    if name == "callback" and not str(url).startswith(_SCHEMES[:2]):
        message = f"needs a `url` of http or https, not {plain(url)!r}"
        (source.error if strict else source.warning)(message, line, name)


def _report_channel(name: str, source: Source, line: int) -> None:
    if name == "rasa":
        source.info("the channel of Rasa X is not served", line, name)
    elif name in KNOWN_CHANNELS:
        source.warning(f"the channel {name!r} is not served", line, name)
    elif "." in name:
        source.warning(f"the custom connector {name!r} is not run", line, name)
    else:
        source.warning(f"the channel {name!r} is unknown and not served", line, name)
