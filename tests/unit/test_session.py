"""What the command line asked for, checked before anything is built."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.orchestrate import orchestrate
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.errors import UsageError
from orchestrator.monitor.sampler import SAMPLE_SECONDS
from orchestrator.options import Asked, parse_bytes, planned
from orchestrator.session import _continued, choose_engine
from tests.unit.made_runs import INFO


def asked(**options: Any) -> Asked:
    """Return what the command line gives for these options."""
    engine = options.pop("engine", "local")
    given = {"frameworks": "tf", "threads": "1", **options}
    return Asked(given, engine, data_dir=None, output=Path("runs"), run=None, again=False, command=["orchestrate"])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8GiB", 8 * 1024**3),
        ("8gib", 8 * 1024**3),
        ("1.5 KiB", 1536),
        ("500MB", 500 * 1000**2),
        (" 2 GB ", 2 * 1000**3),
        ("1073741824", 1024**3),
        ("12B", 12),
        ("0", 0),
        ("8G", None),
        ("-1GiB", None),
        ("1e3", None),
        ("much", None),
        ("", None),
    ],
)
def test_bytes_as_people_write_them(text: str, number: int | None) -> None:
    assert parse_bytes(text) == number


def mistakes(**options: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        planned(asked(**options), None)
    return caught.value.mistakes


def test_the_memory_limit_is_passed_on() -> None:
    _, plan = planned(asked(memory_bytes="500MiB"), None)
    assert {job.limits.memory_bytes for job in (*plan.train, *plan.parity)} == {500 * 1024**2}


@pytest.mark.parametrize(
    ("memory", "mistake"),
    [
        ("8G", "--memory is '8G'; give a number and a unit, such as 8GiB or 500MiB."),
        ("0", "--memory is 0 bytes; it must be at least 64 MiB."),
        ("63MiB", "--memory is 66060288 bytes; it must be at least 64 MiB."),
    ],
)
def test_a_bad_memory_limit(memory: str, mistake: str) -> None:
    assert mistakes(memory_bytes=memory) == [mistake]


@pytest.mark.parametrize("seconds", [-0.1, 0.009, 61.0, float("nan"), float("inf")])
def test_an_interval_between_samples_that_cannot_be(seconds: float) -> None:
    with pytest.raises(UsageError) as caught:
        planned(replace(asked(memory_bytes="8G"), sample_seconds=seconds), None)
    assert caught.value.mistakes[0] == (
        f"--sample-seconds is {seconds:g}; give 0.01 to 60 seconds between two samples, or 0 for none."
    )
    assert len(caught.value.mistakes) == 2, "with every other mistake"


@pytest.mark.parametrize("seconds", [0.0, 0.01, 60.0])
def test_the_interval_between_samples_is_the_engines_and_no_part_of_a_job(seconds: float) -> None:
    _, plan = planned(replace(asked(), sample_seconds=seconds), None)
    assert [job.id for job in plan.train] == [job.id for job in planned(asked(), None)[1].train]
    engine, _ = choose_engine("local", seconds)
    assert isinstance(engine, LocalEngine)
    assert engine.sample_seconds == seconds
    assert DockerEngine(seconds).sample_seconds == seconds


def test_the_command_line_says_the_interval_that_engines_have_by_themselves() -> None:
    option = inspect.signature(orchestrate).parameters["sample_seconds"]
    assert option.default == SAMPLE_SECONDS == DockerEngine().sample_seconds


def test_an_unknown_engine_is_told_the_nearest() -> None:
    assert mistakes(engine="dokcer") == [
        "Unknown engine 'dokcer'. Did you mean 'docker'? Allowed: auto, docker, local."
    ]


def test_every_mistake_of_the_command_line_is_told_at_once() -> None:
    found = mistakes(engine="dokcer", memory_bytes="8G", frameworks="tensorfow", suite="quik", threads="0")
    assert [text.split(".")[0].split(";")[0] for text in found] == [
        "Unknown engine 'dokcer'",
        "--memory is '8G'",
        "Unknown framework 'tensorfow'",
        "Unknown suite 'quik'",
        "--threads is 0",
    ]


def test_a_run_that_goes_on_is_widened_by_what_is_asked_now() -> None:
    request = INFO.request.model_copy(update={"variant": "paper", "threads": [1]})
    now = INFO.model_copy(
        update={
            "frameworks": ["keras", "tf"],
            "threads": [1],
            "repeats": 1,
            "altered": ["2 epochs"],
            "request": request,
            "command": ["bench", "orchestrate", "--run", "x"],
        }
    )
    found = _continued(INFO, now)
    assert found.frameworks == [*INFO.frameworks, "keras"]
    assert (found.threads, found.repeats, found.altered) == ([1, 2], 3, ["2 epochs"])
    assert (found.command, found.continued) == (INFO.command, [now.command])
    asked_next = found.request
    assert (asked_next.variant, asked_next.frameworks) == ("both", "tf,torch,theano,keras")
    assert (asked_next.threads, asked_next.repeats) == ([1, 2], 3)


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"threads": "1,two"}, "--threads is '1,two'; give whole numbers with commas, such as 1,2,4."),
        ({"epochs": ""}, "--epochs is ''; give whole numbers with commas, such as 1,5,10."),
        ({"epochs": "1.5"}, "--epochs is '1.5'; give whole numbers with commas, such as 1,5,10."),
        ({"threads": "1,-2"}, "--threads is -2; it must be from 1 to 1024."),
    ],
)
def test_lists_of_numbers_that_are_none(options: dict[str, str], mistake: str) -> None:
    assert mistakes(**options) == [mistake]


def test_lists_of_numbers_are_read_in_their_order_each_once() -> None:
    request, plan = planned(asked(threads=" 4, 1,4", epochs="5,1"), None)
    assert request.threads == plan.threads == [4, 1]
    assert request.epochs == [5, 1]
