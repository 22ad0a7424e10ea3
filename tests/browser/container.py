"""A headless Chromium in a container without a network, in which tests have pages opened and looked at."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MADE_OF = ("Dockerfile", "requirements.txt")
Check = Callable[..., Any]
INSIDE = ("server.py", "checks.py")


@dataclass(frozen=True)
class Seen:
    """What came of one look at a page. ``found``: what the check returned."""

    found: Any
    messages: list[str]
    requests: list[str]
    title: str
    seconds: float

    @property
    def faults(self) -> list[str]:
        """Return all that no page may do, whatever it is looked at for."""
        return [*self.messages, *(f"requests {url}" for url in self.requests)]


class Browser:
    """Speaks with ``server.py`` in the container, one JSON document a line."""

    def __init__(self, process: "subprocess.Popen[str]", pages: Path) -> None:
        self._process = process
        self._pages = pages

    def __call__(
        self, check: Callable[..., Any], page: Path, options: dict[str, Any] | None = None, **how: Any
    ) -> Seen:
        """Open a page below ``pages`` anew and return what a function of ``checks.py`` finds on it.

        ``options``: the function's; ``how``: width, height, scheme (light, dark), media (screen, print).
        """
        name = f"{check.__module__.rsplit('.', 1)[-1]}.{check.__name__}"
        asked = {"check": name, "page": page.relative_to(self._pages).as_posix(), "options": options or {}, **how}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the browser's container has ended while it looked at {page} ({name})"
        answer = json.loads(line)
        assert "error" not in answer, f"{name} on {page}:\n{answer['error']}"
        return Seen(**answer)


def build() -> str:
    """Return the tag of the browser's image, made where it is not there yet."""
    digest = sha256(b"".join((HERE / name).read_bytes() for name in MADE_OF)).hexdigest()[:12]
    tag = f"bakeoff-browser:{digest}"
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode:
        built = subprocess.run(["docker", "build", "--tag", tag, str(HERE)], capture_output=True, text=True)
        assert built.returncode == 0, f"{tag} cannot be built:\n{built.stderr}"
    return tag


@contextmanager
def browser(pages: Path) -> Iterator[Browser]:
    """Run a browser that reads what lies below ``pages``, for the block."""
    command = ["docker", "run", "--rm", "--interactive", "--init", "--network", "none", "--shm-size", "512m"]
    command += ["--cpuset-cpus", ",".join(map(str, sorted(os.sched_getaffinity(0))))]
    command += ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{pages}:/pages:ro"]
    command += [word for name in INSIDE for word in ("--volume", f"{HERE / name}:/browser/{name}:ro")]
    with subprocess.Popen(
        [*command, build(), "python", "/browser/server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Browser(process, pages)
        finally:
            process.communicate()  # the end of its input ends it
