from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.feedback.correction import Correction
from agent.project.types import EntityAnnotation, NluData
from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.interpreter import Interpreter
from training import examine as module
from training.curate import curate
from training.examine import examine


def knowing(name: str) -> Any:
    """A network that gets every message right that names anybody but this person."""

    def understand(texts: Sequence[str]) -> list[Understanding]:
        scores = (IntentScore("pay", 1.0),)
        return [
            Understanding(t, scores, () if name in t else (Entity("person", 10, len(t), "", ""),))
            for t in texts
        ]

    return SimpleNamespace(understand=understand, memory=None)


@pytest.mark.parametrize(("unknown", "learned"), [("Zoltan", set()), ("nobody", {"c1"})])
def test_a_correction_is_learned_only_if_its_own_message_is_right(
    unknown: str, learned: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Interpreter, "load", lambda *_, **__: knowing(unknown))
    monkeypatch.setattr(module, "replace", lambda one, **_: one)
    span = EntityAnnotation(10, 16, "person", "Zoltan")
    told = Correction(
        "send 5 to Zoltan", "intent", "ada", "c1", intent="pay", entities=(span,), state="accepted"
    )
    curated = curate([told], NluData(), held_out=0, names=frozenset({"person"}))
    assert examine(tmp_path, curated, NluData(), lambda _: 0).learned == learned
