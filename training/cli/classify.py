"""The command `agent classify`: labels by a prompt to a masked language model."""

import json
import sys
from typing import Annotated

import typer

from knowledge.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("classify")(classify)


def classify(
    text: Annotated[list[str], typer.Argument(help="Messages.")],
    encoder: Annotated[
        str,
        typer.Option("--encoder", metavar="NAME_OR_PATH", help="A masked language model."),
    ],
    label: Annotated[
        list[str],
        typer.Option("--label", metavar="NAME=WORD,…", help="A label and the words for it."),
    ],
    template: Annotated[
        str, typer.Option("--template", help="Holds {text} and [MASK].")
    ] = "{text} This is about [MASK].",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Classify messages without any example, by a prompt with a [MASK]; needs torch.

    Example: agent classify "my card is gone" --encoder bert-base-uncased
    --label card=card,cards --label loan=loan,mortgage
    """
    verbalizer = dict(_read_label(one) for one in label)
    from training.prompting import load_prompt  # loads torch: only when it is used

    prompt = load_prompt(encoder, template, verbalizer)
    for message, row in zip(text, prompt.classify(text), strict=True):
        ranked = sorted(zip(prompt.labels, row.tolist(), strict=True), key=lambda one: -one[1])
        if as_json:
            labels = [{"name": name, "confidence": round(p, 6)} for name, p in ranked]
            line = json.dumps({"text": message, "labels": labels}, ensure_ascii=False)
        else:
            line = f"{message}: " + ", ".join(f"{name} {p:.3f}" for name, p in ranked)
        sys.stdout.write(line + "\n")


def _read_label(given: str) -> tuple[str, list[str]]:
    name, _, words = given.partition("=")
    if not name.strip():
        raise InputError(f"--label needs NAME=WORD,WORD, not {given!r}")
    listed = [word.strip() for word in words.split(",") if word.strip()]
    return name.strip(), listed or [name.strip()]
