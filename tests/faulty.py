"""A framework that fails on demand: the NumPy worker, with a way to fail for each workload's name."""

import re
import shutil
from pathlib import Path

import pytest

from orchestrator import catalogue, recipe
from orchestrator.catalogue import FrameworkEntry
from orchestrator.engines import docker, local
from workers.numpy_worker import NumpyWorker

WORKER = '''"""Fails in build of a measured job, in the way that the workload's name says."""

import os
import signal
import time

from .faulty_numpy import NumpyWorker


class FaultyWorker(NumpyWorker):
    layers = {LAYERS}

    def build(self, job, weights):
        super().build(job, weights)
        self.nan = job.kind == "train" and job.workload == "diverges"
        if job.kind != "train":
            return
        print("about to go wrong:", job.workload, flush=True)
        if job.workload == "raises":
            raise RuntimeError("broken on purpose")
        if job.workload == "hangs":
            time.sleep(600)
        if job.workload == "hogs":
            hoard = []
            while True:
                hoard.append(bytearray(b"x" * 2**23))
                time.sleep(0.01)
        if job.workload == "dies":
            os.kill(os.getpid(), signal.SIGKILL)

    def train_epoch(self, handle, rates):
        loss = super().train_epoch(handle, rates)
        return float("nan") if self.nan else loss



WORKER = FaultyWorker
'''

MODEL = """
    dataset: digits
    layers: [{kind: flatten}, {kind: dense, units: 16}, {kind: activation, function: tanh}, {kind: dense, units: 10}]
    recipe:
      optimiser: {kind: sgd, learning_rate: LR, momentum: 0.9}
      loss: {kind: categorical_cross_entropy}
      batch_size: 32
      epochs: 3
"""

RATES = dict.fromkeys(("raises", "hangs", "hogs", "dies", "diverges", "fine"), "0.05")
RATES["idles"] = "1e-12"  # a rate at which nothing is learned
SUITE = "suite: failures\ntitle: Every way to fail\nrepeats: 1\nworkloads:\n" + "".join(
    f"  - name: {name}{MODEL.replace('LR', rate)}" for name, rate in RATES.items()
)


def install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a copy of the project with the faulty framework in ``root`` the one that plans, builds and runs."""
    shutil.copytree(catalogue.WORKERS_DIR, root / "workers", ignore=shutil.ignore_patterns("__pycache__"))
    layers = ", ".join(f'"{kind}": NumpyWorker.layers["{kind}"]' for kind in NumpyWorker.layers)
    worker = WORKER.replace("LAYERS", layers)
    (root / "workers" / "faulty_worker.py").write_text(worker)
    for part, copied in (("worker", "numpy"), ("layers", "layers"), ("windows", "windows")):  # modules of its own
        source = (root / "workers" / f"numpy_{part}.py").read_text()
        (root / "workers" / f"faulty_{copied}.py").write_text(re.sub("numpy_(layers|windows)", r"faulty_\1", source))
    shutil.copytree(catalogue.DOCKER_DIR, root / "docker")
    shutil.copytree(root / "docker" / "numpy", root / "docker" / "faulty")
    dockerfile = root / "docker" / "faulty" / "Dockerfile"
    dockerfile.write_text(_renamed(dockerfile.read_text(), "numpy", "faulty"))
    for module in (catalogue, recipe, docker, local):
        for name, value in (("ROOT", root), ("DOCKER_DIR", root / "docker"), ("WORKERS_DIR", root / "workers")):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    # A framework whose environment cannot be had: its requirements are in no index.
    shutil.copytree(root / "docker" / "faulty", root / "docker" / "absent")
    (root / "workers" / "absent_worker.py").write_text(worker)
    (root / "docker" / "absent" / "requirements.txt").write_text(
        "numpy==0.0.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    )
    dockerfile = root / "docker" / "absent" / "Dockerfile"
    dockerfile.write_text(_renamed(dockerfile.read_text(), "faulty", "absent"))
    for name in ("faulty", "absent"):
        entry = FrameworkEntry(
            name=name,
            title="Fails on demand",
            package="numpy",
            python="3.11",
            requirements={"cpu": "requirements.txt"},
        )
        monkeypatch.setitem(catalogue.FRAMEWORKS, name, entry)


def _renamed(dockerfile: str, before: str, after: str) -> str:
    """Return the Dockerfile of another framework: its folder and the name of its recipe."""
    for place in ("docker/", "workers.recipe "):
        assert place + before in dockerfile
        dockerfile = dockerfile.replace(place + before, place + after)
    return dockerfile
