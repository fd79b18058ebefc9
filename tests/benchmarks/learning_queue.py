"""The review queue of the learning benchmark: turns in Redis, users' feedback, a reviewer."""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.feedback.feed import CorrectionFeed, remember
from agent.feedback.folding import Opinion
from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import Judgement
from agent.feedback.records import mask_record
from agent.feedback.service import Feedback
from agent.feedback.submission import Said
from agent.project.types import NluData
from agent.settings import load_settings
from agent.storage.store import Store
from agent.turn import IntentScore, Message, Neighbour, Turn, Understanding
from agent.turn_record import turn_record
from tests.benchmarks.learning_agent import Assistant
from tests.benchmarks.learning_data import Split
from training.curate import curate

QUEUED, ASKED = 2000, 300
_RANKED, _NEAREST = 10, 3


def queue_figures(split: Split, seed: int) -> dict[str, float | None]:
    """How many more errors a reviewer finds in the queue than in as many messages at random.

    `lift` without and `flood_lift` with users' feedback, of which a fifth is hostile;
    `unreviewed_changes` counts answers and training examples that this feedback changed
    before anybody reviewed it.
    """
    quiet = asyncio.run(_Desk(split, seed).work(flood=False))
    flooded = asyncio.run(_Desk(split, seed).work(flood=True))
    return {"lift": quiet[0], "flood_lift": flooded[0], "unreviewed_changes": flooded[1]}


class _Desk:
    """The messages that come in, what the assistant makes of them, and their true intents."""

    def __init__(self, split: Split, seed: int) -> None:
        self.split, self.crowd = split, random.Random(seed)
        self.agent = Assistant(split.base, split.vectors)
        rows = list(range(len(split.stream)))
        self.crowd.shuffle(rows)
        self.messages = split.stream.take(rows[:QUEUED])
        right = self.agent.head.right(self.messages)
        self.wrong = {f"t{n}": not hit for n, hit in enumerate(right)}
        self.gold = {f"t{n}": gold for n, gold in enumerate(self.messages.intents)}

    async def work(self, *, flood: bool) -> tuple[float | None, float]:
        """The lift of a tenth of the messages, and what unreviewed feedback changed."""
        settings = load_settings(environ={}).feedback
        with tempfile.TemporaryDirectory() as folder:
            async with await Store.open("embedded:", Path(folder)) as store:
                await self._log(store)
                changed = await self._flood(store) if flood else 0
                queue = ReviewQueue(store, settings, consult=self._consult)
                await queue.refresh()
                return await self._review(queue), float(changed)

    async def _log(self, store: Store) -> None:
        for n, text in enumerate(self.messages.texts):
            heard = Understanding(text, self.agent.understand(text).ranking[:_RANKED])
            turn = Turn(f"t{n}", Message(f"m{n}", f"c{n}", text), heard, (), (), "v1", 1.0)
            await store.commit_turn(mask_record(turn_record(turn)), f"c{n}", [])

    async def _flood(self, store: Store) -> int:
        """Users complain about three of ten errors; of all complaints a fifth are lies."""
        feedback, names = Feedback(store, daily_quota=50), sorted(set(self.split.base.intents))
        honest = [t for t, wrong in self.wrong.items() if wrong and self.crowd.random() < 0.3]
        right = [t for t, wrong in self.wrong.items() if not wrong]
        lies = self.crowd.sample(right, min(len(right), max(1, len(honest) // 4)))
        before = self._answers()
        for turn in honest:
            await feedback.submit(turn, Said(self.gold[turn]))
        for turn in lies:
            others = [name for name in names if name != self.gold[turn]]
            await feedback.submit(turn, Said(self.crowd.choice(others or names)))
        feed = CorrectionFeed(store)
        await feed.refresh(lambda one: remember(self.agent.memory, one))
        answers = sum(a != b for a, b in zip(before, self._answers(), strict=True))
        examples = curate(await store.corrections("accepted"), NluData(), held_out=0.0).all
        return answers + len(examples)

    def _answers(self) -> list[str]:
        texts = (*self.messages.texts[:ASKED], *self.split.test.texts[:ASKED])
        return [self.agent.intent(text) for text in texts]

    async def _review(self, queue: ReviewQueue) -> float | None:
        """Work off as many items as a tenth of the messages, best first, as a reviewer does."""
        looks, found = max(1, len(self.messages) // 10), 0
        for done in range(looks):
            item = await queue.claim("reviewer")
            if item is None:
                looks = max(1, done)
                break
            turn = item.turn_ids[0]
            found += self.wrong[turn]
            judgement = Judgement("correct", intent=self.gold[turn])
            await queue.decide(item.id, "reviewer", judgement)
        usual = sum(self.wrong.values()) / max(len(self.wrong), 1)
        return round(found / looks / usual, 4) if usual else None

    def _consult(self, texts: Sequence[str]) -> list[Opinion]:
        base, found = self.split.base, []
        for text in texts:
            vector = self.split.vectors[text]
            near = base.vectors @ vector
            nearest = tuple(
                Neighbour("", base.texts[j], base.intents[j], float(near[j]))
                for j in np.argsort(-near)[:_NEAREST]
            )
            chances = self.agent.head.chances(vector[None])[0]
            order = np.argsort(-chances)[:_RANKED]
            names = self.agent.head.names
            ranking = tuple(IntentScore(names[i], float(chances[i])) for i in order)
            found.append(Opinion(vector, ranking, nearest, "v1"))
        return found
