"""What is read of a GPU, against a stand-in for NVML: no GPU is needed to know what would be said of one."""

from pathlib import Path

import pynvml
import pytest

from orchestrator import gpu
from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import Prepared
from orchestrator.engines.outcome import Exit, collect
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
