"""Label names as examples: `card_arrival` says "card arrival"; helps where examples are few."""

import re
from collections.abc import Sequence

from agent.project.types import Example
from training.corpus import Corpus

# Half of BANKING77's ten examples an intent, a fifth of CLINC150's and fifty of SNIPS' on dev:
# +1.0, +0.3 and +0.1 points for a logistic head; with full data nothing changes.
WEIGHT = 1.0
SOURCE = "name"


def read_name(label: str) -> str:
    """A label as words.

    >>> read_name("faq/cardArrival_abroad")
    'card arrival abroad'
    """
    last = label.rpartition("/")[2]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", last)
    return re.sub(r"[\W_]+", " ", spaced).strip().lower()


def name_examples(corpus: Corpus) -> Sequence[Example]:
    """One example for each intent and each response key: its name as a message.

    A retrieval intent is named by its keys; a name without a letter is left out.
    """
    retrieval = {key.partition("/")[0] for key in corpus.responses}
    named: list[tuple[str, str | None]] = [
        (label, None) for label in corpus.intents if label not in retrieval
    ]
    named += [(key.partition("/")[0], key) for key in corpus.responses]
    examples = [
        Example(
            read_name(response or intent), intent, response=response, weight=WEIGHT, source=SOURCE
        )
        for intent, response in named
    ]
    return [e for e in examples if any(c.isalpha() for c in e.text)]
