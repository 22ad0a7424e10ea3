"""A stranger can follow the help: every command says what it does, with examples, and every option what it takes."""

import re
from pathlib import Path

import pytest

from tests.commands import bench
from tests.unit.test_docs import BENCH, wrong_commands
from tests.unit.test_docs import COMMANDS as LEAVES

COMMANDS = {**BENCH.commands, **LEAVES}  # type: ignore[attr-defined]


def examples(text: str) -> list[str]:
    """Return the lines below ``Examples:`` as help prints them."""
    return [line.strip() for line in text.partition("Examples:\n")[2].splitlines() if line.strip()]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_in_examples_that_are_right_and_fit_a_terminal(name: str, tmp_path: Path) -> None:
    run = bench(*name.split(), "--help", folder=tmp_path, COLUMNS="100")
    assert run.returncode == 0
    lines = examples(run.stdout)
    assert lines
    assert all(line.startswith(f"bench {name}".strip()) for line in lines), lines
    # What stands behind two spaces is a remark.
    calls = "\n".join(re.split(r"\s{2,}", line)[0] for line in lines)
    assert wrong_commands(f"```sh\n{calls}\n```\n") == []
    assert max(map(len, run.stdout.splitlines())) <= 100


def test_a_wrong_example_would_be_seen() -> None:
    lines = examples("Usage\n\n  Examples:\n    bench build --frameworks tf    a remark\n")
    assert lines == ["bench build --frameworks tf    a remark"]
    assert wrong_commands(f"```sh\n{lines[0]}\n```\n") == ["build --frameworks"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_says_what_it_takes(name: str) -> None:
    assert [item.name for item in COMMANDS[name].params if not item.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_shows_whole_sentences(name: str, tmp_path: Path) -> None:
    *group, last = name.split()
    run = bench(*group, "--help", folder=tmp_path, COLUMNS="80")
    (line,) = re.findall(rf"^  {last} +(.*)$", run.stdout, re.MULTILINE)
    assert line.endswith("."), line
    assert not line.endswith("..."), line
