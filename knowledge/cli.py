"""The commands `agent knowledge index|search|evaluate`."""

import typer

knowledge_app = typer.Typer(
    help="The knowledge base: index, search, evaluate.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the group `knowledge` to the command line."""
    app.add_typer(knowledge_app, name="knowledge")


@knowledge_app.callback()
def knowledge() -> None:
    """The knowledge base: index, search, evaluate."""
