"""A framework that is half added: the test says all that it lacks at once."""

import shutil
from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS, ROOT, FrameworkEntry
from tests.adding import lacks, names, size_table
from workers.recipe import framework_of


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of all that makes a framework, to take pieces from and to add some to."""
    for folder in ("workers", "docker", "benchmarks/plain"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", names(ROOT))
def test_no_framework_is_half_added(name: str) -> None:
    assert lacks(name, ROOT) == []


def test_a_worker_alone_lacks_everything_else(copy: Path) -> None:
    (copy / "workers" / "mine_worker.py").write_text("WORKER = object\n")
    assert "mine" in names(copy)
    assert lacks("mine", copy) == [
        "orchestrator/catalogue.py: no entry named mine",
        "docker/mine/Dockerfile: missing",
        "docker/mine/requirements.txt: missing",
        "compose.yaml: no service mine",
        "benchmarks/plain/mine_plain.py: missing",
        "orchestrator/properties.yaml: no framework mine",
        "orchestrator/report/palette.py: no colour for mine",
    ]


def test_a_folder_alone_lacks_everything_else(copy: Path) -> None:
    (copy / "docker" / "mine").mkdir()
    assert "mine" in names(copy)
    assert [line.split(": ")[0] for line in lacks("mine", copy)] == [
        "orchestrator/catalogue.py",
        "docker/mine/Dockerfile",
        "docker/mine/requirements.txt",
        "workers/mine_worker.py",
        "compose.yaml",
        "benchmarks/plain/mine_plain.py",
        "orchestrator/properties.yaml",
        "orchestrator/report/palette.py",
    ]


def test_an_entry_alone_lacks_everything_else(copy: Path) -> None:
    entry = FrameworkEntry("mine", "Mine", "mine", "3.11", {"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"})
    entries = {**FRAMEWORKS, "mine": entry}
    assert "mine" in names(copy, entries)
    assert [line.split(": ")[0] for line in lacks("mine", copy, entries)] == [
        "docker/mine/Dockerfile",
        "docker/mine/requirements.in",
        "docker/mine/requirements-gpu.in",
        "docker/mine/requirements.txt",
        "docker/mine/requirements-gpu.txt",
        "workers/mine_worker.py",
        "compose.yaml",
        "benchmarks/plain/mine_plain.py",
        "orchestrator/properties.yaml",
        "orchestrator/report/palette.py",
    ]


@pytest.mark.parametrize(
    "file",
    ["docker/torch/Dockerfile", "docker/torch/1.6.0/requirements.in", "docker/keras/requirements-jax.txt",
     "workers/torch_worker.py", "benchmarks/plain/torch_plain.py"],
)  # fmt: skip
def test_a_piece_that_goes_missing_is_named(file: str, copy: Path) -> None:
    (copy / file).unlink()
    owner = "keras" if "keras" in file else "torch"
    assert lacks(owner, copy) == [f"{file}: missing"]


def test_a_worker_without_its_last_line_is_named(copy: Path) -> None:
    path = copy / "workers" / "torch_worker.py"
    path.write_text(path.read_text().replace("WORKER = ", "OTHER = "))
    assert lacks("torch", copy) == ["workers/torch_worker.py: does not end with WORKER = ItsClass"]


def test_contributing_says_how_many_lines_each_framework_took() -> None:
    table = size_table(ROOT)
    assert table in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), f"it should say:\n{table}"


def test_no_module_of_a_worker_is_longer_than_about_200_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "workers").glob("*_*.py")}
    own = {file: length for file, length in lengths.items() if framework_of(file, ROOT)}
    assert {file: length for file, length in own.items() if length > 220} == {}
