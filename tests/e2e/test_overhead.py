"""make bench-overhead, on few rows: each comparison is measured and printed, and a slow harness would show."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.catalogue import ROOT, find, spellings
from orchestrator.engines.local import LocalEngine
from orchestrator.request import Request
from tests.unit.made_runs import made_job, made_result

SAMPLED = re.compile(r" \[[\d.]+, [\d.]+\] \| +(yes|no) \|$")
PLAIN = ROOT / "benchmarks" / "plain"


def test_every_framework_and_mode_has_a_plain_script_short_enough_to_be_judged_by_eye() -> None:
    names = {find(label).name for label in spellings().values()} - {"numpy"} | {"keras2"}  # another API than Keras 3
    assert {path.stem.removesuffix("_plain") for path in PLAIN.glob("*_plain.py")} == names
    for path in PLAIN.glob("*_plain.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 90, path.name
        assert path.read_text(encoding="utf-8").splitlines()[-1] == (
            'print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))'
        ), f"{path.name}: the benchmark reads both"
        assert "workers" not in path.read_text(encoding="utf-8"), "a plain script leans on nothing of ours"


def test_a_table_of_ratios_with_intervals(data_dir: Path, tmp_path: Path) -> None:
    page = tmp_path / "overhead.md"
    arguments = ["--frameworks", "torch", "--repeats", "3", "--limit-rows", "2000", "--engine", "local"]
    arguments += ["--sampled", "torch", "--pairs", "3"]
    run = subprocess.run(
        [sys.executable, "benchmarks/overhead.py", *arguments, "--data-dir", data_dir, "--output", page],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert page.read_text(encoding="utf-8") == run.stdout
    rows = [line for line in run.stdout.splitlines() if re.match(r"\| (mlp|cnn)", line)]
    sampling, rows = [row for row in rows if SAMPLED.search(row)], [row for row in rows if not SAMPLED.search(row)]
    assert len(sampling) == 2 or "Not measured: sampling is measured in containers" in run.stdout
    assert [row.split(" | ")[2].strip() for row in rows] == ["training epoch"] * 2 + ["prediction"] * 2
    for row in rows:
        ratio, low, high = map(float, re.findall(r"([\d.]+) \[([\d.]+), ([\d.]+)\]", row)[0])
        assert low <= ratio <= high
        assert 0.2 < ratio < 5, "two thousand rows say little, but both sides computed the same"
        assert re.search(r" (within 1\.02|within 1\.05|above|not shown) +\| +[\d.]+ \[[\d.]+, [\d.]+\] +\|$", row)
    assert re.search(r"`bench --help` takes [\d.]+ s", run.stdout)
    assert "Most of it is importing: `" in run.stdout
    assert "A null job by the docker engine" in run.stdout or "no Docker daemon answers" in run.stdout


def test_stopped_early_it_prints_the_rows_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import overhead
    from benchmarks.beside import Both, Plain

    def stopped(*_: object) -> Iterator[tuple[str, str, list[Both]]]:
        for framework, rounds in (("tf", 2), ("torch", 1)):
            plain = Plain([9.0, 2.0, 1.0], [9.0, 0.05, 0.1])
            yield framework, "mlp", [(made_result(made_job("mlp", framework), 4.0), plain)] * rounds
        raise KeyboardInterrupt

    monkeypatch.setattr(overhead, "measured", stopped)
    page = overhead.plain_table(Request(), None, LocalEngine(Path()))
    rows = [re.split(r" *\| *", line)[1:7] for line in page.splitlines() if line.startswith("| mlp")]
    assert rows == [  # of either side as many, and not the first: 3 s over 2 s; 0.01 s over 0.05 s
        ["mlp", "tf", "training epoch", "3.00", "2.00", "1.500"],
        ["mlp", "torch", "training epoch", "3.00", "2.00", "1.500"],
        ["mlp", "tf", "prediction", "0.0100", "0.0500", "0.200"],
        ["mlp", "torch", "prediction", "0.0100", "0.0500", "0.200"],
    ]
    assert page.endswith("- It was stopped early, so that some rows are missing.")


def test_without_docker_the_null_job_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'benchmarks'); import overhead\n"
        "from orchestrator.plan import make_plan; from orchestrator.request import Request\n"
        "print(overhead.null_job(make_plan(Request(frameworks='numpy', repeats=1), [0]).train[0]))"
    )
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Not measured: a null job is compared with a bare `docker run`, and no Docker daemon")


def test_whether_sampling_disturbs_is_told_by_the_interval_of_paired_ratios() -> None:
    from benchmarks.sampling import order, row

    alone = [1.00, 1.10, 0.95, 1.02, 1.05]
    none = [(seconds * factor, seconds) for seconds, factor in zip(alone, (1.01, 0.99, 1.0, 1.02, 0.98), strict=True)]
    assert row("mlp", "torch", none)[-1] == "yes"
    slow = [(seconds * factor, seconds) for seconds, factor in zip(alone, (1.2, 1.21, 1.19, 1.2, 1.2), strict=True)]
    assert row("mlp", "torch", slow)[-1] == "no"
    assert row("mlp", "torch", none[:2])[-1] == "not shown", "two pairs have no interval"
    assert [order(number) for number in range(3)] == [(True, False), (False, True), (True, False)]
