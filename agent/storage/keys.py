"""Every Redis key of a project, its schema version and its lifetime, in one block."""

import hashlib
import re
from dataclasses import dataclass

SCHEMA = 1
"""The version of what is stored; a store written by a newer one is refused."""

DAY_S = 24 * 3600
PLAIN_ID = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things are kept: seconds, or entries of a stream (a stream may keep a few more)."""

    events_s: int = 90 * DAY_S
    turns_s: int = 90 * DAY_S
    turns_length: int = 100_000
    correction_log_length: int = 100_000
    models_length: int = 1_000
    counters_s: int = 400 * DAY_S
    mark_s: int = 90 * DAY_S
    tombstone_s: int = 400 * DAY_S
    lease_s: float = 10.0
    fence_s: int = DAY_S


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one project's keys.

    All stand in one Cluster slot by the hash tag `{project}`, because a turn, its mark and
    its counters are written together.
    """

    prefix: str
    project: str

    def _name(self, *parts: str) -> str:
        return ":".join((f"{self.prefix}:v{SCHEMA}:{{{plain(self.project)}}}", *parts))

    def _conversation(self, conversation_id: str, what: str) -> str:
        return self._name("conversation", plain(conversation_id), what)

    # name                                           type         lifetime
    # ---------------------------------------------  -----------  ---------------------------
    @property
    def schema(self) -> str:  # the one name without a version: it tells the version
        """The highest schema version that has written here. String, kept."""
        return f"{self.prefix}:schema:{{{plain(self.project)}}}"

    @property
    def turns(self) -> str:
        """The turn log. Stream, `turns_length` entries, `turns_s`."""
        return self._name("turns")

    def turn(self, turn_id: str) -> str:
        """Stream entry of a turn, and the mark that it was logged. String, `turns_s`."""
        return self._name("turn", plain(turn_id))

    @property
    def conversations(self) -> str:
        """Conversation ids by last activity (seconds). Sorted set, entries `events_s`."""
        return self._name("conversations")

    def events(self, conversation_id: str) -> str:
        """A conversation's events, one item a turn. List, `events_s` after the last one."""
        return self._conversation(conversation_id, "events")

    def conversation_turns(self, conversation_id: str) -> str:
        """Ids of a conversation's turns, for `forget`. List, `turns_s`."""
        return self._conversation(conversation_id, "turns")

    def conversation_corrections(self, conversation_id: str) -> str:
        """Ids of a conversation's corrections, for `forget`. Set, kept."""
        return self._conversation(conversation_id, "corrections")

    def lock(self, conversation_id: str) -> str:
        """The token of who may write a conversation. String, `lease_s`, renewed."""
        return self._conversation(conversation_id, "lock")

    def fence(self, conversation_id: str) -> str:
        """Counts the takings of the lock; a late writer shows an old one. String, `fence_s`."""
        return self._conversation(conversation_id, "fence")

    def forgotten(self, conversation_id: str) -> str:
        """When a conversation was forgotten, so that no spool revives it. `tombstone_s`."""
        hashed = hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._name("forgotten", hashed[:32])

    def correction(self, correction_id: str) -> str:
        """A correction: `data`, `state`, `revision`, `conversation`. Hash, kept."""
        return self._name("correction", plain(correction_id))

    def corrections(self, state: str) -> str:
        """Ids of the corrections in a state by creation time. Sorted set, kept."""
        return self._name("corrections", state)

    @property
    def correction_log(self) -> str:
        """State changes of corrections, ids only. Stream, `correction_log_length`."""
        return self._name("correction-log")

    @property
    def models(self) -> str:
        """Announcements of models. Stream, `models_length`."""
        return self._name("models")

    def counters(self, day: str) -> str:
        """What happened on a UTC day (`2026-11-23`). Hash, `counters_s`."""
        return self._name("counters", day)

    def mark(self, name: str) -> str:
        """That something was done once. String, `mark_s`."""
        return self._name("mark", plain(name))

    def everything(self) -> str:
        """A pattern for SCAN that fits all of a project's keys but the schema's."""
        return self._name("*")


def plain(identifier: str) -> str:
    """An id as part of a key: itself if it is short and plain, else its hash.

    >>> plain("user-7")
    'user-7'
    >>> plain("a b")[:1]
    '~'
    """
    if PLAIN_ID.fullmatch(identifier):
        return identifier
    return "~" + hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:40]
