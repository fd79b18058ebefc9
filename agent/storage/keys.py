"""Every Redis key of a project, its schema version and its lifetime, in one block."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

SCHEMA = 1
"""The version of what is stored; a store written by a newer one is refused."""

DAY_S = 24 * 3600
# What a hashed id looks like is an id, too: it stands for itself.
PLAIN_ID = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}|~[0-9a-f]{40}")


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
    queue_s: int = 90 * DAY_S
    review_log_length: int = 100_000
    dead_length: int = 10_000
    audit_length: int = 100_000
    requests_length: int = 1_000
    worker_s: int = 15
    answered_s: int = 3600
    lease_s: float = 10.0
    fence_s: int = DAY_S


@lru_cache(maxsize=64)
def _beginning(prefix: str, project: str) -> str:
    return f"{prefix}:v{SCHEMA}:{{{plain(project)}}}"


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one project's keys.

    All stand in one Cluster slot by the hash tag `{project}`, because a turn, its mark and
    its counters are written together.
    """

    prefix: str
    project: str

    def _name(self, *parts: str) -> str:
        return ":".join((_beginning(self.prefix, self.project), *parts))

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

    @property
    def reminders(self) -> str:
        """Conversation ids by when a reminder of theirs is due (seconds). Sorted set, kept."""
        return self._name("reminders")

    def events(self, conversation_id: str) -> str:
        """A conversation's events, one item a turn. List, `events_s` after the last one."""
        return self._conversation(conversation_id, "events")

    def conversation_turns(self, conversation_id: str) -> str:
        """Ids of a conversation's turns. List, `turns_s`."""
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
    def queue(self) -> str:
        """Ids of what waits for a reviewer, by its worth. Sorted set, kept."""
        return self._name("queue")

    @property
    def reviewed(self) -> str:
        """Ids of what reviewers are done with, by the time of it (s). Sorted set, `queue_s`."""
        return self._name("queue-done")

    def queue_item(self, item_id: str) -> str:
        """An item of the queue: `data`, `words`, `state`, `revision`. Hash, done `queue_s`."""
        return self._name("queue-item", plain(item_id))

    @property
    def disputed(self) -> str:
        """Ids of the waiting items that reviewers disagree on. Set, kept."""
        return self._name("queue-disputed")

    @property
    def held(self) -> str:
        """Ids of the items that somebody holds, by the end of the lease (s). Sorted set, kept."""
        return self._name("queue-held")

    def queue_lease(self, item_id: str) -> str:
        """Who holds an item of the queue. String, `feedback.lease_s`."""
        return self._name("queue-lease", plain(item_id))

    @property
    def review_log(self) -> str:
        """What reviewers did with items, ids only. Stream, `review_log_length`."""
        return self._name("review-log")

    @property
    def reviewers(self) -> str:
        """Reviewers by their last verdict (s). Sorted set, kept."""
        return self._name("reviewers")

    @property
    def signals(self) -> str:
        """What users showed without a correction, ids only. Stream, `turns_length`."""
        return self._name("signals")

    def latest_turn(self, conversation_id: str) -> str:
        """What the next turn is compared with to notice signals. String, one day."""
        return self._conversation(conversation_id, "latest")

    @property
    def waiting(self) -> str:
        """Conversations whose last answer failed, by its time (s). Sorted set, kept."""
        return self._name("waiting")

    def conversation_items(self, conversation_id: str) -> str:
        """Ids of the queue's items with a conversation's words, for `forget`. Set, `queue_s`."""
        return self._conversation(conversation_id, "queue-items")

    @property
    def dead(self) -> str:
        """Stream entries that could not be worked on, ids only. Stream, `dead_length`."""
        return self._name("dead")

    def quota(self, author: str, day: str) -> str:
        """Ids of the feedback that somebody has given on a UTC day. Set, two days."""
        return self._name("quota", day, plain(author))

    @property
    def learn_lock(self) -> str:
        """The token of the worker that learns. String, a minute, renewed."""
        return self._name("learn-lock")

    @property
    def learning_now(self) -> str:
        """How far the present run is. String, seconds, renewed."""
        return self._name("learning-now")

    @property
    def learning_runs(self) -> str:
        """Finished runs by their ids. Hash, kept."""
        return self._name("learning-runs")

    @property
    def learning_order(self) -> str:
        """Ids of finished runs by their end (s). Sorted set, kept."""
        return self._name("learning-order")

    @property
    def learn_request(self) -> str:
        """Who asks to learn now. String, a day."""
        return self._name("learn-request")

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

    def monitor(self, name: str, what: str) -> str:
        """A monitor's `seen` ids and `windows` (sorted sets), `items` (stream), `state`,
        `alarms`, their `deliveries` and counts of each `window:<start>` (hashes).
        `monitor.kept_days` of items.
        """
        return self._name("monitor", plain(name), what)

    @property
    def users(self) -> str:
        """Reviewers and admins by name: password hash, role. Hash, kept."""
        return self._name("users")

    def session(self, digest: str) -> str:
        """A signed-in user's session, by the hash of its cookie. String, `server.session_hours`."""
        return self._name("session", digest)

    @property
    def audit(self) -> str:
        """Who did what in the review pages and over the API. Stream, `audit_length`."""
        return self._name("audit")

    @property
    def requests(self) -> str:
        """What the web asks of the worker. Stream, `requests_length`."""
        return self._name("requests")

    @property
    def worker(self) -> str:
        """That a worker lives, and what it does. String, `worker_s`."""
        return self._name("worker")

    def answered(self, conversation_id: str, message_id: str) -> str:
        """The answer to a message, for those who send it again. String, `answered_s`."""
        return self._conversation(conversation_id, f"answered:{plain(message_id)}")

    @property
    def monitors(self) -> str:
        """The names of the monitors. Set, kept."""
        return self._name("monitors")

    @property
    def profiles(self) -> str:
        """People with behaviour by the time of their last event (s). Sorted set, kept."""
        return self._name("profiles")

    def profile(self, user: str) -> str:
        """What a person did with items, by time (s). Sorted set, the latest thousand."""
        return self._name("profile", plain(user))

    def everything(self) -> str:
        """A pattern for SCAN that fits all of a project's keys but the schema's."""
        return self._name("*")


@lru_cache(maxsize=4096)
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
