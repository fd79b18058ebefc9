"""A project's facts for Rasa's knowledge-base actions.                [door: rasa_sdk].

In `actions.py`:

    from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase
    from agent.actions.facts_base import FactsKnowledgeBase

    class QueryFacts(ActionQueryKnowledgeBase):
        def __init__(self) -> None:
            super().__init__(FactsKnowledgeBase())
"""

from pathlib import Path

from rasa_sdk.knowledge_base.storage import InMemoryKnowledgeBase

from knowledge.facts import FACTS, load_facts


class FactsKnowledgeBase(InMemoryKnowledgeBase):  # type: ignore[misc]  # the SDK has no types
    """The tables of a folder as objects that `ActionQueryKnowledgeBase` finds and describes.

    Args:
        folder: the tables' folder; by default `facts/` of the project that the actions are in.
    """

    def __init__(self, folder: Path | str = FACTS) -> None:
        super().__init__(str(folder))

    def load(self) -> None:
        """Read the tables; raises InputError where one cannot be read."""
        self.data = load_facts(Path(self.data_file))
