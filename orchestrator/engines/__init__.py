"""Where a job runs. An engine says why it cannot work here, prepares a framework's environment and runs a job."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.catalogue import FrameworkEntry
from workers.spec import Job, Result


@dataclass(frozen=True)
class Prepared:
    """A framework's environment, ready to run jobs. ``target``: an image's tag, or an interpreter's path."""

    entry: FrameworkEntry
    device: str
    recipe_hash: str
    target: str
    image_id: str | None = None

    @property
    def key(self) -> str:
        """Tells this environment from any other: what verdicts and compile caches are kept by."""
        image = (self.image_id or "local").removeprefix("sha256:")[:12]
        return f"{self.entry.folder.replace('/', '-')}-{self.device}-{image}-{self.recipe_hash[:12]}"


Say = Callable[[str], None]


class Engine(Protocol):
    """What ``orchestrate`` needs of an engine."""

    name: str

    def why_not(self) -> str | None:
        """Return why this engine cannot work here, with the next step, or None."""

    def why_no_gpu(self) -> str | None:
        """Return why jobs of this engine would see no GPU, with the next step, or None."""

    def why_not_ready(self, entry: FrameworkEntry, device: str) -> str | None:
        """Return what this engine needs of the user before it can prepare a framework, with the next step, or None.

        ``all`` leaves such a framework out, and names it.
        """

    def clear(self, run_folder: Path) -> None:
        """End what an earlier process left of this run when it was killed: no job may write into it any more."""

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        """Build or reuse the framework's environment. Raises EngineError."""

    def run(self, prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> Result:
        """Run the job in its folder and return the result, whatever happened.

        The folder holds ``job.json``; ``RUN/inputs`` is two levels above. ``compile_cache``: a writable folder
        for the framework's compiler. KeyboardInterrupt stops the job and passes on.
        """
