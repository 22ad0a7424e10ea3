"""What `make papers` packs beside its page is what the page's links lead to."""

import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from benchmarks.papers import PARTS, Part, command, newest, pack
from orchestrator.cli import app
from tests.runs import RUNS


def test_every_link_of_the_page_is_in_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = RUNS["one_framework"](Path("runs/papers/part/quick-20260101-120000"))
    page, archive = Path("reports/papers.html"), Path("reports/papers.zip")
    page.parent.mkdir()
    app(["report", str(run), "--output", str(page)], standalone_mode=False)
    pack([run], archive)
    links = set(re.findall(r'href="\.\./([^"#]+)"', page.read_text(encoding="utf-8")))
    names = set(ZipFile(archive).namelist())
    assert links
    assert links <= names
    assert not {name for name in names if "/inputs/" in name or name.endswith(".npz")}


def test_a_part_that_is_there_goes_on(tmp_path: Path) -> None:
    part = PARTS[0]
    assert "--run" not in command(part, "all", 3, 1, tmp_path)
    for day in ("20260101", "20260102"):
        (tmp_path / part.name / f"{part.suite}-{day}-120000").mkdir(parents=True)
    last = newest(part, tmp_path)
    assert last is not None
    assert last.name == f"{part.suite}-20260102-120000"
    assert command(part, "all", 3, 1, tmp_path) == ["orchestrate", "--run", str(last)]


@pytest.mark.parametrize("part", PARTS, ids=[part.name for part in PARTS])
def test_parts_have_runs_of_their_own(part: Part, tmp_path: Path) -> None:
    assert [other.name for other in PARTS].count(part.name) == 1
    words = command(part, "all", 3, 1, tmp_path)
    assert words[words.index("--output") + 1] == str(tmp_path / part.name)
