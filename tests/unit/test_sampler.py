"""The sampler: it takes samples while a block runs, and no failure of its own reaches the job."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.monitor.energy import Rapl
from orchestrator.monitor.processes import ProcessTree
from orchestrator.monitor.sampler import Sampler, keep_off, sampling
from orchestrator.monitor.samples import Readings, read_samples
from tests.jobs import FLAT, make_job
from workers.spec import Job


class Counting:
    """A source that counts how often it was read, and can fail."""

    def __init__(self, fails: Callable[[int], bool] = lambda count: False) -> None:
        self.count = 0
        self.closed = False
        self.fails = fails

    def read(self) -> Readings:
        self.count += 1
        if self.fails(self.count):
            raise RuntimeError("cannot be read")
        return {"cpu_seconds": float(self.count)}

    def close(self) -> None:
        self.closed = True


def job(kind: str = "train", cpu_set: tuple[int, ...] = ()) -> Job:
    made = make_job([{"kind": "dense", "units": 2}], FLAT, kind=kind)
    return made.model_copy(update={"limits": made.limits.model_copy(update={"cpu_set": list(cpu_set)})})


def taken(folder: Path) -> list[float | None]:
    return [sample["cpu_seconds"] for sample in read_samples(folder / "samples.csv") or []]


def test_samples_are_taken_while_the_block_runs_and_once_at_its_end(tmp_path: Path) -> None:
    source = Counting()
    with sampling(job(), tmp_path, 0.05, lambda: source):
        time.sleep(0.5)
    samples = read_samples(tmp_path / "samples.csv") or []
    assert 4 <= len(samples) <= 12
    assert taken(tmp_path) == [float(place + 1) for place in range(len(samples))]
    times = [sample["monotonic_seconds"] or 0.0 for sample in samples]
    assert times == sorted(times)
    assert time.monotonic() - times[-1] < 1, "the clock is the one that a job has too"
    assert source.closed
    assert [thread.name for thread in threading.enumerate() if thread.name == "sampler"] == []


@pytest.mark.parametrize("seconds", [0.0, 0.05])
@pytest.mark.parametrize(
    ("kind", "sampled"), [("train", True), ("target", True), ("null", True), ("parity", False), ("lines", False)]
)
def test_only_measured_jobs_are_sampled_and_none_where_it_is_switched_off(
    tmp_path: Path, kind: str, sampled: bool, seconds: float
) -> None:
    with sampling(job(kind), tmp_path, seconds, Counting):
        time.sleep(0.1)
    assert (tmp_path / "samples.csv").exists() == (sampled and seconds > 0)


def test_a_source_that_cannot_be_opened_leaves_nulls(tmp_path: Path) -> None:
    def refuse() -> Counting:
        raise ProcessLookupError("gone")

    with sampling(job(), tmp_path, 0.02, refuse):
        time.sleep(0.1)
    assert set(taken(tmp_path)) == {None}


def test_a_source_that_fails_now_and_then_leaves_nulls_there(tmp_path: Path) -> None:
    with sampling(job(), tmp_path, 0.02, lambda: Counting(lambda count: count == 2)):
        time.sleep(0.2)
    assert taken(tmp_path)[:3] == [1.0, None, 3.0]


def test_a_file_that_cannot_be_written_does_not_reach_the_job(tmp_path: Path) -> None:
    with sampling(job(), tmp_path / "absent", 0.02, Counting):
        time.sleep(0.1)


def test_what_the_job_raises_passes_on_and_the_samples_stay(tmp_path: Path) -> None:
    def stopped() -> None:
        with sampling(job(), tmp_path, 0.02, Counting):
            time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(taken(tmp_path)) > 1


def test_a_reading_that_hangs_does_not_hold_up_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.monitor import sampler as module

    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    go_on = threading.Event()

    def hangs(count: int) -> bool:
        return go_on.wait(20)

    sampler = Sampler(tmp_path / "samples.csv", 0.02, [lambda: Counting(hangs)])
    sampler.start()
    start = time.monotonic()
    sampler.stop()
    assert time.monotonic() - start < 5
    go_on.set()


def test_the_sampler_keeps_off_the_jobs_cpus_where_there_are_others() -> None:
    allowed = os.sched_getaffinity(0)
    found: list[set[int]] = []

    def run(cpus: list[int]) -> None:
        keep_off(cpus)
        found.append(os.sched_getaffinity(0))

    for cpus in (sorted(allowed)[:1], sorted(allowed)):
        thread = threading.Thread(target=run, args=(cpus,))
        thread.start()
        thread.join()
    assert found == [allowed - {min(allowed)} or allowed, allowed]
    assert os.sched_getaffinity(0) == allowed, "the run itself stays where it was"


@pytest.mark.parametrize(("cpus", "set_to"), [([1], [{0, 2}]), ([], [{0, 1, 2}]), ([0, 1, 2], [])])
def test_it_takes_all_cpus_of_the_run_that_are_not_the_jobs(
    monkeypatch: pytest.MonkeyPatch, cpus: list[int], set_to: list[set[int]]
) -> None:
    found: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, chosen: found.append(chosen))
    keep_off(cpus)
    assert found == set_to


# ---------------------------------------------------------------------------- a tree of processes

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(b'x') * 2**26; print(1, flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
begin = time.process_time()
while time.process_time() < begin + 0.3:
    pass
print("ready", flush=True)
input()
"""


def test_a_tree_is_read_with_its_children_and_says_nothing_when_it_is_gone() -> None:
    command = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        tree = ProcessTree(process.pid)
        assert process.stdout.readline() == "ready\n"
        found = tree.read()
        process.kill()
        process.wait()
        assert set(found) == {"cpu_seconds", "rss_bytes", "voluntary_switches", "involuntary_switches"}
        assert 0.3 <= found["cpu_seconds"] < 5
        assert found["rss_bytes"] > 2**26, "its child's memory is in it"
        with pytest.raises(psutil.NoSuchProcess):
            tree.read()


# ---------------------------------------------------------------------------- energy


def zone(root: Path, number: str, name: str, microjoules: int) -> None:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("10000000\n")


def test_the_energy_of_all_packages_is_summed_over_the_ends_of_their_ranges(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 9_000_000)
    zone(tmp_path, "1", "package-1", 0)
    zone(tmp_path, "0:0", "core", 0)
    zone(tmp_path, "2", "psys", 0)
    rapl = Rapl(tmp_path)
    assert rapl.read() == {"energy_joules": 0.0}
    zone(tmp_path, "0", "package-0", 500_000)  # over the end of its range
    zone(tmp_path, "1", "package-1", 2_000_000)
    zone(tmp_path, "0:0", "core", 9_999_999)  # a part of a package
    zone(tmp_path, "2", "psys", 9_999_999)  # the whole machine
    assert rapl.read() == {"energy_joules": pytest.approx(1.5 + 2.0)}


def test_without_rapl_there_is_no_energy_rather_than_none_used(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no processor package"):
        Rapl(tmp_path)
    with pytest.raises(OSError, match="no processor package"):
        Rapl(tmp_path / "absent")


def test_energy_that_only_root_may_read_is_not_read(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as good as forbidden, for a test that root may run
    with pytest.raises(OSError, match="energy_uj"):
        Rapl(tmp_path)
