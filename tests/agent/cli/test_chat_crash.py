import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Run

ROUNDS = 20 if os.environ.get("INTENT_AGENT_FULL_COUNTS") else 4


@pytest.mark.slow
def test_what_was_acknowledged_survives_the_death_of_agent_and_redis_together(
    shop: Path, run_agent: Run
) -> None:
    acknowledged, turns = [], []
    for number in range(ROUNDS):
        text = f"odd message number {number}"
        turn, noted = correct_and_kill(shop, text, before_the_reply=number % 2 == 0)
        turns += [turn] if turn else []
        acknowledged += [text] if noted else []
    accepted = ("feedback", "list", "--json", "--state", "accepted", "--limit", "1000")
    listed = run_agent(*accepted, "--project", str(shop))
    assert listed.returncode == 0, listed.stderr
    kept = Counter(row["text"] for row in json.loads(listed.stdout))
    assert set(acknowledged) <= set(kept)
    assert set(kept.values()) == {1}
    assert len(acknowledged) >= ROUNDS // 2
    shown = run_agent("feedback", "correct", turns[0], "--intent", "greet", "--project", str(shop))
    assert shown.returncode == 0, shown.stderr


def correct_and_kill(shop: Path, text: str, *, before_the_reply: bool) -> tuple[str, bool]:
    """Say a text, correct it, and kill agent and Redis; the turn's id and whether it was noted."""
    command = [sys.executable, "-m", "agent", "chat", "--json", "--project", str(shop)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        assert chat.stderr is not None
        chat.stdin.write(f"{text}\n")
        chat.stdin.flush()
        turn = json.loads(chat.stdout.readline())["id"]
        chat.stdin.write("/wrong refund\n")
        chat.stdin.flush()
        if before_the_reply:
            time.sleep(random.uniform(0, 0.03))
        else:
            assert "Remembered" in chat.stderr.readline()
        redis = int((shop / ".agent" / "redis" / "redis.pid").read_text())
        os.kill(redis, signal.SIGKILL)
        os.kill(chat.pid, signal.SIGKILL)
        printed = chat.stderr.read()
    return turn, not before_the_reply or "Remembered" in printed
