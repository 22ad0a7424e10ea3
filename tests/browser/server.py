"""Runs in the browser's container: opens each page that is asked for anew, and answers with what a check finds on it.

A line of JSON asks, a line of JSON answers. Everything that a page says on its console, and everything that it asks the
network for, is in the answer.
"""

import importlib
import json
import sys
import time
import traceback
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

TIMEOUT_MS = 60_000


def main() -> None:
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that a container has not; the container is the sandbox.
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=["--no-sandbox"])
        for line in sys.stdin:
            try:
                answer = looked_at(chromium, **json.loads(line))
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)
        chromium.close()


def looked_at(
    chromium: Browser,
    check: str,
    page: str,
    options: dict[str, Any],
    width: int = 1280,
    height: int = 900,
    scheme: Any = "light",
    media: Any = "screen",
) -> dict[str, Any]:
    module, name = check.split(".")
    function = getattr(importlib.import_module(module), name)
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(TIMEOUT_MS)
    tab = context.new_page()
    tab.emulate_media(media=media)
    messages, requests = watched(tab, address := f"file:///pages/{page}")
    begin = time.monotonic()
    tab.goto(address)
    found = function(tab, **options)
    tab.wait_for_timeout(50)  # what the page still has to say
    answer = {
        "found": found,
        "messages": messages,
        "requests": requests,
        "title": tab.title(),
        "seconds": time.monotonic() - begin,
    }
    context.close()
    return answer


def watched(tab: Page, address: str) -> tuple[list[str], list[str]]:
    """Return two lists that fill as the page speaks and asks: console errors, warnings and exceptions; addresses."""
    messages: list[str] = []
    requests: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            messages.append(f"{message.type}: {message.text}")

    def asked(url: str) -> None:
        if url.split("#")[0] != address and not url.startswith(("data:", "blob:")):
            requests.append(url)

    tab.on("console", said)
    tab.on("pageerror", lambda error: messages.append(f"exception: {error}"))
    tab.on("dialog", lambda dialog: (messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    tab.on("request", lambda request: asked(request.url))
    tab.on("websocket", lambda socket: asked(socket.url))
    return messages, requests


if __name__ == "__main__":
    main()
