"""A bare FastAPI application that sends a message back: what HTTP alone costs."""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Message(BaseModel):
    """What a client sends."""

    sender: str
    message: str


@app.post("/webhooks/rest/webhook")
async def echo(body: Message) -> list[dict[str, Any]]:
    """Send the text back in the channel's shape."""
    return [{"recipient_id": body.sender, "text": body.message}]


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[-1]), log_level="warning", access_log=False)
