"""What TAB offers: through the variables by which a shell asks, and exactly the words that the commands accept."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import completion, options
from orchestrator.catalogue import FRAMEWORKS, Mode
from orchestrator.cli import app, data
from orchestrator.report import compare, tables
from orchestrator.request import VARIANTS
from orchestrator.suite import builtin_suites, load_suite
from tests.commands import bench
from tests.unit.test_suite import MINE


def offered(line: str, folder: Path) -> list[str]:
    """Return what bash is told after TAB at the end of a line."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_BENCH_COMPLETE": "complete_bash"}
    run = bench(folder=folder, **asked)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bench do", ["doctor"]),
        ("bench build num", ["numpy"]),
        ("bench build tf num", ["numpy"]),
        ("bench orchestrate --frameworks tf,num", ["tf,numpy"]),
        ("bench orchestrate --suite qui", ["quick"]),
        ("bench orchestrate --workloads m", ["mlp"]),
        ("bench orchestrate --suite quick --workloads mlp,c", ["mlp,cnn"]),
        ("bench orchestrate --engine d", ["docker"]),
        ("bench orchestrate --variant p", ["paper"]),
        ("bench show runs/x --format l", ["latex"]),
        ("bench doctor --format j", ["json"]),
        ("bench suites qui", ["quick"]),
        ("bench schema s", ["suite", "summary"]),
        ("bench frameworks --la", ["--layers"]),
        ("bench data v", ["verify"]),
        ("bench data fetch mn", ["mnist"]),
        ("bench data fetch al", ["all"]),
        ("bench data import . --like dr", ["driving"]),
    ],
)
def test_a_word_is_completed(line: str, expected: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    run = bench(folder=tmp_path, _BENCH_COMPLETE=f"source_{shell}")
    assert (run.returncode, f"complete_{shell}" in run.stdout) == (0, True)
    assert "bench" in run.stdout


def test_workloads_of_a_file_of_ones_own_are_offered(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    assert offered("bench orchestrate --suite mine.yaml --workloads ", tmp_path) == ["mlp"]


@pytest.mark.parametrize(
    "text", ["suite: [", "title: no workloads\n", "workloads: 3\n", "workloads: [{kind: x}]\n", ""]
)
def test_a_suite_that_is_broken_or_not_there_offers_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    context = SimpleNamespace(params={"suite": str(path)})
    assert completion.workloads(context, "") == []
    path.write_text(text, encoding="utf-8")
    assert completion.workloads(context, "") == []


def test_modes_are_offered_and_no_framework_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(FRAMEWORKS["torch"], modes={"fast": Mode("PyTorch, faster")}, versions={})
    monkeypatch.setitem(FRAMEWORKS, "torch", entry)
    assert completion.frameworks(None, "tor") == [
        ("torch", "PyTorch"),
        ("torch:fast", "PyTorch, faster"),
        ("torch7", "Torch7"),
    ]
    words = [word for word, _ in completion.frameworks(None, "torch,")]
    assert "torch,torch:fast" in words
    assert "torch,torch" not in words


def offered_by(completer: Any, **context: Any) -> set[str]:
    return {word for word, _ in completer(SimpleNamespace(**context), "")}


def test_what_is_offered_is_what_is_accepted() -> None:
    assert offered_by(completion.suites) == set(builtin_suites())
    assert offered_by(completion.engines) == set(options.ENGINES)
    assert offered_by(completion.formats, command=SimpleNamespace(name="show")) == {"table", *tables.TEXT_FORMATS}
    assert offered_by(completion.formats, command=SimpleNamespace(name="compare")) == set(compare.TEXT_FORMATS)
    assert offered_by(completion.variants) == set(VARIANTS)
    quick = {workload.name for workload in load_suite("quick").workloads}
    assert offered_by(completion.workloads, params={}) == quick
    assert {*FRAMEWORKS, "all", "all-modes"} <= offered_by(completion.frameworks)


def test_every_parameter_of_a_name_that_can_be_completed_is() -> None:
    for command in [*app.registered_commands, *data.registered_commands]:
        for name, annotation in command.callback.__annotations__.items():  # type: ignore[union-attr]
            for info in getattr(annotation, "__metadata__", ()):
                assert info.autocompletion is completion.COMPLETERS.get(name), (command.callback, name)


HEAVY = ("docker", "numpy", "psutil", "pydantic", "pynvml", "requests", "ruamel.yaml", "scipy", "sklearn", "rich.table")
TELL = f"import sys; from orchestrator import cli; print([name for name in {HEAVY} if name in sys.modules])"


@pytest.mark.parametrize(
    ("before", "expected"), [("", "[]"), ("import psutil; ", "['psutil']")], ids=["bench", "planted"]
)
def test_the_command_line_starts_without_anything_heavy(before: str, expected: str) -> None:
    run = subprocess.run([sys.executable, "-c", before + TELL], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == expected
