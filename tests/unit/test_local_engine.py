"""The local engine before it makes anything: what a framework needs of the machine is named, with what gives it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines.local import LocalEngine, missing_files
from orchestrator.errors import EngineError


def test_a_library_that_the_machine_lacks_is_named_with_the_command_for_it(tmp_path: Path) -> None:
    there, absent, dangling = (tmp_path / name for name in ("there.so", "absent.so", "dangling.so"))
    there.touch()
    dangling.symlink_to(absent)
    files = {str(path): f"ln -s {path.name}" for path in (there, absent, dangling)}
    entry = replace(FRAMEWORKS["numpy"], local_files=files)
    assert missing_files(entry) == [str(absent), str(dangling)]
    with pytest.raises(EngineError) as raised:
        LocalEngine(tmp_path / "cache").prepare(entry, "cpu", print)
    message = str(raised.value)
    assert f"numpy loads {absent} and {dangling}" in message
    assert "  ln -s absent.so\n  ln -s dangling.so\n" in message
    assert "--engine docker" in message
    assert not (tmp_path / "cache").exists()


def test_what_cannot_be_had_locally_is_refused_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    entry = replace(FRAMEWORKS["numpy"], no_local="it is only in Debian")
    with pytest.raises(
        EngineError, match=r"^numpy: the local engine cannot run it, since it is only in Debian; next: --engine docker"
    ):
        LocalEngine(tmp_path).prepare(entry, "cpu", print)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_on_path_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EngineError, match=r"dl4j needs java and mvn on PATH .* `sudo apt-get install maven`"):
        LocalEngine(tmp_path).prepare(FRAMEWORKS["dl4j"], "cpu", print)
    assert list(tmp_path.iterdir()) == []
