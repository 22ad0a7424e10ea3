"""What raw samples say of a job's phases: each by itself, and what cannot be told apart is null, never zero."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.monitor.resources import Span, resources, resources_of, spans, typical
from orchestrator.monitor.samples import COLUMNS, Sample, SampleFile, read_samples
from tests.jobs import FLAT, make_job
from workers.spec import Resources

LIMIT = 1000
COUNTED = {"cpu_percent", "voluntary_switches", "involuntary_switches", "throttled_seconds", "energy_joules"}
FIGURES = set(Resources.model_fields) - {"phase", "seconds", "samples"}


def sample(seconds: float, **readings: float) -> Sample:
    return {**dict.fromkeys(COLUMNS), "monotonic_seconds": seconds, **readings}


def ticks(begin: float, end: float, cpus_busy: float, from_cpu: float = 0.0, **gauges: float) -> list[Sample]:
    """Return samples ten times a second, of a job that keeps so many CPUs busy."""
    count = round((end - begin) * 10)
    return [
        sample(begin + place / 10, cpu_seconds=from_cpu + cpus_busy * place / 10, **gauges) for place in range(count)
    ]


def only(found: list[Resources], phase: str) -> Resources:
    (item,) = [item for item in found if item.phase == phase]
    return item


# ---------------------------------------------------------------------------- one job


def test_cpu_percent_is_of_the_cpus_that_the_job_was_given() -> None:
    samples = ticks(10.0, 12.0, 1.5)
    for cpus, percent in ((1, 150), (2, 75), (4, 37.5)):
        (found,) = resources(samples, [Span("train", 10.0, 12.0)], cpus, LIMIT)
        assert found.cpu_percent == pytest.approx(percent)
        assert (found.seconds, found.samples) == (2.0, 20)


def test_a_phase_is_not_charged_with_its_neighbours() -> None:
    busy, idle = ticks(0.0, 1.0, 2.0), ticks(1.0, 2.0, 0.0, from_cpu=2.0)
    found = resources([*busy, *idle], [Span("train", 0.0, 1.04), Span("other", 1.04, 2.0)], 2, LIMIT)
    assert only(found, "train").cpu_percent == pytest.approx(100)
    assert only(found, "other").cpu_percent == pytest.approx(0), "a true zero: it was read"


def test_a_phase_that_occurs_often_is_summed_over_its_occurrences() -> None:
    phases = [Span("train", 0.0, 1.0), Span("evaluate", 1.0, 1.5), Span("train", 1.5, 3.0)]
    samples = [sample(place / 10, cpu_seconds=place / 10, voluntary_switches=place * 10) for place in range(31)]
    found = resources(samples, phases, 1, LIMIT)
    assert [item.phase for item in found] == ["train", "evaluate"]
    train = only(found, "train")
    assert (train.seconds, train.samples, train.voluntary_switches) == (2.5, 25, 250)
    assert only(found, "evaluate").voluntary_switches == 50


def test_totals_are_interpolated_to_a_phases_ends_so_that_phases_add_up() -> None:
    samples = [sample(place / 10, voluntary_switches=place * 100, energy_joules=place * 2.0) for place in range(21)]
    found = resources(samples, [Span("build", 0.0, 0.73), Span("train", 0.73, 2.0)], 1, LIMIT)
    assert [item.voluntary_switches for item in found] == [730, 1270]
    assert sum(item.energy_joules or 0.0 for item in found) == pytest.approx(40.0)


def test_a_phase_between_two_samples_has_none_and_nulls() -> None:
    found = only(
        resources(ticks(0.0, 1.0, 1.0, rss_bytes=5), [Span("train", 0.0, 0.51), Span("stage", 0.51, 0.59)], 1, LIMIT),
        "stage",
    )
    assert (found.seconds, found.samples) == (pytest.approx(0.08), 0)
    assert {name for name in FIGURES if getattr(found, name) is not None} == set()


def test_with_a_single_sample_there_is_memory_and_no_rate() -> None:
    (found,) = resources(ticks(0.0, 1.0, 1.0, rss_bytes=5), [Span("first_step", 0.45, 0.55)], 1, LIMIT)
    assert (found.samples, found.mean_rss_bytes) == (1, 5)
    assert {name for name in COUNTED if getattr(found, name) is not None} == set()


def test_short_occurrences_tell_no_rate_however_many_they_are() -> None:
    phases = [Span("train", place + 0.05, place + 0.15) for place in range(5)]
    (found,) = resources(ticks(0.0, 6.0, 1.0, rss_bytes=5), phases, 1, LIMIT)
    assert (found.samples, found.cpu_percent) == (5, None)


def test_memory_is_mean_and_peak_and_its_share_of_the_limit() -> None:
    samples = [sample(0.1 * place, rss_bytes=value) for place, value in enumerate((100, 400, 250))]
    (found,) = resources(samples, [Span("train", 0.0, 1.0)], 1, LIMIT)
    assert (found.mean_rss_bytes, found.peak_rss_bytes, found.memory_percent) == (250, 400, 40)


def test_what_was_not_read_is_null_and_not_zero() -> None:
    (found,) = resources(ticks(0.0, 1.0, 1.0), [Span("train", 0.0, 1.0)], 1, LIMIT)
    assert {name for name in FIGURES if getattr(found, name) is not None} == {"cpu_percent"}
    (found,) = resources([sample(0.1), sample(0.2)], [Span("train", 0.0, 1.0)], 1, LIMIT)
    assert (found.samples, found.cpu_percent, found.peak_rss_bytes) == (0, None, None)


def test_a_counter_that_stood_still_is_zero_and_not_null() -> None:
    samples = [sample(place / 10, throttled_seconds=0.0) for place in range(10)]
    (found,) = resources(samples, [Span("train", 0.0, 1.0)], 1, LIMIT)
    assert found.throttled_seconds == 0.0


def test_a_gpu_is_averaged_and_its_memory_the_largest() -> None:
    gpu = [(50, 100, 200.0, 40, 1000), (100, 300, 400.0, 60, 1500)]
    names = ("gpu_percent", "gpu_memory_bytes", "gpu_watts", "gpu_celsius", "gpu_clock_mhz")
    samples = [sample(place / 10, **dict(zip(names, values, strict=True))) for place, values in enumerate(gpu)]
    (found,) = resources(samples, [Span("train", 0.0, 1.0)], 1, LIMIT)
    assert [getattr(found, name) for name in names] == [75, 300, 300.0, 50, 1250]


# ---------------------------------------------------------------------------- from the job's folder


def test_a_phase_lasts_until_the_next_and_the_last_until_the_end() -> None:
    assert spans("1.5 import\n2.0 other\n2.25 train\n", 9.0) == [
        Span("import", 1.5, 2.0),
        Span("other", 2.0, 2.25),
        Span("train", 2.25, 9.0),
    ]


@pytest.mark.parametrize("torn", ["3.25 tra", "3.25", "train\n", "nan train\n", "\ufffd\n", "-1.0 train\n"])
def test_a_line_that_is_not_whole_begins_no_phase(torn: str) -> None:
    assert spans(f"1.5 import\n{torn}", 4.0) == [Span("import", 1.5, 4.0)]


def write(folder: Path, samples: list[dict[str, Any]], phases: str | None) -> None:
    with (folder / "samples.csv").open("w") as file:
        samples_file = SampleFile(file)
        for place, readings in enumerate(samples):
            samples_file.write(10 + place / 10, readings)
    if phases is not None:
        (folder / "phases.txt").write_text(phases)


def test_resources_come_from_the_folder_and_the_jobs_limits(tmp_path: Path) -> None:
    job = make_job([{"kind": "dense", "units": 2}], FLAT)
    write(tmp_path, [{"cpu_seconds": place / 10, "rss_bytes": 2**29} for place in range(21)], "10.000000 train\n")
    (found,) = resources_of(job, tmp_path, 4) or []
    assert (found.phase, found.cpu_percent, found.memory_percent) == ("train", pytest.approx(25), 50)
    pinned = job.model_copy(update={"limits": job.limits.model_copy(update={"cpu_set": [0, 3]})})
    (found,) = resources_of(pinned, tmp_path, 4) or []
    assert found.cpu_percent == pytest.approx(50)


def test_a_job_that_was_not_sampled_or_named_no_phase_has_none(tmp_path: Path) -> None:
    job = make_job([{"kind": "dense", "units": 2}], FLAT)
    assert resources_of(job, tmp_path, 1) is None
    (tmp_path / "phases.txt").write_text("1.000000 train\n")
    assert resources_of(job, tmp_path, 1) is None
    (tmp_path / "phases.txt").unlink()
    write(tmp_path, [{"cpu_seconds": 1.0}], None)
    assert resources_of(job, tmp_path, 1) is None
    (tmp_path / "phases.txt").write_text("")
    assert resources_of(job, tmp_path, 1) is None


def test_samples_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path, [{"cpu_seconds": 0.123456789, "rss_bytes": 12345678901, "throttled_seconds": 0.0}, {}], None)
    first, second = read_samples(tmp_path / "samples.csv") or []
    assert first == sample(10.0, cpu_seconds=0.123456789, rss_bytes=12345678901, throttled_seconds=0.0)
    assert second == sample(10.1)


@pytest.mark.parametrize("torn", ["10.2,1.5", "10.2,half,,,,,,,,,,,,", ",,,,,,,,,,,,,"])
def test_a_torn_line_is_no_sample(tmp_path: Path, torn: str) -> None:
    write(tmp_path, [{"cpu_seconds": 1.0}], None)
    path = tmp_path / "samples.csv"
    path.write_text(path.read_text() + torn)
    assert [item["monotonic_seconds"] for item in read_samples(path) or []] == [10.0]


@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
@pytest.mark.parametrize("phases", ["10.0 train\n", "9" * 400 + ".5 train\n", "20.0 train\n10.0 other\n"])
def test_nothing_that_a_job_writes_there_can_break_it(tmp_path: Path, value: str, phases: str) -> None:
    job = make_job([{"kind": "dense", "units": 2}], FLAT)
    write(tmp_path, [{"rss_bytes": place} for place in range(9)], phases)
    rows = [f"{seconds}{',' * 6}{value}{',' * 7}\n" for seconds in ("11.0", "11.1", value)]
    path = tmp_path / "samples.csv"
    path.write_text(path.read_text() + "".join(rows))
    for item in resources_of(job, tmp_path, 1) or []:
        assert item.cpu_percent is None
        assert (item.peak_rss_bytes or 0) < 9


@pytest.mark.parametrize("text", ["", "\n", "a,b\n1,2\n", "\x00"])
def test_what_is_no_file_of_samples_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "samples.csv").write_text(text)
    assert not read_samples(tmp_path / "samples.csv")


# ---------------------------------------------------------------------------- over rounds


def test_a_cells_figures_are_medians_over_the_rounds_that_have_them() -> None:
    rounds = [
        [Resources(phase="build", seconds=1.0, samples=9), Resources(phase="train", seconds=2.0, samples=19)],
        None,
        [Resources(phase="train", seconds=3.0, samples=21, cpu_percent=80.0, voluntary_switches=7)],
        [Resources(phase="train", seconds=9.0, samples=90, cpu_percent=90.0, voluntary_switches=9)],
    ]
    build, train = typical(rounds)
    assert (build.phase, build.seconds, build.samples, build.cpu_percent) == ("build", 1.0, 9, None)
    assert (train.seconds, train.samples, train.cpu_percent, train.voluntary_switches) == (3.0, 21, 85.0, 8)
    assert (train.peak_rss_bytes, train.gpu_percent) == (None, None), "no round has it"
    assert typical([None, []]) == []
