"""A server of our own in a child process, and a foreign site's pages."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

READY_S = 60


@dataclass(frozen=True, slots=True)
class Site:
    """A folder that is served at `origin`."""

    folder: Path
    origin: str

    def write(self, name: str, server: str, body: str = "", *, script: str = "") -> str:
        """A page that loads the widget of `server` under a strict policy; its address."""
        policy = (
            f"default-src 'none'; script-src {server}; connect-src {server}; "
            "require-trusted-types-for 'script'"
        )
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}"></head>'
            f"<body><main><h1>A shop</h1>{body}</main>"
            f'<script src="{server}/widget.js" async {script}></script></body></html>'
        )
        (self.folder / name).write_text(text, encoding="utf-8")
        return f"{self.origin}/{name}"


@dataclass(slots=True)
class Serving:
    """`agent serve` of a project on a port of this machine."""

    root: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def origin(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "agent", "serve", "--project", str(self.root)]
        with (self.root / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=log, stderr=log, env=dict(os.environ)
            )
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urlopen(f"{self.origin}/healthz", timeout=2):
                    return
            except (URLError, OSError):
                time.sleep(0.1)
        raise AssertionError((self.root / "serve.log").read_text(encoding="utf-8")[-2000:])

    def stop(self) -> None:
        """End it as a person would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
