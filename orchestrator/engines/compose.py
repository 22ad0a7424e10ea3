"""Engine ``compose``: each framework's own container runs its jobs, as ``workers/turns.py`` says. In ``bench`` alone,
the service of compose.yaml."""

import os
import time
from pathlib import Path
from typing import Any

from orchestrator.catalogue import FRAMEWORKS, FrameworkEntry
from orchestrator.engines import Prepared, Say
from orchestrator.engines.outcome import Exit, collect
from orchestrator.errors import EngineError
from orchestrator.recipe import recipe_hash
from workers.spec import Job, Result
from workers.turns import POLL_SECONDS, present, read_json, write_json

SETTING = "BENCH_TURNS_DIR"
KILLED = 137


class ComposeEngine:
    """Gives orders to the containers that are up, through files in the folder that they share."""

    name = "compose"

    def __init__(self) -> None:
        self.turns = Path(os.environ.get(SETTING, ""))
        self._number = 0

    def why_not(self) -> str | None:
        if not os.environ.get(SETTING):
            return (
                f"it works in a container of compose.yaml alone ({SETTING} is not set). "
                f"Use `docker compose up`, or --engine docker"
            )
        if not self._session():
            return f"no session is open in {self.turns}. Use `docker compose up`, which opens one"
        return None

    def why_no_gpu(self) -> str | None:
        return None  # this container has none itself; a framework's container says whether it has

    def why_not_ready(self, entry: FrameworkEntry, device: str) -> str | None:
        return None  # whose container is not up is left out before bench is started

    def clear(self, run_folder: Path) -> None:
        """Take away what an orchestrator before this one had ordered; its jobs are then stopped."""
        for order in self.turns.glob("*.order.json"):
            order.unlink(missing_ok=True)

    def _session(self) -> Any:
        return present(self.turns / "orchestrator.present").get("session")

    def _container(self, service: str) -> dict[str, Any]:
        """Return what the service's container says of itself; nothing where none is up."""
        return present(self.turns / f"{service}.present")

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        service = service_of(entry)
        container = self._container(service)
        if not container:
            raise EngineError(f"{entry.label}: its container is not up. Start it: docker compose up")
        expected = recipe_hash(entry, device)
        if container["recipe_hash"] != expected:
            raise EngineError(
                f"{entry.label}: its container is of recipe {str(container['recipe_hash'])[:12]}, the project of "
                f"{expected[:12]} ({device}). Build both again: docker compose build bench {service}"
            )
        return Prepared(entry, device, expected, service)

    def run(self, prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> Result:
        container = self._container(prepared.target)
        if not container:
            reason = f"the container {prepared.target} is no longer up"
            return Result(job_id=job.id, status="unavailable", reason=reason)
        environment: dict[str, str] = {}
        warm = None
        if compile_cache is not None:
            warm = any(compile_cache.iterdir())
            place = compile_cache.resolve()
            environment = {name: value.format(folder=place) for name, value in prepared.entry.compile_cache.items()}
        self._number += 1
        order = {
            "session": self._session(),
            "number": self._number,
            "folder": str(folder.resolve()),
            "environment": environment,
            "timeout_seconds": job.limits.timeout_seconds,
        }
        path = self.turns / f"{prepared.target}.order.json"
        write_json(path, order)
        try:
            ended = self._wait(prepared.target, order, container["token"])
        finally:
            path.unlink(missing_ok=True)  # a job that is still running is stopped
        if "error" in ended:
            raise EngineError(f"The container {prepared.target} cannot run job {job.id}: {ended['error']}")
        result = collect(prepared, self.name, job, folder, Exit(**ended) if ended else Exit(KILLED), warm)
        if result.status == "lost" and not ended:
            result.reason = f"the container {prepared.target} ended while the job ran"
        return result

    def _wait(self, service: str, order: dict[str, Any], token: str) -> dict[str, Any]:
        """Return how the ordered job ended; nothing where its container ended instead."""
        asked = {name: order[name] for name in ("session", "number")}
        while True:
            alive = self._container(service).get("token") == token
            answer = read_json(self.turns / f"{service}.ended.json")
            if asked.items() <= answer.items():
                return {name: value for name, value in answer.items() if name not in asked}
            if not alive:
                return {}
            time.sleep(POLL_SECONDS)


def service_of(entry: FrameworkEntry) -> str:
    """Return the service of compose.yaml that runs a framework: a mode with packages of its own has one of its own,
    and so has another version."""
    mode = FRAMEWORKS[entry.name].modes[entry.mode] if entry.mode else None
    own = [entry.name, entry.chosen_version, entry.mode if mode and mode.requirements else None]
    return "-".join(part for part in own if part)
