"""What tests share: the cache of environments, the data folder, and whether Docker is there."""

import os
from pathlib import Path

import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.store import cache_dir

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def cache() -> Path:
    """The user's own cache: environments and images are made once and kept, as for any run."""
    return cache_dir()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real data: $BENCH_DATA_DIR, else shared/data beside the project."""
    for folder in (os.environ.get("BENCH_DATA_DIR"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "mnist").is_dir():
            return Path(folder)
    pytest.skip("no real data: neither $BENCH_DATA_DIR nor ../shared/data has mnist/")


@pytest.fixture(scope="session")
def docker_engine() -> DockerEngine:
    """A Docker daemon; under BENCH_REQUIRE_DOCKER=1 a test without one fails, else it skips."""
    engine = DockerEngine()
    reason = engine.why_not()
    if reason and os.environ.get("BENCH_REQUIRE_DOCKER") == "1":
        pytest.fail(f"BENCH_REQUIRE_DOCKER=1, but {reason}")
    if reason:
        pytest.skip(reason)
    return engine
