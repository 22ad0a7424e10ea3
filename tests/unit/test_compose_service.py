"""The service ``bench`` of compose.yaml: which frameworks take part, what is asked of ``bench``, what others print."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.compose import chosen_frameworks, orchestrate_words, services_up, summary_of
from workers.turns import Presence


@contextlib.contextmanager
def up(turns: Path, *services: str) -> Iterator[None]:
    """Hold what the containers of these services would hold."""
    held = [Presence(turns / f"{service}.present") for service in services]
    try:
        for presence in held:
            presence.say({"token": "t"})
        yield
    finally:
        for presence in held:
            presence.end()


@pytest.mark.parametrize(
    ("asked", "services", "chosen"),
    [
        ("all", ["numpy", "theano"], ["theano"]),
        ("", ["numpy", "tf", "torch", "keras", "theano"], ["tf", "torch", "keras", "theano"]),
        ("theano,tf", ["numpy", "tf", "theano", "torch"], ["theano", "tf"]),
        ("numpy", ["numpy"], ["numpy"]),
        ("all", ["numpy"], []),
        ("all", ["numpy", "theano", "torch7"], ["theano", "torch7"]),  # docker compose run --rm torch7
        ("torch7", ["numpy"], []),
        ("all", ["numpy", "keras-jax"], ["keras:jax"]),  # somebody started it: docker compose run --rm keras-jax
        ("all-modes", ["numpy", "torch", "keras-torch"], ["torch", "torch:compile", "keras:torch"]),
        ("tf,numpi", ["numpy", "tf"], []),  # bench itself names the mistake
    ],
)
def test_those_asked_for_whose_containers_are_up_take_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, services: list[str], chosen: list[str]
) -> None:
    monkeypatch.setenv("BENCH_FRAMEWORKS", asked)
    with up(tmp_path, "orchestrator", *services):
        assert services_up(tmp_path) == sorted(services)
        assert chosen_frameworks(tmp_path, first=0, grace=0) == chosen
    assert services_up(tmp_path) == []


def test_who_is_up_and_who_is_not_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_FRAMEWORKS", "tf,torch,theano")
    with up(tmp_path, "numpy", "tf"):
        chosen_frameworks(tmp_path, first=0, grace=0)
    assert capsys.readouterr().out == (
        "Waiting for the containers numpy, tf, theano, torch.\nUp: numpy, tf. Not up, so not compared: torch, theano.\n"
    )


@pytest.mark.parametrize(("first", "chosen"), [(30.0, ["theano"]), (0.3, [])])
def test_the_grace_begins_with_the_first_frameworks_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: float, chosen: list[str]
) -> None:
    """The image of `docker compose run theano` may be built when bench and the reference are up already."""
    monkeypatch.setenv("BENCH_FRAMEWORKS", "tf,theano")
    late = contextlib.ExitStack()
    timer = threading.Timer(1.5, lambda: late.enter_context(up(tmp_path, "theano")))
    with up(tmp_path, "numpy"), late:
        timer.start()
        start = time.monotonic()
        assert chosen_frameworks(tmp_path, first, grace=1.0) == chosen
        assert time.monotonic() - start < 10
        timer.join()


def test_settings_become_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SUITE", "quick")
    monkeypatch.setenv("BENCH_MEMORY", "4GiB")
    monkeypatch.delenv("BENCH_GPU", raising=False)
    base = ["orchestrate", "--engine", "compose", "--frameworks", "tf,theano", "--memory", "4GiB"]
    labels = ["tf", "theano"]
    assert orchestrate_words(labels, ["--repeats", "5"]) == [*base, "--suite", "quick", "--repeats", "5"]
    monkeypatch.setenv("BENCH_GPU", "1")
    assert orchestrate_words(labels, ["--run", "runs/x"]) == [*base, "--gpu", "--run", "runs/x"]


def test_one_frameworks_container_prints_the_results_or_else_what_went_wrong() -> None:
    lines = ["Engine: compose\n", "[1/1] x\n", "\n", "Results: runs/x\n", "\n", "the table\n"]
    assert summary_of(lines) == "Results: runs/x\n\nthe table"
    assert summary_of(["bench: Unknown workload\n"]) == "bench: Unknown workload"
