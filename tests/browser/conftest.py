"""What browser tests share: one browser for all of them, and the folder that it reads pages from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engines.docker import DockerEngine
from tests.browser.container import Browser
from tests.browser.container import browser as running


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def browser(docker_engine: DockerEngine, pages: Path) -> Iterator[Browser]:
    with running(pages) as made:
        yield made
