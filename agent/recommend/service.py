"""Suggestions for a project's users: the recommender, their stored behaviour, one call each."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import InputError
from agent.recommend.events import Event
from agent.recommend.wishes import Wishes
from agent.storage.behaviour import Behaviour
from agent.storage.store import Store

if TYPE_CHECKING:
    # faiss and the encoder are loaded by the first request, not by every chat.
    from agent.recommend.catalogue import Sync
    from agent.recommend.recommender import Recommender, Suggestion

NO_WISHES = Wishes()


@dataclass(slots=True)
class Recommendations:
    """What the command line, the server and dialogues ask.

    Opened when it is first needed; a recommender that was learned meanwhile is taken up.

    Args:
        root: the project's folder.
        store: holds the behaviour.
        encoder: reads items and wishes.
    """

    root: Path
    store: Store
    encoder: str
    _recommender: "Recommender | None" = None
    _version: Path | None = None
    _ids: frozenset[str] | None = None

    @property
    def available(self) -> bool:
        """Whether the project has items."""
        return (self.root / "items.jsonl").is_file()

    @property
    def behaviour(self) -> Behaviour:
        """The stored behaviour."""
        return Behaviour(self.store.connection, self.store.keys)

    async def sync(self) -> "Sync":
        """Bring the items in step with their file.

        Raises:
            InputError: there are none.
        """
        from agent.recommend.catalogue import sync_items

        done = await asyncio.to_thread(sync_items, self.root, self.encoder)
        if done.changed:
            self._recommender = None
        return done

    async def recommend(
        self, user: str, k: int = 10, *, wishes: Wishes = NO_WISHES
    ) -> "list[Suggestion]":
        """Up to `k` items for a user, best first, each with its reason.

        An unknown user gets what most people like, or a mixture before that was learned; while
        Redis is away, so does everybody (StoreAwayError is the caller's to decide about).

        Raises:
            AgentError: the items are not indexed yet, or the store cannot be reached.
        """
        events = await self.behaviour.of(user)
        recommender = await asyncio.to_thread(self._opened)
        return await asyncio.to_thread(recommender.recommend, events, k, wishes=wishes)

    async def check(self, wishes: Wishes) -> None:
        """Refuse wishes that name what no item is or has.

        Raises:
            InputError: there is no item `wishes.last`, or none with one of the facts.
        """
        catalogue = (await asyncio.to_thread(self._opened)).catalogue
        if wishes.last is not None and not catalogue.keys_of([wishes.last]):
            raise InputError(f"there is no item {wishes.last!r}")
        for name, value in wishes.facts.items():
            if not len(catalogue.index.store.keys_where({name: value})):
                known = ", ".join(sorted(catalogue.fact_names)) or "none"
                raise InputError(f"no item has the fact {name}={value} (facts: {known})")

    async def unknown(self, events: Iterable[Event]) -> list[str]:
        """The items that events name and the project's file does not have, once for each event."""
        if self._ids is None:
            from agent.recommend.catalogue import ITEMS_FILE, Item, read_items

            path = self.root / ITEMS_FILE
            rows = await asyncio.to_thread(lambda: list(read_items(path))) if self.available else []
            self._ids = frozenset(row.id for row in rows if isinstance(row, Item))
        return [event.item for event in events if event.item not in self._ids]

    async def note(self, events: Iterable[Event]) -> int:
        """Keep what people did; it counts on the next request. Returns how many were new."""
        return await self.behaviour.add(events)

    async def forget(self, user: str) -> int:
        """Delete what is known of a user; how many events."""
        return await self.behaviour.forget(user)

    async def fact_names(self) -> frozenset[str]:
        """The names of the facts that items have."""
        recommender = await asyncio.to_thread(self._opened)
        return recommender.catalogue.fact_names

    def _opened(self) -> "Recommender":
        from agent.recommend.catalogue import Catalogue
        from agent.recommend.model import Learned
        from agent.recommend.recommender import Recommender
        from agent.recommend.shelf import current_version

        version = current_version(self.root)
        if self._recommender is None or version != self._version:
            learned = Learned.load(version) if version is not None else None
            if self._recommender is not None:
                self._recommender = Recommender(self._recommender.catalogue, learned)
            else:
                self._recommender = Recommender(Catalogue.open(self.root), learned)
            self._version = version
        return self._recommender
