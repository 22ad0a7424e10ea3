"""A container's control groups, made of files as the kernel has them: version 2, version 1, and both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.monitor.cgroup import Cgroup

ID = "4f5dea0f196ac8c3"
STATUS = (
    "Name:\tpython\nVmRSS:\t{rss} kB\nvoluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{other}\n"
)

Files = dict[str, str]

V2: Files = {
    "proc/7/cgroup": f"0::/system.slice/docker-{ID}.scope\n",
    f"sys/system.slice/docker-{ID}.scope/cpu.stat": "usage_usec 2500000\nuser_usec 1\nnr_periods 0\n"
    "nr_throttled 0\nthrottled_usec 300000\n",
    f"sys/system.slice/docker-{ID}.scope/memory.current": "9000\n",
    f"sys/system.slice/docker-{ID}.scope/memory.stat": "anon 4096\nfile 12\ninactive_anon 77\n",
    f"sys/system.slice/docker-{ID}.scope/cgroup.procs": "7\n8\n",
}
V1: Files = {
    "proc/7/cgroup": f"5:memory:/docker/{ID}\n4:name=systemd:/docker/{ID}\n3:cpuset:/\n"
    f"2:cpu,cpuacct:/docker/{ID}\n0::/docker/{ID}\n",
    f"sys/cpu,cpuacct/docker/{ID}/cpuacct.usage": "2500000000\n",
    f"sys/cpu,cpuacct/docker/{ID}/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 300000000\n",
    f"sys/cpu,cpuacct/docker/{ID}/cgroup.procs": "7\n8\n",
    f"sys/memory/docker/{ID}/memory.stat": "cache 1\nrss 3\ntotal_rss 4096\ntotal_rss_huge 5\n",
    f"sys/memory/docker/{ID}/memory.usage_in_bytes": "9000\n",
}
# As where version 1 has the controllers in folders of their own, and version 2 is there beside it.
SINGLE: Files = {
    name.replace("cpu,cpuacct", "cpuacct" if "cpuacct.usage" in name else "cpu"): text.replace(
        "2:cpu,cpuacct:", f"1:cpuacct:/docker/{ID}\n2:cpu:"
    )
    for name, text in V1.items()
} | {f"sys/unified/docker/{ID}/cpu.stat": "usage_usec 11\n", f"sys/unified/docker/{ID}/cgroup.procs": "7\n8\n"}
PROCESSES: Files = {
    "proc/7/task/7/status": STATUS.format(rss=100, voluntary=10, other=1),
    "proc/7/task/9/status": STATUS.format(rss=100, voluntary=20, other=2),
    "proc/8/task/8/status": STATUS.format(rss=50, voluntary=30, other=3),
}
EXPECTED = {
    "cpu_seconds": pytest.approx(2.5),
    "throttled_seconds": pytest.approx(0.3),
    "anonymous_bytes": 4096,
    "charged_bytes": 9000,
    "rss_bytes": 150 * 1024,  # of each process once, not of each thread
    "voluntary_switches": 60,
    "involuntary_switches": 6,
}

Make = Callable[[Files], Cgroup]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(files: Files) -> Cgroup:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Cgroup(7, ID, tmp_path / "proc", tmp_path / "sys")

    return made


@pytest.mark.parametrize("tree", [V2, V1, SINGLE], ids=["version 2", "version 1", "each controller by itself"])
def test_every_version_says_the_same(make: Make, tree: Files) -> None:
    assert make({**tree, **PROCESSES}).read() == EXPECTED


@pytest.mark.parametrize("tree", [V2, V1], ids=["version 2", "version 1"])
def test_what_a_kernel_does_not_show_is_left_out_and_not_zero(make: Make, tree: Files) -> None:
    bare = {name: text for name, text in tree.items() if "memory" not in name}
    assert set(make(bare).read()) == {"cpu_seconds", "throttled_seconds"}


def test_what_version_1_does_not_have_is_taken_from_version_2_beside_it(make: Make) -> None:
    found = make({name: text for name, text in SINGLE.items() if "cpuacct.usage" not in name}).read()
    assert found["cpu_seconds"] == pytest.approx(11e-6)


def test_without_a_cpu_controller_throttling_is_unknown(make: Make) -> None:
    (stat,) = [name for name in V2 if name.endswith("cpu.stat")]
    assert "throttled_seconds" not in make({**V2, stat: "usage_usec 2500000\n"}).read()


def test_the_processes_of_another_container_are_not_read(make: Make) -> None:
    """As of a daemon in a virtual machine, whose process numbers mean other processes here."""
    with pytest.raises(OSError, match="process 7 is in no control group of the container 4f5d"):
        make({"proc/7/cgroup": "0::/user.slice\n", "sys/user.slice/cpu.stat": "usage_usec 1\n"})
    with pytest.raises(OSError, match="no control group"):
        make({"proc/7/cgroup": f"0::/docker/{ID}\n"})  # this machine does not show its folder


def test_a_container_that_is_gone_says_nothing(make: Make, tmp_path: Path) -> None:
    cgroup = make({**V2, **PROCESSES})
    cgroup.read()
    for name in V2:
        (tmp_path / name).unlink()
    assert cgroup.read() == {}


def test_a_thread_that_ends_keeps_what_it_had(make: Make, tmp_path: Path) -> None:
    cgroup = make({**V2, **PROCESSES})
    cgroup.read()
    (tmp_path / "proc/7/task/9/status").unlink()
    (tmp_path / "proc/7/task/7/status").write_text(STATUS.format(rss=100, voluntary=15, other=1))
    found = cgroup.read()
    assert (found["voluntary_switches"], found["involuntary_switches"]) == (65, 6)


def test_a_threads_number_that_another_takes_over_is_counted_on(make: Make, tmp_path: Path) -> None:
    cgroup = make({**V2, **PROCESSES})
    cgroup.read()
    (tmp_path / "proc/7/task/9/status").write_text(STATUS.format(rss=100, voluntary=4, other=0))
    found = cgroup.read()
    assert (found["voluntary_switches"], found["involuntary_switches"]) == (64, 6)
