"""The spec, the harness and the NumPy worker run on every Python that a framework's image may have, 3.6 to 3.13."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import uv

from orchestrator import datasets
from orchestrator.catalogue import ROOT
from orchestrator.engines.local import find_interpreter
from orchestrator.plan import Request, make_plan
from orchestrator.store import RunStore
from workers.spec import Job, Result, canonical_json

VERSIONS = ("3.6", "3.7", "3.8", "3.10", "3.12", "3.13")  # 3.9 and 3.11 are those of the frameworks


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> RunStore:
    """A run's inputs and one job of the quick suite's CNN, cut to two epochs."""
    store = RunStore(tmp_path_factory.mktemp("run"))
    plan = make_plan(Request(frameworks="numpy", workloads="cnn", repeats=1, threads=[1]), cpus=[0])
    (job,) = plan.train
    store.add_data(datasets.prepare("digits", cache, None, progress=False), job.dataset.checksum)
    for drawing in plan.weights.values():
        store.add_arrays("weights", drawing.arrays())
    recipe = job.recipe.model_copy(update={"epochs": 2})
    store.add_job(job.model_copy(update={"id": "template", "recipe": recipe}))
    return store


def environment(version: str, cache: Path) -> Path:
    """Return the interpreter of a venv with NumPy and the newest pydantic that this Python has."""
    folder = cache / "envs" / f"interpreter-{version}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        interpreter = find_interpreter(version)
        if interpreter is None:
            pytest.skip(f"no Python {version} on PATH or under pyenv")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([uv.find_uv_bin(), "venv", "--quiet", "--python", interpreter, folder], check=True)
        packages = ["numpy", "pydantic"]
        subprocess.run([uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python, *packages], check=True)
        (folder / ".ready").touch()
    return python


@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_runs(version: str, run_folder: RunStore, cache: Path) -> None:
    python = environment(version, cache)
    folder = run_folder.job_folder(f"python-{version}")
    shutil.copytree(run_folder.job_folder("template"), folder)
    run = subprocess.run(
        [python, "-W", "error", "-m", "workers", folder], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    result = Result.model_validate(json.loads((folder / "result.json").read_text()))
    assert result.status == "ok"
    assert str(result.environment.python).startswith(version)
    assert len(result.epochs) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_has_one_text_on_every_pydantic(version: str, run_folder: RunStore, cache: Path) -> None:
    """Identities hash this text, on the host and in containers."""
    path = run_folder.job_folder("template") / "job.json"
    code = (
        "import json, sys; from workers.spec import Job, canonical_json; "
        "print(canonical_json(Job.model_validate(json.load(open(sys.argv[1])))))"
    )
    run = subprocess.run(
        [environment(version, cache), "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == canonical_json(Job.model_validate(json.loads(path.read_text())))
