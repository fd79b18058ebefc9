"""Distinct messages with the length distribution of real ones."""

import json
import random
from pathlib import Path

_WORDS = """
my card account money transfer please can you check balance payment the a to of for today yesterday
wrong charge help new old savings current joint pin limit abroad fee loan how when where what is was
it has not did euros fifty hundred rent landlord amazon shop app login
""".split()  # noqa: SIM905 - a list of fifty quoted words reads worse
# Words in a message, as measured on the CLINC150 test split (deciles).
_LENGTHS = (3, 5, 6, 7, 8, 8, 9, 10, 11, 14)


def distinct_messages(data: Path, count: int, *, seed: int = 0) -> list[str]:
    """`count` different messages: CLINC150's test texts where they are, else made-up ones.

    Made-up ones, and those beyond what the set holds, are random words whose lengths follow
    CLINC150's deciles.
    """
    rng = random.Random(seed)
    found = list(dict.fromkeys(_read(data / "clinc150" / "test.jsonl")))
    rng.shuffle(found)
    seen = set(found)
    while len(found) < count:
        text = " ".join(rng.choices(_WORDS, k=rng.choice(_LENGTHS)))
        if text not in seen:
            seen.add(text)
            found.append(text)
    return found[:count]


def _read(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [str(json.loads(line)["text"]) for line in file]
