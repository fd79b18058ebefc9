"""Signed tokens that bind a chat user to one conversation."""

import os
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from agent.errors import StoreError
from agent.turn import new_id, now

ALGORITHM = "HS256"
AUDIENCE = "chat"
KEY_FILE = "server.key"
_KEY_BYTES = 32
_ISSUED = re.compile(r"web-[0-9a-f]{32}")


class TokenError(Exception):
    """A token is missing, forged, expired or for something else."""


@dataclass(frozen=True, slots=True)
class ConversationTokens:
    """Issues and reads the tokens of chat users.

    Args:
        key: the secret that signs, at least 32 bytes.
        lifetime: how long a token is good for.
    """

    key: bytes
    lifetime: timedelta = timedelta(days=30)

    def issue(self, conversation_id: str | None = None) -> tuple[str, str]:
        """A conversation's id (a new one unless given) and the token for it."""
        import jwt  # brings cryptography, 20 MB: only where tokens are used

        chosen = conversation_id or f"web-{new_id()}"
        issued = now()
        claims = {"sub": chosen, "aud": AUDIENCE, "iat": issued, "exp": issued + self.lifetime}
        return chosen, jwt.encode(claims, self.key, ALGORITHM)

    def conversation(self, token: str) -> str:
        """The conversation that a token is for.

        Raises:
            TokenError: it is forged, expired or no conversation token.
        """
        import jwt

        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["sub", "exp", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("the conversation token has expired: begin anew") from error
        except jwt.InvalidTokenError as error:
            raise TokenError("the conversation token is not valid") from error
        return str(claims["sub"])


def is_issued(conversation_id: str) -> bool:
    """Whether an id has the form of those that we issue: only its token speaks for it.

    >>> is_issued("web-" + "0" * 32), is_issued("anna")
    (True, False)
    """
    return _ISSUED.fullmatch(conversation_id) is not None


def server_key(project_root: Path) -> bytes:
    """The project's signing key, made on first use; only its owner can read the file.

    Raises:
        StoreError: it can be neither read nor made.
    """
    path = project_root / ".agent" / KEY_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_hex(_KEY_BYTES))
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: the signing key cannot be read or made: {error}") from error
    if len(key) < _KEY_BYTES:
        raise StoreError(f"{path}: the signing key is too short: delete the file to get a new one")
    return key.encode("ascii")


def _write_once(path: Path, text: str) -> None:
    """Write a private file; of several processes that try at the same time one wins."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
