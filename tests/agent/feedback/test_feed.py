from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agent.feedback.correction import Correction
from agent.feedback.exchange import latest
from agent.feedback.feed import CorrectionFeed, learned_by, remember
from agent.feedback.service import Feedback
from agent.project.types import NluData
from agent.storage.store import Store
from agent.understanding.memory import CorrectionMemory
from training.curate import curate

TOLD = Correction("hot soup?", "intent", "ada", "c1", intent="menu", state="accepted")


def memory() -> CorrectionMemory:
    return CorrectionMemory(lambda texts: np.ones((len(texts), 4), dtype=np.float32))


def test_what_the_model_has_learned_retires() -> None:
    kept = memory()
    learned = learned_by({"learned": ["c1"], "contents": {"c1": TOLD.content}})
    remember(kept, TOLD, learned)
    assert len(kept) == 0
    remember(kept, replace(TOLD, answer="Yes."), learned)
    assert len(kept) == 1


def test_a_correction_that_was_amended_after_it_was_learned_counts_again() -> None:
    kept = memory()
    learned = learned_by({"learned": ["c1"], "contents": {"c1": TOLD.content}})
    remember(kept, replace(TOLD, intent="complaint"), learned)
    assert len(kept) == 1


def test_a_model_made_before_contents_were_noted_has_learned_all_that_it_names() -> None:
    kept = memory()
    remember(kept, TOLD, learned_by({"learned": ["c1"]}))
    assert len(kept) == 0


async def test_what_was_decided_last_stands_last_in_every_process(tmp_path: Path) -> None:
    async with await Store.open("embedded:", tmp_path) as store:
        feedback, follows = Feedback(store), CorrectionFeed(store)
        first = await feedback.correct(None, text="hats?", intent="menu")
        second = await feedback.correct(None, text="hats?", intent="greet")
        await follows.refresh()
        await feedback.accept(first.id, intent="complaint")
        await follows.refresh()
        began_later = CorrectionFeed(store)
        await began_later.refresh()
    assert list(follows.accepted) == [second.id, first.id]
    assert list(began_later.accepted) == [second.id, first.id]


async def test_a_clock_that_is_set_back_does_not_reorder_what_was_decided(tmp_path: Path) -> None:
    earlier = datetime.now(UTC) - timedelta(days=1)
    second = replace(TOLD, id="c2", intent="greet", created_at=earlier, history=())
    async with await Store.open("embedded:", tmp_path) as store:
        for one in (TOLD, second):
            assert await store.add_correction(one)
        began_later = CorrectionFeed(store)
        await began_later.refresh()
        accepted = await store.corrections("accepted")
    assert list(began_later.accepted) == ["c1", "c2"]
    assert [e.intent for e in curate(accepted, NluData(), held_out=0.0).examples] == ["greet"]
    assert [one.intent for one in latest(accepted)[0]] == ["greet"]
