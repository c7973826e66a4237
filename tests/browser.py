"""A headless Chromium, driven over its own protocol: what the tests of the page look through."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
QUIET += "--disable-component-update --disable-sync --remote-debugging-port=0 --remote-allow-origins=*"
ABSENT = "no Chromium or Chrome on this machine: the page was not opened (Debian: apt-get install chromium)"
KEYS = {"Tab": 9, "Enter": 13, "ArrowDown": 40}


def find() -> str | None:
    """The browser's path, or None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One tab; `events` keeps all that the browser reported: console lines, faults, requests."""

    def __init__(self, profile: Path):
        command = [find(), *QUIET.split(), f"--user-data-dir={profile}", "about:blank"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, **quiet)
        self.numbers, self.events, self.socket = itertools.count(1), [], None
        file, until = profile / "DevToolsActivePort", time.monotonic() + 30
        while not file.exists() or len(file.read_text().split()) < 2:
            if time.monotonic() > until or self.process.poll() is not None:
                self.close()
                raise TimeoutError("the browser did not start within 30 s")
            time.sleep(0.05)
        port, path = file.read_text().split()
        self.session = None
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=30)
        tab = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        asked = {"targetId": tab["targetId"], "flatten": True}
        self.session = self.ask("Target.attachToTarget", **asked)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters):
        """Send a command and give its result; what is reported meanwhile goes to `events`."""
        number = next(self.numbers)
        said = {"id": number, "method": method, "params": parameters}
        self.socket.send(json.dumps(said | ({"sessionId": self.session} if self.session else {})))
        while True:
            heard = json.loads(self.socket.recv())
            if heard.get("id") == number:
                if "error" in heard:
                    raise RuntimeError(f"{method}: {heard['error']['message']}")
                return heard["result"]
            self.events.append(heard)

    def open(self, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page and wait until it is there."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=address)
        until = time.monotonic() + 30
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            if time.monotonic() > until:
                raise TimeoutError(f"{address} did not load within 30 s")
            self.events.append(json.loads(self.socket.recv()))

    def run(self, script: str):
        """The value of an expression in the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release one key: a name in KEYS, or a letter."""
        text = {"Enter": "\r"}.get(key, "" if key in KEYS else key)
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def reported(self, *methods: str) -> list[dict]:
        return [event["params"] for event in self.events if event["method"] in methods]

    def picture(self, path: Path, whole: bool = False) -> None:
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
