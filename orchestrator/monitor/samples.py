"""The raw samples of a job, in its ``samples.csv``: counters and gauges as they were read; an empty field: not read."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

SAMPLES_FILE = "samples.csv"

Readings = Mapping[str, float]  # what could be read now, by the names below

# Counters grow while the job runs; where they begin says nothing.
COUNTERS = ("cpu_seconds", "voluntary_switches", "involuntary_switches", "throttled_seconds", "energy_joules")
MEMORY = ("rss_bytes", "anonymous_bytes", "charged_bytes")
GPU = ("gpu_percent", "gpu_memory_bytes", "gpu_watts", "gpu_celsius", "gpu_clock_mhz")
TIME = "monotonic_seconds"
COLUMNS = (TIME, *COUNTERS, *MEMORY, *GPU)

Sample = dict[str, float | None]  # every column


class SampleFile:
    """Writes samples as they come."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def write(self, seconds: float, readings: Readings) -> None:
        row: dict[str, Any] = {**readings, TIME: f"{seconds:.6f}"}
        self._writer.writerow([_text(row.get(name)) for name in COLUMNS])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) and not value.is_integer() else str(value)


def read_samples(path: Path) -> list[Sample] | None:
    """Return a job's samples, in their order; None where none were taken. A line that is not whole is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    if tuple(header) != COLUMNS:
        return None
    return [sample for row in rows if (sample := _sample(row)) is not None]


def _sample(row: list[str]) -> Sample | None:
    try:
        values = [float(text) if text else None for text in row]
    except ValueError:
        return None
    whole = len(row) == len(COLUMNS) and values[0] is not None and all(math.isfinite(value or 0) for value in values)
    return dict(zip(COLUMNS, values, strict=True)) if whole else None
