"""Makes the people who sign in."""

import asyncio
from pathlib import Path

from agent.settings import load_settings
from agent.storage.accounts import Accounts, Role
from agent.storage.opening import open_store
from agent.web.security.passwords import hash_password

PASSWORD = "a long enough password"


async def add_person(root: Path, name: str, role: Role = "reviewer") -> None:
    """Add a user to a project whose server may be running."""
    hashed = await asyncio.to_thread(hash_password, PASSWORD)
    async with await open_store(root, load_settings(root).store) as store:
        await Accounts(store).put(name, role, hashed)
