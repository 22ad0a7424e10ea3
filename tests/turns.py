"""What an image holds, laid out in a folder, and processes that take turns as the frameworks' containers do."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.catalogue import DOCKER_DIR, WORKERS_DIR
from workers.recipe import bake

# In the place of a worker: does what the job's folder says.
SCRIPTED = "import pathlib, sys\nfolder = pathlib.Path(sys.argv[1])\nexec((folder / 'script.py').read_text())\n"


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the first true thing that ``what`` returns."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


class Containers:
    """Processes in the place of containers, all of the same image; ``patience``: edits of the package's constants."""

    def __init__(self, folder: Path, framework: str = "numpy", patience: dict[str, str] | None = None) -> None:
        self.root = folder / "image"
        shutil.copytree(WORKERS_DIR, self.root / "workers", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(DOCKER_DIR / framework, self.root / "docker" / framework)
        bake(framework, "requirements.txt", self.root)
        module = self.root / "workers" / "turns.py"
        text = module.read_text()
        for before, after in (patience or {}).items():
            assert before in text
            text = text.replace(before, after)
        module.write_text(text)
        self.processes: list[subprocess.Popen[str]] = []

    def do_what_folders_say(self) -> None:
        (self.root / "workers" / "__main__.py").write_text(SCRIPTED)

    def start(self, runs: Path, service: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "workers.turns", str(runs), service]
        process = subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
