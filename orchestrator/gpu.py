"""Whether this machine shows an NVIDIA GPU, and what the first one does, by NVML."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pynvml


@contextlib.contextmanager
def _nvml() -> Iterator[bool]:
    """Open NVML for the block; False where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


def gpu_names() -> list[str]:
    """Return the names of the visible GPUs; empty where there is no driver."""
    with _nvml() as there:
        if not there:
            return []
        handles = [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(pynvml.nvmlDeviceGetCount())]
        return [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]


def driver_version() -> str | None:
    """Return the NVIDIA driver's version, or None."""
    with _nvml() as there:
        return str(pynvml.nvmlSystemGetDriverVersion()) if there else None


# What a sample has of a GPU: column -> how it is read.
READERS: dict[str, Callable[[Any], float]] = {
    "gpu_percent": lambda handle: int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
    "gpu_memory_bytes": lambda handle: int(pynvml.nvmlDeviceGetMemoryInfo(handle).used),
    "gpu_watts": lambda handle: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,  # it says milliwatts
    "gpu_celsius": lambda handle: int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    "gpu_clock_mhz": lambda handle: int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
}


class GpuReader:
    """Reads the machine's first GPU, whoever keeps it busy; NVML stays open until ``close``."""

    def __init__(self) -> None:
        """Raises NVMLError where there is no driver, or no GPU."""
        pynvml.nvmlInit()
        try:
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        except pynvml.NVMLError:
            pynvml.nvmlShutdown()
            raise

    def read(self) -> dict[str, float]:
        """Return what the GPU says now. What its driver does not know of it is left out."""
        found = {}
        for name, reader in READERS.items():
            with contextlib.suppress(pynvml.NVMLError):
                found[name] = reader(self._handle)
        return found

    def close(self) -> None:
        pynvml.nvmlShutdown()


def why_no_gpu() -> str | None:
    """Return why no GPU can be used, with the next step, or None."""
    if gpu_names():
        return None
    return (
        "--gpu: no NVIDIA GPU is visible on this machine (NVML finds none). Install the NVIDIA driver and check "
        "that `nvidia-smi` lists the GPU, or leave --gpu out to run on the CPU."
    )
