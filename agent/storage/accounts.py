"""Reviewers and admins, their sessions, and the log of what they did."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agent.errors import InputError
from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys, Lifetimes
from agent.storage.store import Store
from agent.turn import now

Role = Literal["reviewer", "admin"]
ROLES: tuple[Role, ...] = ("reviewer", "admin")
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in. `changed_at`: sessions begun before it no longer hold."""

    name: str
    role: Role
    password_hash: str
    created_at: datetime
    changed_at: datetime


class Accounts:
    """Users, sessions and the audit log of a project.

    Every method raises StoreAwayError while Redis is away.
    """

    def __init__(self, store: Store) -> None:
        self._connection: Connection = store.connection
        self._keys: Keys = store.keys
        self._lifetimes: Lifetimes = store.lifetimes

    async def put(self, name: str, role: Role, password_hash: str, *, new: bool = False) -> Account:
        """Add a user, or give one another password or role.

        Raises:
            InputError: the name cannot be one, or (with `new`) is taken.
        """
        found = await self.get(check_name(name))
        if found is not None and new:
            raise InputError(f"there is a user {name!r} already: `agent users passwd {name}`")
        moment = now()
        created = found.created_at if found is not None else moment
        account = Account(name, role, password_hash, created, moment)
        data = encode(
            {
                "role": role,
                "hash": password_hash,
                "created_at": created.isoformat(),
                "changed_at": moment.isoformat(),
            }
        )
        await self._connection.run(lambda c: c.hset(self._keys.users, name, data))
        return account

    async def get(self, name: str) -> Account | None:
        """A user by name, None if there is none."""
        found = await self._connection.run(lambda c: c.hget(self._keys.users, storable(name)))
        return None if found is None else _account(name, found)

    async def all(self) -> list[Account]:
        """Every user, by name."""
        found = await self._connection.run(lambda c: c.hgetall(self._keys.users))
        return [_account(name, data) for name, data in sorted(found.items())]

    async def remove(self, name: str) -> bool:
        """Delete a user, whose sessions end; False if there was none."""
        return bool(await self._connection.run(lambda c: c.hdel(self._keys.users, storable(name))))

    async def begin_session(self, name: str, hours: float) -> str:
        """A new session: its cookie's value, which the browser alone knows."""
        cookie = secrets.token_urlsafe(32)
        data = encode({"name": name, "at": now().isoformat()})
        key = self._keys.session(_digest(cookie))
        await self._connection.run(lambda c: c.set(key, data, ex=int(hours * 3600)))
        return cookie

    async def session(self, cookie: str) -> Account | None:
        """The user of a session; None if it is over, or the user was changed since."""
        key = self._keys.session(_digest(cookie))
        found = await self._connection.run(lambda c: c.get(key))
        if found is None:
            return None
        data = decode(found, "a session")
        account = await self.get(data["name"])
        if account is None or account.changed_at > datetime.fromisoformat(data["at"]):
            return None
        return account

    async def end_session(self, cookie: str) -> None:
        """End a session."""
        key = self._keys.session(_digest(cookie))
        await self._connection.run(lambda c: c.delete(key))

    async def record(self, who: str, action: str, subject: str = "", **facts: Any) -> None:
        """Write down that somebody did something."""
        entry = {"at": now().isoformat(), "who": who, "action": action, "subject": subject}
        fields = {"data": encode({**entry, "facts": facts})}
        length = self._lifetimes.audit_length
        await self._connection.run(lambda c: c.xadd(self._keys.audit, fields, maxlen=length))

    async def audit(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest entries, newest first: `at`, `who`, `action`, `subject`, `facts`."""
        rows = await self._connection.run(lambda c: c.xrevrange(self._keys.audit, count=limit))
        return [decode(fields["data"], "an entry of the audit log") for _, fields in rows]


def check_name(name: str) -> str:
    """The name itself if it can be a user's.

    Raises:
        InputError: it is empty, too long, or has blanks or control characters.
    """
    if not name or len(name) > MAX_NAME or not name.isprintable() or any(c.isspace() for c in name):
        raise InputError(
            f"{name[:80]!r} cannot be a user's name: use 1 to {MAX_NAME} characters, no blanks"
        )
    return name


def _account(name: str, data: str) -> Account:
    found: Mapping[str, Any] = decode(data, f"user {json.dumps(name)}")
    return Account(
        name,
        found["role"],
        found["hash"],
        datetime.fromisoformat(found["created_at"]),
        datetime.fromisoformat(found["changed_at"]),
    )


def _digest(cookie: str) -> str:
    """A stolen dump of Redis must not be good for signing in."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
