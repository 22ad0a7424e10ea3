"""Whether this machine shows an NVIDIA GPU, by NVML."""

import pynvml


def gpu_names() -> list[str]:
    """Return the names of the visible GPUs; empty where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        return [name.decode() if isinstance(name, bytes) else name for name in names]
    finally:
        pynvml.nvmlShutdown()


def driver_version() -> str | None:
    """Return the NVIDIA driver's version, or None."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        version = pynvml.nvmlSystemGetDriverVersion()
        return version.decode() if isinstance(version, bytes) else str(version)
    finally:
        pynvml.nvmlShutdown()


def why_no_gpu() -> str | None:
    """Return why no GPU can be used, with the next step, or None."""
    if gpu_names():
        return None
    return (
        "--gpu: no NVIDIA GPU is visible on this machine (NVML finds none). Install the NVIDIA driver and check "
        "that `nvidia-smi` lists the GPU, or leave --gpu out to run on the CPU."
    )
