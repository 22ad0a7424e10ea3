"""What is read of a GPU, against a stand-in for NVML: no GPU is needed to know what would be said of one."""

import ctypes
import os
import shutil
import subprocess
import time
from pathlib import Path

import pynvml
import pytest

from orchestrator import gpu
from orchestrator.catalogue import FRAMEWORKS, ROOT
from orchestrator.engines import Prepared
from orchestrator.engines.outcome import Exit, collect
from orchestrator.monitor.sampler import sampling
from orchestrator.monitor.samples import read_samples
from tests.jobs import FLAT, make_job


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """NVML with a driver and one GPU; the list collects the calls that open and close it."""
    calls: list[str] = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: calls.append("open"))
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: calls.append("close"))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda place: f"handle {place}")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: f"GPU of {handle}")
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "580.1")
    return calls


def test_a_gpu_is_named_and_nvml_closed_again(one_gpu: list[str]) -> None:
    assert gpu.gpu_names() == ["GPU of handle 0"]
    assert gpu.driver_version() == "580.1"
    assert gpu.why_no_gpu() is None
    assert one_gpu == ["open", "close"] * 3


def test_without_a_driver_there_is_none_and_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert gpu.gpu_names() == []
    assert gpu.driver_version() is None
    assert "nvidia-smi" in str(gpu.why_no_gpu())


@pytest.mark.parametrize(("device", "expected"), [("gpu", ("GPU of handle 0", "580.1")), ("cpu", (None, None))])
def test_a_gpu_jobs_result_names_its_gpu(
    one_gpu: list[str], tmp_path: Path, device: str, expected: tuple[str | None, str | None]
) -> None:
    job = make_job([{"kind": "dense", "units": 2}], FLAT, device=device)
    prepared = Prepared(FRAMEWORKS["torch"], device, "hash", "image")
    environment = collect(prepared, "docker", job, tmp_path, Exit(1), None).environment
    assert (environment.gpu_model, environment.gpu_driver) == expected


# ---------------------------------------------------------------------------- a library in NVML's place

SAID = {
    "gpu_percent": 87,
    "gpu_memory_bytes": 6442450944,
    "gpu_watts": 312.5,
    "gpu_celsius": 61,
    "gpu_clock_mhz": 1755,
}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/fake_nvml.c as a shared library; under BENCH_REQUIRE_DOCKER=1 a test without a compiler fails."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None and os.environ.get("BENCH_REQUIRE_DOCKER") == "1":
        pytest.fail("BENCH_REQUIRE_DOCKER=1, but there is no C compiler for a library in NVML's place")
    if compiler is None:
        pytest.skip("no C compiler for a library in NVML's place")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, ROOT / "tests" / "fake_nvml.c"], check=True)
    return library


@pytest.fixture
def fake(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The library, as it was compiled, where pynvml looks for NVIDIA's."""
    copy = shutil.copy(compiled, tmp_path / "fresh.so")  # a library is loaded once under each path
    library = ctypes.CDLL(str(copy))

    def load(name: str) -> ctypes.CDLL:
        assert name == "libnvidia-ml.so.1"
        return library

    monkeypatch.setattr(pynvml, "CDLL", load)
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return library


def variable(library: ctypes.CDLL, name: str) -> ctypes.c_int:
    return ctypes.c_int.in_dll(library, name)


def test_names_and_driver_come_from_the_library(fake: ctypes.CDLL) -> None:
    assert gpu.gpu_names() == ["Fake GPU 0", "Fake GPU 1"]
    assert gpu.driver_version() == "580.1"
    assert gpu.why_no_gpu() is None
    assert variable(fake, "fake_opened").value == 0


def test_the_first_gpu_is_read_in_the_units_of_the_columns(fake: ctypes.CDLL) -> None:
    reader = gpu.GpuReader()
    assert reader.read() == SAID
    reader.close()
    assert variable(fake, "fake_opened").value == 0


def test_what_the_driver_does_not_know_is_left_out_and_not_zero(fake: ctypes.CDLL) -> None:
    variable(fake, "fake_knows_power").value = 0
    reader = gpu.GpuReader()
    assert reader.read() == {name: value for name, value in SAID.items() if name != "gpu_watts"}
    reader.close()


def test_a_driver_that_fails_later_says_nothing_more(fake: ctypes.CDLL) -> None:
    reader = gpu.GpuReader()
    variable(fake, "fake_gpus").value = 0  # as a GPU that fell off its bus
    assert reader.read() == {}
    reader.close()


def test_a_driver_without_a_gpu_is_closed_again(fake: ctypes.CDLL) -> None:
    variable(fake, "fake_gpus").value = 0
    with pytest.raises(pynvml.NVMLError):
        gpu.GpuReader()
    assert variable(fake, "fake_opened").value == 0
    assert gpu.gpu_names() == []


class Nothing:
    def read(self) -> dict[str, float]:
        return {}


@pytest.mark.parametrize(("device", "said"), [("gpu", SAID), ("cpu", dict.fromkeys(SAID))])
def test_only_a_gpu_jobs_samples_have_the_gpu(
    fake: ctypes.CDLL, tmp_path: Path, device: str, said: dict[str, float | None]
) -> None:
    job = make_job([{"kind": "dense", "units": 2}], FLAT, device=device)
    with sampling(job, tmp_path, 0.02, Nothing):
        time.sleep(0.1)
    samples = read_samples(tmp_path / "samples.csv") or []
    assert len(samples) > 2
    assert all({name: sample[name] for name in SAID} == said for sample in samples)
    assert variable(fake, "fake_opened").value == 0
