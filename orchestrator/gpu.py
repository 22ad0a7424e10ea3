"""Whether this machine shows an NVIDIA GPU, by NVML."""

import contextlib
from collections.abc import Iterator

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


def why_no_gpu() -> str | None:
    """Return why no GPU can be used, with the next step, or None."""
    if gpu_names():
        return None
    return (
        "--gpu: no NVIDIA GPU is visible on this machine (NVML finds none). Install the NVIDIA driver and check "
        "that `nvidia-smi` lists the GPU, or leave --gpu out to run on the CPU."
    )
