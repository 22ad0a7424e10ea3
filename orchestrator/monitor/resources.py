"""From a job's raw samples and the beginnings of its phases to what it used in each; and from rounds to one list."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from orchestrator.monitor.samples import COLUMNS, GPU, SAMPLES_FILE, TIME, Sample, read_samples
from workers.spec import Job, Resources

PHASES_FILE = "phases.txt"
LINE = re.compile(r"^(\d+\.\d+) (\w+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Span:
    """One occurrence of a phase, by the monotonic clock."""

    phase: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def resources_of(job: Job, folder: Path, cpus: int) -> list[Resources] | None:
    """Return what a job used, from what lies in its folder; None where it was not sampled, or named no phase.

    ``cpus``: how many the machine has, for a job that may use all of them.
    """
    samples = read_samples(folder / SAMPLES_FILE)
    try:
        text = (folder / PHASES_FILE).read_text(encoding="utf-8", errors="replace")
        phases = spans(text, samples[-1][TIME] or 0.0) if samples else []
        return resources(samples or [], phases, len(job.limits.cpu_set) or cpus, job.limits.memory_bytes) or None
    except (OSError, ValueError):  # a job may write into its folder what it likes
        return None


def spans(text: str, end: float) -> list[Span]:
    """Return the phases of a ``phases.txt``: each lasts until the next begins, the last one until ``end``.

    A line that is not whole, as a killed job leaves it, is none.
    """
    begins = [(float(seconds), phase) for seconds, phase in LINE.findall(text)]
    ends = [*(seconds for seconds, _ in begins), end][1:]
    return [Span(phase, begin, later) for (begin, phase), later in zip(begins, ends, strict=True) if later >= begin]


def resources(samples: Sequence[Sample], phases: Sequence[Span], cpus: int, memory_bytes: int) -> list[Resources]:
    """Return what was used in each phase, over all its occurrences, in the order in which they first began."""
    found = []
    for name in dict.fromkeys(span.phase for span in phases):
        own = [span for span in phases if span.phase == name]
        found.append(_resources(name, own, samples, cpus, memory_bytes))
    return found


def _resources(name: str, own: Sequence[Span], samples: Sequence[Sample], cpus: int, memory_bytes: int) -> Resources:
    times = [sample[TIME] or 0.0 for sample in samples]
    inside = [samples[bisect_left(times, span.begin) : bisect_left(times, span.end)] for span in own]
    read = [sample for group in inside for sample in group if any(sample[column] is not None for column in COLUMNS[1:])]
    rate = _rate("cpu_seconds", inside)
    peak = _over(max, "rss_bytes", read)
    totals = {
        column: _total(column, own, inside, samples)
        for column in ("voluntary_switches", "involuntary_switches", "throttled_seconds", "energy_joules")
    }
    return Resources(
        phase=name,
        seconds=sum(span.seconds for span in own),
        samples=len(read),
        cpu_percent=None if rate is None else 100 * rate / cpus,
        mean_rss_bytes=_over(fmean, "rss_bytes", read),
        peak_rss_bytes=peak,
        memory_percent=None if peak is None else 100 * peak / memory_bytes,
        voluntary_switches=_whole(totals["voluntary_switches"]),
        involuntary_switches=_whole(totals["involuntary_switches"]),
        throttled_seconds=totals["throttled_seconds"],
        energy_joules=totals["energy_joules"],
        **{column: _over(max if column == "gpu_memory_bytes" else fmean, column, read) for column in GPU},
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _over(reduce: Any, column: str, samples: Sequence[Sample]) -> float | None:
    values = [value for sample in samples if (value := sample[column]) is not None]
    return float(reduce(values)) if values else None


def _rate(column: str, inside: Sequence[Sequence[Sample]]) -> float | None:
    """Return by how much a counter grew in a second: over the pairs of samples that lie in one occurrence.

    So no neighbour's share is in it, as it would be in what is interpolated to the ends of a short phase.
    """
    grown = seconds = 0.0
    for group in inside:
        series = _series(column, group)
        if len(series) > 1:
            seconds += series[-1][0] - series[0][0]
            grown += series[-1][1] - series[0][1]
    return max(0.0, grown) / seconds if seconds else None


def _total(
    column: str, own: Sequence[Span], inside: Sequence[Sequence[Sample]], samples: Sequence[Sample]
) -> float | None:
    """Return by how much a counter grew in all occurrences, interpolated to their ends, so that phases add up.

    None where no occurrence holds two samples: what is between two phases' samples cannot be told apart.
    """
    if _rate(column, inside) is None:
        return None
    times, values = zip(*_series(column, samples), strict=True)
    ends = np.interp([[span.begin, span.end] for span in own], times, values)
    return max(0.0, float((ends[:, 1] - ends[:, 0]).sum()))


def _series(column: str, samples: Sequence[Sample]) -> list[tuple[float, float]]:
    pairs = [(sample[TIME], sample[column]) for sample in samples]
    return [(seconds, value) for seconds, value in pairs if seconds is not None and value is not None]


# ---------------------------------------------------------------------------- over rounds


def typical(rounds: Sequence[Sequence[Resources] | None]) -> list[Resources]:
    """Return one list for the rounds of a cell: per phase, each figure's median over the rounds that have it."""
    every = [item for found in rounds for item in found or ()]
    return [
        _typical(phase, [item for item in every if item.phase == phase])
        for phase in dict.fromkeys(item.phase for item in every)
    ]


def _typical(phase: str, items: Sequence[Resources]) -> Resources:
    figures: dict[str, Any] = {}
    for name in Resources.model_fields.keys() - {"phase"}:
        values = [value for item in items if (value := getattr(item, name)) is not None]
        whole = bool(values) and all(isinstance(value, int) for value in values)
        figures[name] = None if not values else round(median(values)) if whole else float(median(values))
    return Resources(phase=phase, **figures)
