"""How a terminal shows replies, explanations and rankings."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.turn import Entity, Reply, Turn, Understanding
from knowledge.passage import ScoredPassage

if TYPE_CHECKING:
    from agent.understanding.explain import Explanation


# A word with a smaller share in an explanation hardly matters.
_MATTERS = 0.05


def show_replies(
    console: Console, replies: Iterable[Reply], *, sources: bool, first: int = 1
) -> None:
    """Print the replies, their buttons numbered from `first` on."""
    number = first
    for reply in replies:
        _show_content(console, reply)
        for button in reply.buttons:
            console.print(Text.assemble((f"  {number}. ", "bold cyan"), button.title))
            number += 1
        if sources:
            for scored in unique_sources(reply.passages):
                console.print(Text(f"  Source: {source_line(scored)}", style="dim"))


def plain_lines(replies: Iterable[Reply], *, sources: bool) -> list[str]:
    """The replies for a pipe: one line each, buttons as `1. title`, sources as `Source: title`."""
    lines: list[str] = []
    number = 0
    for reply in replies:
        if reply.text:
            lines.append(one_line(reply.text))
        lines += [f"Image: {reply.image}"] if reply.image else []
        lines += [str(reply.custom)] if reply.custom is not None else []
        for button in reply.buttons:
            number += 1
            lines.append(f"{number}. {button.title}")
        if sources:
            lines += [f"Source: {s.passage.title}" for s in unique_sources(reply.passages)]
    return lines


def one_line(text: str) -> str:
    """The text on one line; the rows of a Markdown table become `cell: cell; cell: cell`.

    >>> one_line("Rates:\\n\\n| Term | Rate |\\n|---|---|\\n| 6 months | 2 % |\\n\\nAsk us.")
    'Rates: Term: Rate; 6 months: 2 %. Ask us.'
    """
    parts: list[str] = []
    for is_row, group in groupby(text.splitlines(), key=lambda line: line.lstrip().startswith("|")):
        lines = list(group)
        parts.append("; ".join(filter(None, map(_row, lines))) + "." if is_row else " ".join(lines))
    return " ".join(" ".join(parts).split())


def _row(line: str) -> str:
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    return "" if all(set(cell) <= set("-: ") for cell in cells) else ": ".join(cells)


def unique_sources(passages: Iterable[ScoredPassage]) -> list[ScoredPassage]:
    """The passages with one entry a document, best first."""
    seen: dict[str, ScoredPassage] = {}
    for scored in passages:
        seen.setdefault(scored.passage.document_id, scored)
    return list(seen.values())


def source_line(scored: ScoredPassage) -> str:
    """A source as a person reads it: its title and, if it has one, its link."""
    url = scored.passage.metadata.get("url")
    return scored.passage.title + (f" ({url})" if url else "")


def show_why(
    console: Console, turn: Turn, explanation: "Explanation | None" = None, *, ranking: int = 5
) -> None:
    """Explain a turn: ranking, entities, words, memory, policies, passages and timing."""
    show_understanding(console, turn.understanding, explanation, ranking=ranking)
    console.print(_decision_table(turn))
    if turn.passages:
        console.print(_passage_table(turn.passages))
    stages = ", ".join(f"{name} {ms:.1f}" for name, ms in turn.stages_ms.items())
    console.print(
        Text(f"Model {turn.model_version or 'none'} · {turn.took_ms:.1f} ms ({stages})", "dim")
    )
    if turn.prompts:
        used = ", ".join(f"{name}@{digest[:8]}" for name, digest in turn.prompts.items())
        console.print(Text(f"Prompts: {used}", style="dim"))


def show_understanding(
    console: Console,
    understanding: Understanding,
    explanation: "Explanation | None" = None,
    *,
    ranking: int = 5,
) -> None:
    """What a message means, and if an explanation is given, why."""
    console.print(_ranking_table(understanding, ranking))
    if understanding.heads:
        console.print(_head_table(understanding))
    if understanding.entities:
        console.print(_entity_table(understanding.entities))
    if explanation is not None:
        _show_explanation(console, explanation)
    _show_memory(console, understanding)
    _show_proposal(console, understanding)


def show_slots(console: Console, slots: Mapping[str, Any]) -> None:
    """Print the slots that hold a value."""
    filled = {name: value for name, value in slots.items() if value is not None}
    if not filled:
        console.print(Text("No slot is filled.", style="dim"))
        return
    table = Table("Slot", "Value", title="Slots", title_justify="left")
    for name, value in filled.items():
        table.add_row(Text(name), Text(repr(value)))
    console.print(table)


def marked(text: str, entities: Iterable[Entity]) -> Text:
    """The message with its entities underlined and labelled."""
    shown = Text()
    position = 0
    for entity in sorted(entities, key=lambda e: e.start):
        if entity.start < position:  # Duckling's values may overlap
            continue
        shown.append(text[position : entity.start])
        shown.append(text[entity.start : entity.end], style="underline")
        shown.append(f"[{_label(entity)}]", style="dim")
        position = entity.end
    shown.append(text[position:])
    return shown


def _show_content(console: Console, reply: Reply) -> None:
    if reply.text:
        body = _markdown(reply.text) if reply.passages else Text(reply.text)
        console.print(Padding(body, (0, 0, 0, 2)))
    if reply.image:
        console.print(Text(f"  Image: {reply.image}"))
    if reply.attachment is not None:
        console.print(Text(f"  Attachment: {reply.attachment}"))
    if reply.custom is not None:
        console.print(Text(f"  {reply.custom}", style="dim"))


def _markdown(text: str) -> RenderableType:
    # A tenth of a second to load, and only answers from documents have it.
    from rich.markdown import Markdown

    return Markdown(text)


def _ranking_table(understanding: Understanding, limit: int) -> Table:
    title = f"Understood from {understanding.source}, in scope {understanding.in_scope:.2f}"
    table = Table("Intent", "Confidence", title=title, title_justify="left")
    for score in understanding.ranking[:limit]:
        bar = "█" * round(score.confidence * 20)
        table.add_row(Text(score.intent), f"{score.confidence:.3f} {bar}")
    for name, scores in understanding.responses.items():
        if scores and name == "default":
            table.add_row(Text(f"answer {scores[0].intent}"), f"{scores[0].confidence:.3f}")
    return table


def _entity_table(entities: Iterable[Entity]) -> Table:
    table = Table("Entity", "Text", "Value", "Confidence", "From", title="Entities")
    table.title_justify = "left"
    for entity in entities:
        sure = "" if entity.confidence is None else f"{entity.confidence:.2f}"
        row = (_label(entity), entity.text, str(entity.value), sure, entity.extractor or "")
        table.add_row(*map(Text, row))
    return table


def _head_table(understanding: Understanding) -> Table:
    table = Table("Head", "Label", "Confidence", title="Further labels", title_justify="left")
    for name, scores in understanding.heads.items():
        if scores:
            table.add_row(Text(name), Text(scores[0].intent), f"{scores[0].confidence:.3f}")
    return table


def _show_explanation(console: Console, explanation: "Explanation") -> None:
    if explanation.tokens:
        shown = Text.assemble((f"Words for {explanation.intent}: ", "bold"))
        for part in explanation.tokens:
            matters = abs(part.weight) >= _MATTERS
            style = ("bold green" if part.weight > 0 else "red") if matters else "dim"
            shown.append(part.text, style)
            shown.append(f" {part.weight:+.2f}  " if matters else "  ", "dim")
        console.print(shown)
    if explanation.nearest:
        table = Table("Similarity", "Example", "Intent", title="Nearest training examples")
        table.title_justify = "left"
        for one in explanation.nearest:
            table.add_row(f"{one.similarity:.3f}", Text(one.text), Text(one.intent or ""))
        console.print(table)


def _show_memory(console: Console, understanding: Understanding) -> None:
    for neighbour in understanding.neighbours:
        how = "the same text" if neighbour.exact else f"similarity {neighbour.similarity:.2f}"
        target = f" as {neighbour.intent}" if neighbour.intent else ""
        line = f"Correction {neighbour.correction_id[:8]}: {neighbour.text!r}{target}"
        console.print(Text(f"{line} ({how}, weight {neighbour.weight:.2f})", style="magenta"))


def _show_proposal(console: Console, understanding: Understanding) -> None:
    proposal = understanding.proposal
    if proposal is None:
        return
    spans = "".join(f", {_label(e)} {e.text!r}" for e in proposal.entities)
    how = "it decided" if proposal.used else "only noted"
    line = f"Language model: {proposal.intent or 'nothing fits'}{spans}"
    console.print(Text(f"{line} (trust {proposal.trust:.2f}, {how})", style="magenta"))


def _decision_table(turn: Turn) -> Table:
    table = Table("Action", "Policy", "Confidence", "Reason", title="Decisions")
    table.title_justify = "left"
    for d in turn.decisions:
        table.add_row(Text(d.action), Text(d.policy), f"{d.confidence:.2f}", Text(d.reason))
    return table


def _passage_table(passages: Iterable[ScoredPassage]) -> Table:
    table = Table("Score", "Passage", "Text", title="Passages", title_justify="left")
    for scored in passages:
        start = " ".join(scored.passage.text.split())[:80]
        table.add_row(f"{scored.score:.3f}", Text(scored.passage.title), Text(start))
    return table


def _label(entity: Entity) -> str:
    parts = [entity.label]
    if entity.role:
        parts.append(f"role {entity.role}")
    if entity.group:
        parts.append(f"group {entity.group}")
    return ", ".join(parts)
