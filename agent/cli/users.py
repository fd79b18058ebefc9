"""`agent users`: who may sign in to the review pages."""

import asyncio
import json
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.storage.accounts import Account, Role

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
RoleOption = Annotated[str, typer.Option("--role", help="reviewer, or admin (models, too).")]
GenerateOption = Annotated[
    bool, typer.Option("--generate", help="Make a password and print it, instead of asking.")
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Who may sign in: add, list, remove, passwd.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_users)
    group.command("remove")(remove)
    group.command("passwd")(passwd)
    app.add_typer(group, name="users")


def add(
    name: NameArgument,
    role: RoleOption = "reviewer",
    generate: GenerateOption = False,
    project: ProjectOption = None,
) -> None:
    """Add a reviewer or admin; the password is asked for, or the first line of a pipe.

    Example: agent users add alice --role admin
    """
    from agent.storage.accounts import ROLES, check_name
    from knowledge.project_folder import find_project

    check_name(name)
    if role not in ROLES:
        raise InputError(f"--role is one of {', '.join(ROLES)}, got {role!r}")
    root = find_project(project)
    password = _password(generate)
    asyncio.run(_put(root, name, role, password, new=True))
    _tell(f"{name} may sign in as {role}.", password if generate else None)


def passwd(
    name: NameArgument, generate: GenerateOption = False, project: ProjectOption = None
) -> None:
    """Give a user another password; their sessions end.

    Example: agent users passwd alice
    """
    from knowledge.project_folder import find_project

    root = find_project(project)
    found = {account.name: account for account in asyncio.run(_all(root))}
    if name not in found:
        raise InputError(f"there is no user {name!r}: see `agent users list`")
    password = _password(generate)
    asyncio.run(_put(root, name, found[name].role, password, new=False))
    _tell(f"{name} has a new password.", password if generate else None)


def list_users(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List who may sign in.

    Example: agent users list
    """
    from knowledge.project_folder import find_project

    accounts = asyncio.run(_all(find_project(project)))
    if as_json:
        rows = [
            {"name": a.name, "role": a.role, "created_at": a.created_at.isoformat()}
            for a in accounts
        ]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for account in accounts:
        sys.stdout.write(f"{account.name}  {account.role}  since {account.created_at:%Y-%m-%d}\n")
    if not accounts:
        sys.stdout.write("Nobody yet: agent users add NAME --role admin\n")


def remove(name: NameArgument, project: ProjectOption = None) -> None:
    """Remove a user; their sessions end.

    Example: agent users remove alice
    """
    from knowledge.project_folder import find_project

    if not asyncio.run(_remove(find_project(project), name)):
        raise InputError(f"there is no user {name!r}: see `agent users list`")
    _tell(f"{name} may no longer sign in.", None)


def _password(generate: bool) -> str:
    """A password: made, asked for twice, or read from a pipe."""
    if generate:
        return secrets.token_urlsafe(15)
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _tell(text: str, password: str | None) -> None:
    sys.stdout.write(text + "\n")
    if password is not None:
        sys.stdout.write(f"Password: {password}\n")


async def _put(root: "Path", name: str, role: "Role", password: str, *, new: bool) -> None:
    from agent.cli.opened import open_store
    from agent.storage.accounts import Accounts
    from agent.web.security.passwords import hash_password

    hashed = hash_password(password)
    async with open_store(root) as store:
        await Accounts(store).put(name, role, hashed, new=new)


async def _all(root: "Path") -> "list[Account]":
    from agent.cli.opened import open_store
    from agent.storage.accounts import Accounts

    async with open_store(root) as store:
        return await Accounts(store).all()


async def _remove(root: "Path", name: str) -> bool:
    from agent.cli.opened import open_store
    from agent.storage.accounts import Accounts

    async with open_store(root) as store:
        return await Accounts(store).remove(name)
