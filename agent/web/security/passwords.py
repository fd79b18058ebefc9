"""Passwords: argon2 hashes, made and checked off the event loop.  [door: argon2]"""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from agent.errors import InputError

SHORTEST = 10
LONGEST = 1024


def hash_password(password: str) -> str:
    """The argon2id hash of a password.

    Raises:
        InputError: it is shorter than `SHORTEST` characters, or longer than `LONGEST`.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            f"the password has {len(password)} characters: use {SHORTEST} to {LONGEST}"
        )
    return _hasher().hash(password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether a password fits; None (no such user) takes as long as a wrong one."""
    if len(password) > LONGEST:
        return False
    fits = await asyncio.to_thread(_fits, password_hash or _nobody(), password)
    return fits and password_hash is not None


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _hasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash("nobody has this password")
