"""What an environment is made of, and the hash by which it is told from any other.

The recipe is the framework's docker folder, the worker modules that all share, and its own worker: editing one
worker leaves every other framework's results valid.
"""

import hashlib
from pathlib import Path

from orchestrator.catalogue import DOCKER_DIR, ROOT, WORKERS_DIR, FrameworkEntry, find, spellings

SHARED_MODULES = (
    "__init__.py",
    "__main__.py",
    "compat.py",
    "dropout_probe.py",
    "harness.py",
    "parity.py",
    "schedules.py",
    "scoring.py",
    "spec.py",
    "threads.py",
    "worker.py",
)


def recipe_files(entry: FrameworkEntry) -> list[Path]:
    """Return the files that make a framework's environment, relative to the project's root."""
    modules = (*SHARED_MODULES, f"{entry.name}_worker.py", *entry.extra_modules)
    docker = [path for path in (DOCKER_DIR / entry.name).iterdir() if path.is_file()]
    return sorted(path.relative_to(ROOT) for path in (*docker, *(WORKERS_DIR / name for name in modules)))


def recipe_hash(entry: FrameworkEntry, device: str) -> str:
    """Return the hash of the recipe's files and of the image variant chosen by the device."""
    digest = hashlib.sha256(f"{entry.requirements[device]}\n".encode())
    for path in recipe_files(entry):
        content = (ROOT / path).read_bytes()
        digest.update(f"{path.as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def current_recipes() -> dict[tuple[str, str], str]:
    """Return {(label, device): hash} of every environment as its files are now."""
    entries = [find(label) for label in set(spellings().values())]
    return {(entry.label, device): recipe_hash(entry, device) for entry in entries for device in entry.devices}
