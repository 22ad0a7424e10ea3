"""compose.yaml: every environment of the catalogue has its service, each as closed as a job's container."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orchestrator.catalogue import FrameworkEntry, find, spellings
from orchestrator.engines import Prepared
from orchestrator.engines.compose import service_of
from orchestrator.engines.docker import _container
from tests.jobs import FLAT, make_job

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = "${BENCH_RUNS_DIR:-./runs}:/bench/runs"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / name)["services"]
    return found


SERVICES = read("compose.yaml")
FRAMEWORK_SERVICES = {name: service for name, service in SERVICES.items() if name != "bench"}
ENVIRONMENTS = {service_of(entry): entry for entry in map(find, sorted(set(spellings().values())))}


def each_environment(test: Any) -> Any:
    return pytest.mark.parametrize(("name", "entry"), sorted(ENVIRONMENTS.items()), ids=lambda value: str(value)[:20])(
        test
    )


def test_every_environment_has_its_service_and_no_other_is_there() -> None:
    missing = sorted(set(ENVIRONMENTS) - set(FRAMEWORK_SERVICES))
    assert not missing, f"compose.yaml needs a service for {', '.join(missing)}: four lines, as tf's"
    assert set(FRAMEWORK_SERVICES) == set(ENVIRONMENTS)


def built_from(service: dict[str, Any], device_args: dict[str, Any]) -> str:
    arguments = {**service["build"].get("args", {}), **device_args}
    return str(arguments.get("REQUIREMENTS", "requirements.txt"))


@each_environment
def test_a_service_builds_its_frameworks_image_and_takes_its_turns(name: str, entry: FrameworkEntry) -> None:
    service = SERVICES[name]
    assert service["build"]["dockerfile"] == f"docker/{entry.folder}/Dockerfile"
    assert built_from(service, {}) == entry.requirements["cpu"]
    assert service["command"] == ["python", "-m", "workers.turns", "/bench/runs", name]


@each_environment
def test_the_gpu_variant_is_that_of_the_catalogue(name: str, entry: FrameworkEntry) -> None:
    over = read("compose.gpu.yaml").get(name)
    assert (over is not None) == ("gpu" in entry.devices)
    if over is not None:
        assert built_from(SERVICES[name], over.get("build", {}).get("args", {})) == entry.requirements["gpu"]
        (device,) = over["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@each_environment
def test_a_service_is_as_closed_as_a_jobs_container(name: str, entry: FrameworkEntry, tmp_path: Path) -> None:
    service = SERVICES[name]
    job = make_job([{"kind": "dense", "units": 2}], FLAT)
    docker = _container(Prepared(entry, "cpu", "ab12", "image"), job, tmp_path, None)
    same = ("init", "network_mode", "read_only", "cap_drop", "security_opt", "environment")
    assert {key: service[key] for key in same} == {key: docker[key] for key in same}
    assert service["tmpfs"] == [f"{place}:{options}" for place, options in docker["tmpfs"].items()]
    assert service["user"] == "${BENCH_UID:-1000}:${BENCH_GID:-1000}"
    assert service["mem_limit"] == service["memswap_limit"] == SERVICES["bench"]["environment"]["BENCH_MEMORY"]
    assert service["pids_limit"] == job.limits.pids
    assert service["volumes"] == [RUNS]
    assert {"privileged", "cap_add", "devices", "networks", "ports"} & set(service) == set()


@each_environment
def test_a_mode_or_a_version_starts_only_when_it_is_asked_for(name: str, entry: FrameworkEntry) -> None:
    profiles = ["versions"] if entry.chosen_version else None if name == entry.name else ["modes"]
    if entry.base_argument:  # nor can anybody else have its image built
        profiles = [name]
    assert SERVICES[name].get("profiles") == profiles


def test_only_bench_sees_data_and_cache_and_gets_no_more_than_it_needs() -> None:
    bench = SERVICES["bench"]
    assert bench["volumes"] == [RUNS, "${BENCH_DATA_DIR:-data}:/bench/data:ro", "cache:/bench/cache"]
    assert (bench["read_only"], bench["cap_drop"], bench["cap_add"]) == (True, ["ALL"], ["CHOWN", "SETUID", "SETGID"])
    assert "privileged" not in bench


def test_what_is_asked_of_one_framework_starts_bench_and_the_reference_too() -> None:
    for name, service in FRAMEWORK_SERVICES.items():
        assert set(service["depends_on"]) == {"bench"} | ({"numpy"} - {name})


def test_a_clean_checkout_needs_no_setting() -> None:
    """Every variable in the files has a default, so that nothing but `docker compose up` is needed."""
    text = (ROOT / "compose.yaml").read_text() + (ROOT / "compose.gpu.yaml").read_text()
    assert text.count("${") == text.count(":-")
