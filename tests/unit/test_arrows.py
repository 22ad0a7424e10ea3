"""Imports point one way; the two sides share the spec and what reads it (docs/architecture.md has the picture)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.catalogue import ROOT

# Each layer may import what stands below it, never what stands above.
LAYERS = [
    {"cli"},
    {"session", "compose"},
    {"attempt", "lines", "options", "orchestrate", "progress", "readiness", "report"},
    {"comparison"},
    {"counterparts", "sides"},
    {"differences", "doctor", "engines", "machine", "summary"},
    {"changes", "plan"},
    {"notes", "recipe", "store", "suite"},
    {"cells", "documents", "mistakes", "scale"},
    {"workload"},
    {"capabilities", "completion", "monitor", "properties", "request", "stats"},
    {"catalogue", "datasets", "explain", "gpu", "holdings", "shapes", "weights"},
    {"data"},
    {"cache", "errors"},
]
HEIGHT = {name: -place for place, names in enumerate(LAYERS) for name in names}
SHARED = {"spec", "compat", "recipe", "refusal", "turns", "views"}


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, in full."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) + "." if node.level else ""
            module = (base + (node.module or "")).rstrip(".")
            yield from ((f"{module}.{alias.name}" for alias in node.names) if module in PACKAGES else [module])


PACKAGES = {
    "orchestrator",
    "workers",
    "orchestrator.data",
    "orchestrator.engines",
    "orchestrator.monitor",
    "orchestrator.report",
    "orchestrator.report.charts",
}


def own(path: Path) -> str:
    return path.relative_to(ROOT / "orchestrator").with_suffix("").parts[0]


def backward_arrows(path: Path) -> list[str]:
    """Return what a file of the orchestrator imports that it must not."""
    bad = []
    for module in imports(path):
        side, *rest = module.split(".")
        if side == "workers" and rest[0] not in SHARED:
            bad.append(module)
        if side == "orchestrator" and rest[0] != own(path) and HEIGHT[rest[0]] > HEIGHT[own(path)]:
            bad.append(module)
    return bad


FILES = sorted(
    path
    for path in (ROOT / "orchestrator").rglob("*.py")
    if path.stem != "__init__" or path.parent.name != "orchestrator"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_orchestrator_imports_downwards_and_only_what_is_shared_of_workers(path: Path) -> None:
    assert own(path) in HEIGHT, f"{path.name} has no place among the layers of this test"
    assert backward_arrows(path) == []


@pytest.mark.parametrize("path", sorted((ROOT / "workers").glob("*.py")), ids=lambda path: path.stem)
def test_workers_never_import_the_orchestrator(path: Path) -> None:
    assert [module for module in imports(path) if module.split(".")[0] == "orchestrator"] == []


@pytest.mark.parametrize("path", sorted((ROOT / "workers").glob("*_worker.py")), ids=lambda path: path.stem)
def test_no_framework_leans_on_another(path: Path) -> None:
    assert [module for module in imports(path) if module.endswith("_worker")] == []


def test_a_planted_arrow_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "orchestrator").mkdir()
    bad = tmp_path / "orchestrator" / "stats.py"
    bad.write_text("from orchestrator import cli\nfrom workers import harness\nfrom workers.spec import Job\n")
    assert backward_arrows(bad) == ["orchestrator.cli", "workers.harness"]


def test_the_docker_folder_holds_no_python() -> None:
    """A package there would shadow the Docker SDK."""
    assert list((ROOT / "docker").rglob("*.py")) == []
