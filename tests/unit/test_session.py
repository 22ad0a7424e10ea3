"""What the command line asked for, checked before anything is built."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.session import Asked, _plan, parse_bytes


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
        _plan(asked(**options), None)
    return caught.value.mistakes


def test_the_memory_limit_is_passed_on() -> None:
    _, plan = _plan(asked(memory_bytes="500MiB"), None)
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
