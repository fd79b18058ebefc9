"""A process that serves the scripted assistant: one JSON message a line in, its replies out.

`python -m tests.agent.conversing ROOT URL PREFIX` answers `{"id", "conversation", "text"}` with
`{"id", "replies"}`, many at a time, until its input ends.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agent.turn import Message
from tests.agent.scripted import Scripted, scripted_assistant

SCRIPT = {"bye": "goodbye", "money?": "balance"}


async def main(root: Path, url: str, prefix: str) -> None:
    """Serve standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with scripted_assistant(root, SCRIPT, url, prefix=prefix) as assistant:
        await assistant.brains.current()
        tell({"ready": True})
        async with asyncio.TaskGroup() as answering:
            while line := await reader.readline():
                answering.create_task(answer(assistant, json.loads(line)))


async def answer(assistant: Scripted, asked: dict[str, Any]) -> None:
    """Answer one message."""
    message = Message(asked["id"], asked["conversation"], asked["text"])
    turn = await assistant.manager.handle(message)
    tell({"id": asked["id"], "replies": [reply.text for reply in turn.replies]})


def tell(data: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
