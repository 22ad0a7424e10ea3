"""What an environment is made of, and the hash by which it is told from any other; on the host and in an image.

A recipe is a folder of ``docker/`` (NAME, or NAME/VERSION) and the modules of ``workers``, in Python or Lua, that are
not another framework's. A module whose name starts with a framework's name and an underscore is that framework's own:
``numpy_worker.py`` and ``numpy_reference.py``. So editing one worker leaves every other framework's results valid.

An image bakes the hash of what it holds: python -m workers.recipe FOLDER REQUIREMENTS [EXPECTED_HASH]
"""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = "_worker.py"
LANGUAGES = (".py", ".lua")


def modules(root: Path) -> List[Path]:
    """Return the modules of ``workers``."""
    return [path for path in (root / "workers").iterdir() if path.suffix in LANGUAGES]


def framework_of(module: str, root: Path) -> str:
    """Return the framework whose own a module of ``workers`` is, or nothing where all share it."""
    names = [path.name[: -len(SUFFIX)] for path in (root / "workers").glob("*" + SUFFIX)]
    owners = [name for name in names if module.startswith(name + "_")]
    return max(owners, key=len) if owners else ""


def recipe_files(folder: str, root: Path = ROOT) -> List[Path]:
    """Return the files that make an environment, relative to the project's root."""
    docker, name = [path for path in (root / "docker" / folder).iterdir() if path.is_file()], folder.split("/")[0]
    kept = [path for path in modules(root) if framework_of(path.name, root) in ("", name)]
    return sorted(path.relative_to(root) for path in docker + kept)


def recipe_hash(folder: str, requirements: str, root: Path = ROOT) -> str:
    """Return the hash of the recipe's files, and of which file of requirements is installed."""
    digest = hashlib.sha256((requirements + "\n").encode())
    for path in recipe_files(folder, root):
        content = (root / path).read_bytes()
        digest.update("{} {}\n".format(path.as_posix(), len(content)).encode())
        digest.update(content)
    return digest.hexdigest()


def bake(folder: str, requirements: str, root: Path) -> str:
    """Leave the recipe alone below ``root``, readable by every user, write its hash there and return it."""
    kept = recipe_files(folder, root)
    for path in modules(root):
        if path.relative_to(root) not in kept:
            path.unlink()
    for path in kept:
        (root / path).chmod(0o644)  # a checkout may be its owner's alone
        (root / path).parent.chmod(0o755)
    found = recipe_hash(folder, requirements, root)
    (root / "recipe_hash").write_text(found + "\n")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workers.recipe",
        description="In an image: remove the other frameworks' modules, write the recipe's hash to recipe_hash. "
        "Exits with 1 if it is not the expected one.",
    )
    parser.add_argument("folder")
    parser.add_argument("requirements")
    parser.add_argument("expected", nargs="?")
    given = parser.parse_args()
    if (ROOT / "orchestrator").exists():
        print("{} is the project, not an image; nothing was removed".format(ROOT), file=sys.stderr)
        return 2
    found = bake(given.folder, given.requirements, ROOT)
    if given.expected not in (None, found):
        text = "the recipe of {} hashes to {}, not to {}: the build did not get the files it was made for"
        print(text.format(given.folder, found, given.expected), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
