"""What ``bench doctor`` makes of a machine, with readings put in its hands: each state is reached, and says what to do.

And that each reading is really read, from files made for it or from this machine.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator import machine
from orchestrator.catalogue import every_entry
from orchestrator.doctor import FULL_SET_BYTES, GIB, LEAST_DISK_BYTES, Finding, examine, has_problem
from orchestrator.machine import Daemon, Machine

RIGHT = Machine(
    system="linux",
    daemon=Daemon("27.1", Path("/var/lib/docker"), ("runc", "nvidia")),
    compose="2.29",
    buildx="0.16",
    gpus=("A GPU",),
    driver="580.1",
    cache=Path("/home/me/.cache/bakeoff"),
    unwritable=None,
    cache_free_bytes=100 * GIB,
    docker_free_bytes=100 * GIB,
    memory_bytes=32 * GIB,
    available_bytes=30 * GIB,
    swap_bytes=4 * GIB,
    cgroup=2,
    cpus=8,
    governors=("performance",),
    turbo=False,
    load=0.1,
    busy=(),
    interpreters={"3.9": "/usr/bin/python3.9", "3.11": "/usr/bin/python3.11"},
    missing_files=(),
    compiler="/usr/bin/g++",
    data_dir=Path("/data"),
    data_dir_there=True,
)
NO_DAEMON = "Error while fetching server API version: Connection refused"

# What is wrong, and the finding that must say so: its subject, state, words of its text and of its advice.
WRONG: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({"daemon": NO_DAEMON}, "Docker", "warning", "Connection refused", "`sudo systemctl start docker`"),
    ({"daemon": "Permission denied"}, "Docker", "warning", "Permission denied", "`sudo usermod -aG docker $USER`"),
    ({"daemon": NO_DAEMON, "system": "darwin"}, "Docker", "problem", "no daemon answers", "the local one needs Linux"),
    ({"compose": None}, "Compose", "warning", "not found", "docker-compose-plugin"),
    ({"buildx": None}, "Buildx", "warning", "not found", "docker-buildx-plugin"),
    ({"gpus": ()}, "GPU", "warning", "driver 580.1 shows no GPU", "`nvidia-smi`"),
    (
        {"daemon": Daemon("27.1", Path("/d"), ("runc",))},
        *("GPU", "warning", "Docker has no NVIDIA runtime", "`sudo nvidia-ctk runtime configure"),
    ),
    (
        {"daemon": Daemon("27.1", Path("/d"), ("nvidia",), cannot_limit=("memory", "swap"))},
        *("cgroups", "warning", "cannot limit memory, swap", "swapaccount=1"),
    ),
    ({"unwritable": "Permission denied"}, "cache", "problem", "cannot be written", "BENCH_CACHE_DIR"),
    ({"cache_free_bytes": FULL_SET_BYTES - 1}, "disk of the cache", "warning", "GiB free", "BENCH_CACHE_DIR"),
    ({"cache_free_bytes": LEAST_DISK_BYTES - 1}, "disk of the cache", "problem", "2.0 GiB free", "BENCH_CACHE_DIR"),
    ({"docker_free_bytes": FULL_SET_BYTES - 1}, "disk of Docker", "warning", "GiB free", "`docker system prune`"),
    ({"docker_free_bytes": GIB}, "disk of Docker", "problem", "1.0 GiB free", "`docker system prune`"),
    ({"available_bytes": 5 * GIB}, "memory", "warning", "5.0 of 32.0 GiB", "`bench orchestrate --memory 4GiB`"),
    ({"available_bytes": GIB // 2}, "memory", "problem", "0.5 of 32.0 GiB", "Close other programs"),
    ({"available_bytes": 5 * GIB}, "swap", "warning", "4.0 GiB", "`sudo swapoff -a`"),
    ({"governors": ("powersave",)}, "CPU governor", "warning", "powersave", "`sudo cpupower frequency-set"),
    ({"governors": ("performance", "powersave")}, "CPU governor", "warning", "performance, powersave", "cpupower"),
    ({"turbo": True}, "CPU turbo", "warning", "on", "intel_pstate/no_turbo"),
    (
        {"load": 4.0, "busy": (("make", 1.9), ("firefox", 0.4))},
        *("load", "warning", "0.50 per CPU", "stop them"),
    ),
    ({"load": 4.0}, "load", "warning", "busy now: no process", "wait a minute"),
    ({"interpreters": {"3.9": None}}, "Python 3.9", "warning", "chainer need it", "uv fetches it"),
    (
        {"missing_files": ("/usr/local/mpi/lib/libmpi.so.12",)},
        *("libraries of cntk", "warning", "libmpi.so.12; cntk needs", "apt-get install libopenmpi3"),
    ),
    ({"compiler": None}, "g++", "warning", "theano needs it", "`sudo apt-get install g++`"),
    ({"data_dir_there": False}, "data", "problem", "/data, which is no folder", "`unset BENCH_DATA_DIR`"),
]


def found(**changes: Any) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(replace(RIGHT, **changes))}


def test_a_machine_on_which_all_is_right_has_nothing_to_do() -> None:
    findings = examine(RIGHT)
    assert [finding for finding in findings if finding.state != "ok" or finding.advice] == []
    assert not has_problem(findings)
    assert len({finding.subject for finding in findings}) == len(findings)


@pytest.mark.parametrize(("changes", "subject", "state", "text", "advice"), WRONG)
def test_what_is_wrong_is_seen_and_says_what_to_do(
    changes: dict[str, Any], subject: str, state: str, text: str, advice: str
) -> None:
    finding = found(**changes)[subject]
    assert finding.state == state
    assert text in finding.text
    assert advice in str(finding.advice)
    assert has_problem([finding]) == (state == "problem")


def test_every_line_can_be_other_than_ok() -> None:
    reached = {subject for _, subject, *_ in WRONG}
    assert set(found()) - {"Python 3.11"} <= reached


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"gpus": (), "driver": None}, "GPU"),
        ({"governors": ()}, "CPU governor"),
        ({"turbo": None}, "CPU turbo"),
        ({"docker_free_bytes": None}, "disk of Docker"),
        ({"cgroup": None}, "cgroups"),
        ({"swap_bytes": 0, "available_bytes": GIB}, "swap"),
        ({"data_dir": None, "data_dir_there": False}, "data"),
    ],
)
def test_what_is_not_there_or_cannot_be_read_is_no_fault(changes: dict[str, Any], subject: str) -> None:
    assert found(**changes)[subject].state == "ok"


def test_busy_processes_are_named() -> None:
    assert "make (1.9 CPUs), firefox (0.4 CPUs)" in found(load=4.0, busy=(("make", 1.9), ("firefox", 0.4)))["load"].text


def test_without_a_daemon_its_disk_and_limits_are_not_spoken_of() -> None:
    findings = found(daemon=NO_DAEMON)
    assert "disk of Docker" not in findings
    assert "Docker" not in findings["cgroups"].text
    assert findings["GPU"].state == "ok"


@pytest.mark.parametrize("state", ["warning", "problem"])
def test_a_finding_that_does_not_say_what_to_do_cannot_be_made(state: Any) -> None:
    with pytest.raises(ValueError, match="must say what to do"):
        Finding("disk", state, "full")


# ---------------------------------------------------------------------------- readings


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_governors_are_read_once_each(tmp_path: Path) -> None:
    assert machine.governors(tmp_path) == ()
    for place, name in enumerate(["powersave", "performance", "powersave"]):
        put(tmp_path / f"cpu{place}" / "cpufreq" / "scaling_governor", f"{name}\n")
    assert machine.governors(tmp_path) == ("performance", "powersave")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("intel_pstate/no_turbo", "0\n", True),
        ("intel_pstate/no_turbo", "1\n", False),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
        ("elsewhere", "1\n", None),
    ],
)
def test_turbo_is_read_of_either_driver(tmp_path: Path, name: str, text: str, expected: bool | None) -> None:
    put(tmp_path / name, text)
    assert machine.turbo(tmp_path) is expected


def test_the_version_of_cgroups_is_told_by_its_files(tmp_path: Path) -> None:
    assert machine.cgroup_version(tmp_path) is None
    (tmp_path / "memory").mkdir()
    assert machine.cgroup_version(tmp_path) == 1
    put(tmp_path / "cgroup.controllers", "cpu memory\n")
    assert machine.cgroup_version(tmp_path) == 2


def test_a_cache_that_is_yet_to_be_made_is_tried_above_it_and_nothing_is_left(tmp_path: Path) -> None:
    assert machine.why_unwritable(tmp_path / "yet" / "to be made") is None
    assert list(tmp_path.iterdir()) == []
    assert machine.free_bytes(tmp_path) == pytest.approx(psutil.disk_usage(str(tmp_path)).free, rel=0.1)


def test_a_cache_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    put(tmp_path / "file", "")
    assert machine.why_unwritable(tmp_path / "file" / "cache") == "Not a directory"


def test_the_disk_of_a_daemon_elsewhere_is_not_read(tmp_path: Path) -> None:
    assert machine.free_bytes(tmp_path / "not here") is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo Docker Compose version v2.29.1", "v2.29.1"),
        ("echo github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3", "0.13.1+ds1"),
        ("echo docker: compose is not a docker command; exit 1", None),
        ("exit 0", None),
    ],
)
def test_a_plugins_version_is_what_docker_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, expected: str | None
) -> None:
    put(tmp_path / "docker", f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert machine.plugin_version("compose") == expected


def test_without_the_docker_command_there_are_no_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.plugin_version("compose") is None


@pytest.fixture
def spinning() -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def test_a_process_that_computes_is_busy_and_this_one_is_not_asked(spinning: psutil.Process) -> None:
    ((name, share),) = machine.busy_processes([psutil.Process(), spinning], 0.5)
    assert name == spinning.name()
    assert share > machine.BUSY_SHARE


def test_a_process_that_sleeps_or_ends_meanwhile_is_not_named() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.1)"])
    assert machine.busy_processes([psutil.Process(process.pid)], 1.0) == ()
    process.wait()


def test_every_frameworks_python_is_asked_for() -> None:
    assert set(machine.python_versions()) == {entry.python for entry in every_entry()}
    assert machine.python_versions().index("3.9") < machine.python_versions().index("3.11")
