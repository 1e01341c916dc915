"""A real browser without a window, driven over its own protocol: what a page does, is told."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
_PATIENCE_S = 60.0


class Browser:
    """One page of a browser.

    Attributes
    ----------
    requested : list of str
        Every address that the page has asked for.
    complaints : list of str
        What the browser said of the page: errors, warnings, what it refused.
    """

    def __init__(self, read: int, write: int) -> None:
        self._in, self._out = os.fdopen(read, "rb"), os.fdopen(write, "wb")
        self._number, self._session, self._rest = 0, "", b""
        self._seen: set[str] = set()
        self.requested: list[str] = []
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        got = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = got["sessionId"]
        for part in ("Network", "Log", "Runtime", "Page"):
            self._ask(f"{part}.enable")

    def open(self, path: Path) -> None:
        """Show a file, and wait until all of it is there."""
        self._seen.discard("Page.loadEventFired")
        self._ask("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self._seen:
            self._hear()

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        got = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def picture(self, path: Path) -> None:
        """Take a picture of the whole page."""
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        got = self._ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(got["data"]))

    def printed(self) -> bytes:
        """The page as it is printed, as PDF."""
        got = self._ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        return base64.b64decode(got["data"])

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        told: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            told["sessionId"] = self._session
        self._out.write(json.dumps(told).encode() + b"\0")
        self._out.flush()
        while True:
            got = self._hear()
            if got.get("id") == self._number:
                assert "error" not in got, (method, got)
                return got["result"]

    def _hear(self) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._rest:
            assert time.monotonic() < until, "the browser does not answer"
            part = self._in.read1(1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        line, self._rest = self._rest.split(b"\0", 1)
        got: dict[str, Any] = json.loads(line)
        method, told = got.get("method", ""), got.get("params", {})
        self._seen.add(method)
        if method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(told))
        return got


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser for as long as it is needed; ``profile`` is a folder of its own."""
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()
    options = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
        *("--disable-background-networking", "--window-size=1100,900", "--remote-debugging-pipe"),
        f"--user-data-dir={profile}",
    ]
    # It reads from the third file it is given and writes to the fourth.
    line = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    running = subprocess.Popen(
        ["bash", "-c", line, PROGRAM, *options, "about:blank"],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(read, write)
    finally:
        running.terminate()
        running.wait(30)
