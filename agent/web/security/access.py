"""Who asks, and whether they may: Rasa's token and JWT, staff sessions, conversation tokens."""

import hmac
import logging
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from fastapi import Request, Response

from agent.errors import InputError
from agent.settings import ServerSettings
from agent.storage.accounts import Accounts
from agent.storage.connection import StoreAwayError
from agent.web.errors import HttpError
from agent.web.security.limits import RateLimits
from agent.web.security.passwords import verify_password
from agent.web.security.tokens import ConversationTokens, TokenError

COOKIE = "agent_session"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
KNOWN_FOR_S = 3.0
_SAFE = {"GET", "HEAD", "OPTIONS"}
_SYMMETRIC = ("HS256", "HS384", "HS512")
_ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_log = logging.getLogger(__name__)

Role = Literal["admin", "reviewer", "user"]


@dataclass(frozen=True, slots=True)
class User:
    """Who sends a request. The role `user` may touch the conversation of its own name alone."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether the caller may do what `role` may."""
        order = ("user", "reviewer", "admin")
        return order.index(self.role) >= order.index(role)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has begun: its cookie's value and its user."""

    cookie: str
    user: User


Caller = User
LOCAL = User("local", "admin")


@dataclass(slots=True)
class Access:
    """Decides on every request.

    Args:
        settings: tokens and secrets.
        tokens: reads conversation tokens.
        accounts: reviewers and admins.
        limits: bounds tries to sign in.
        loopback: whether only this machine reaches the server; without any credentials
            configured it is then open.
    """

    settings: ServerSettings
    tokens: ConversationTokens
    accounts: Accounts
    limits: RateLimits
    loopback: bool
    _has_users: bool | None = None
    _known_until: float = 0.0

    async def guarded(self) -> bool:
        """Whether credentials are asked for at all."""
        if self.settings.auth_token or self.settings.jwt_secret:
            return True
        return await self._users_exist()

    async def _users_exist(self) -> bool:
        if self._has_users is None or time.monotonic() > self._known_until:
            try:
                self._has_users = bool(await self.accounts.all())
            except StoreAwayError:
                if self._has_users is None:
                    raise
            self._known_until = time.monotonic() + KNOWN_FOR_S
        return self._has_users

    async def caller(self, request: Request) -> User | None:
        """Who asks, None if they showed nothing that we know.

        Raises:
            HttpError: a browser's session does not show its CSRF token, or a page of another
                site acts through its reader's browser (403).
        """
        found = self._by_token(request) or self._by_jwt(request)
        if found is not None:
            return found
        if cookie := request.cookies.get(COOKIE):
            account = await self.accounts.session(cookie)
            if account is not None:
                await self.check_csrf(request)
                return User(account.name, account.role)
        if (self.loopback or self.settings.allow_open) and not await self.guarded():
            self.refuse_other_sites(request)
            return LOCAL
        return None

    async def api(self, request: Request, conversation_id: str | None = None) -> User:
        """A caller of the Rasa surface: an admin, or the user of this conversation.

        Raises:
            HttpError: nobody that we know (401), or somebody else (403).
        """
        caller = await self._somebody(request)
        if caller.may("admin"):
            return caller
        if caller.role == "user" and conversation_id is not None and caller.name == conversation_id:
            return caller
        raise HttpError(403, "User has insufficient permissions.")

    async def staff(self, request: Request, role: Role = "reviewer") -> User:
        """A reviewer or admin.

        Raises:
            HttpError: nobody that we know (401), or without that role (403).
        """
        caller = await self._somebody(request)
        if not caller.may(role):
            raise HttpError(403, f"this needs the role {role}")
        return caller

    async def page_user(self, request: Request, role: Role = "reviewer") -> User:
        """The signed-in user of a page.

        Raises:
            HttpError: not signed in (303 to /login, which comes back), or no such role (403).
        """
        caller = await self.caller(request)
        if caller is None:
            where = request.url.path if request.method in _SAFE else "/review"
            raise HttpError(303, "sign in first", headers={"Location": f"/login?next={where}"})
        if not caller.may(role):
            raise HttpError(403, f"this needs the role {role}")
        return caller

    async def _somebody(self, request: Request) -> User:
        caller = await self.caller(request)
        if caller is None:
            raise HttpError(
                401, "User is not authenticated.", headers={"WWW-Authenticate": "Bearer"}
            )
        return caller

    def chat(self, request: Request) -> str:
        """The conversation that a chat user's token names.

        Raises:
            HttpError: there is no token, or it is forged or expired (401).
        """
        token = bearer(request)
        if token is None:
            raise HttpError(401, "send the conversation's token: `Authorization: Bearer …`")
        try:
            return self.tokens.conversation(token)
        except TokenError as error:
            raise HttpError(401, str(error)) from error

    async def may_speak_as(self, request: Request, sender: str) -> bool:
        """Whether a request shows that it comes from this sender: its token, or an admin's."""
        token = bearer(request)
        if token is not None:
            try:
                return self.tokens.conversation(token) == sender
            except TokenError:
                pass
        caller = self._by_token(request) or self._by_jwt(request)
        return caller is not None and (caller.may("admin") or caller.name == sender)

    async def limit_messages(self, sender: str) -> None:
        """Refuse a sender's message beyond `messages_per_minute`; on loopback nobody counts.

        Raises:
            TooManyError: it is one too many.
        """
        if not self.loopback:
            await self.limits.hit("messages", sender, self.settings.messages_per_minute)

    async def sign_in(self, name: str, password: str, address: str = "") -> SignedIn:
        """Begin a session.

        Raises:
            HttpError: name or password is wrong (401).
            TooManyError: too many tries from this address, or for this name.
        """
        per_minute = self.settings.sign_ins_per_minute
        for who in (f"address:{address}", f"name:{name[:64]}"):
            await self.limits.hit("tries to sign in", who, per_minute)
        account = await self.accounts.get(name)
        fits = await verify_password(account.password_hash if account else None, password)
        if account is None or not fits:
            _log.warning("a try to sign in failed")
            raise HttpError(401, "name or password is wrong")
        cookie = await self.accounts.begin_session(name, self.settings.session_hours)
        await self.accounts.record(name, "signed in")
        return SignedIn(cookie, User(account.name, account.role))

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session of a request's cookie, if it has one."""
        if cookie := request.cookies.get(COOKIE):
            await self.accounts.end_session(cookie)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")

    def set_session_cookie(
        self, response: Response, signed_in: SignedIn, *, secure: bool = False
    ) -> None:
        """Give the browser its session; `secure`: it came by https."""
        response.set_cookie(
            COOKIE,
            signed_in.cookie,
            max_age=int(self.settings.session_hours * 3600),
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )

    def csrf_token(self, request: Request) -> str:
        """What a form of this browser must send along, bound to its session."""
        cookie = request.cookies.get(COOKIE, "")
        return hmac.new(self.tokens.key, f"csrf:{cookie}".encode(), "sha256").hexdigest()

    async def check_csrf(self, request: Request) -> None:
        """Refuse to change something for a request that does not carry its CSRF token.

        It stands in the header `X-CSRF-Token` or, in a form, in the field `csrf_token`.

        Raises:
            HttpError: it is missing or wrong, or the request comes from another site (403).
        """
        if request.method in _SAFE:
            return
        self.refuse_other_sites(request)
        given = request.headers.get(CSRF_HEADER)
        if given is None and _is_form(request):
            given = await _form_field(request, CSRF_FIELD)
        if given is None or not _same(given, self.csrf_token(request)):
            raise HttpError(403, f"the header {CSRF_HEADER} or the field {CSRF_FIELD} is wrong")

    def _by_token(self, request: Request) -> User | None:
        """Rasa's `?token=`; as a Bearer, too, which no log of URLs sees."""
        expected = self.settings.auth_token
        if not expected:
            return None
        for given in (request.query_params.get("token"), bearer(request)):
            if given is not None and _same(given, expected):
                return User("token", "admin")
        return None

    def _by_jwt(self, request: Request) -> User | None:
        secret, token = self.settings.jwt_secret, bearer(request)
        if not secret or token is None:
            return None
        import jwt  # brings cryptography, 20 MB: only where tokens are used

        try:
            claims = jwt.decode(
                token,
                secret,
                algorithms=[self.settings.jwt_method],
                options={"verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return None
        user = claims.get("user")
        if not isinstance(user, dict) or not isinstance(user.get("username"), str):
            return None
        role: Role = "admin" if user.get("role") == "admin" else "user"
        return User(user["username"], role)

    def refuse_other_sites(self, request: Request) -> None:
        """A page of another site must not act through its reader's browser."""
        if request.method in _SAFE:
            return
        origin = request.headers.get("origin")
        if origin is None:
            return
        same = urlsplit(origin).netloc == request.headers.get("host")
        if not same and not allows_origin(self.settings, origin):
            raise HttpError(403, "requests of other sites are refused: see server.cors_origins")


def allows_origin(settings: ServerSettings, origin: str) -> bool:
    """Whether pages of an origin may call us."""
    return "*" in settings.cors_origins or origin in settings.cors_origins


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def client_address(request: Request) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client is not None else "unknown"


def check_protected(settings: ServerSettings, *, loopback: bool, users: int) -> None:
    """Refuse to serve others when nothing protects the server.

    Raises:
        InputError: no token, no secret and no user, and not told that this is wanted; or a
            secret that cannot be used.
    """
    if settings.jwt_method not in (*_SYMMETRIC, *_ASYMMETRIC):
        raise InputError(
            f"{settings.jwt_method!r} is no way to sign: use one of "
            f"{', '.join((*_SYMMETRIC, *_ASYMMETRIC))}",
            key="server.jwt_method",
        )
    if settings.jwt_secret and settings.jwt_method in _ASYMMETRIC and not find_spec("cryptography"):
        raise InputError(
            f"{settings.jwt_method} needs the package cryptography: pip install cryptography",
            key="server.jwt_method",
        )
    if settings.jwt_secret and settings.jwt_method in _SYMMETRIC and len(settings.jwt_secret) < 16:
        raise InputError("use at least 16 characters", key="server.jwt_secret")
    if settings.secret is not None and len(settings.secret) < 32:
        raise InputError("use at least 32 characters", key="server.secret")
    if loopback or settings.allow_open or settings.auth_token or settings.jwt_secret or users:
        return
    raise InputError(
        "others could reach this server, and nothing protects it: add a user "
        "(`agent users add NAME --role admin`), set server.auth_token or server.jwt_secret, "
        "listen on 127.0.0.1, or say server.allow_open: true"
    )


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


async def _form_field(request: Request, name: str) -> str | None:
    """A field of a form; the body stays readable for the route."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=1000)
    return fields.get(name, [None])[0]


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))
