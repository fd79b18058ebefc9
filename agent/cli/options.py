"""The options that the commands share."""

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The assistant's folder. Default: the current folder if it holds a domain.yml or "
        "domain/, else the bundled bank assistant.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to standard output.")
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="DIR",
        help="A model folder instead of the project's; no memory, no Redis.",
        show_default=False,
    ),
]
