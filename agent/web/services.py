"""What every route works with: the assistant and the server's own parts, put together once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from agent.assemble import Assistant
from agent.settings import ServerSettings
from agent.storage.accounts import Accounts
from agent.web.metrics import Metrics
from agent.web.outlets import Outlets
from agent.web.rasa.jobs import Jobs
from agent.web.security.access import Access
from agent.web.security.limits import RateLimits, open_limits
from agent.web.security.tokens import ConversationTokens, server_key
from agent.web.turns import Turns


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of the routes.

    Args:
        assistant: the running assistant: brains, manager, store, feedback, registry, settings.
        turns: answers messages, bounded; every channel goes through it.
        tokens: the conversation tokens of chat users.
        accounts: reviewers and admins, their sessions and the audit log.
        limits: how much somebody may ask for.
        access: who asks, and whether they may.
        outlets: the channels that can be written to at any time.
        jobs: trainings and tests in child processes.
        metrics: what is measured for Prometheus.
        loopback: whether the server listens on this machine only, where no credentials are asked.
        stopping: set when the server is told to stop: streams without an end then end.
        closing: what is awaited when the server stops.
    """

    assistant: Assistant
    turns: Turns
    tokens: ConversationTokens
    accounts: Accounts
    limits: RateLimits
    access: Access
    outlets: Outlets
    jobs: Jobs
    metrics: Metrics
    loopback: bool = True
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    closing: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def settings(self) -> ServerSettings:
        """The section `server` of the settings."""
        return self.assistant.settings.server


def make_services(assistant: Assistant, *, loopback: bool = True) -> Services:
    """The services of an assistant as its settings say."""
    settings = assistant.settings.server
    key = settings.secret.encode() if settings.secret else server_key(assistant.root)
    tokens = ConversationTokens(key, timedelta(days=settings.token_days))
    accounts, limits = Accounts(assistant.store), open_limits(assistant.store)
    metrics = Metrics(assistant)
    bounds = (settings.max_waiting, settings.max_waiting_per_conversation)
    turns = Turns(assistant.manager, *bounds, seen=metrics.seen)
    metrics.in_work = lambda: turns.in_work
    return Services(
        assistant=assistant,
        turns=turns,
        tokens=tokens,
        accounts=accounts,
        limits=limits,
        access=Access(settings, tokens, accounts, limits, loopback),
        outlets=Outlets(),
        jobs=Jobs(assistant.root),
        metrics=metrics,
        loopback=loopback,
        closing=[limits.close],
    )
