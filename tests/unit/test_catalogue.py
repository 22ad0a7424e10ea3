"""The catalogue and its files: what is missing is named, what is pinned is hashed, and a recipe's hash is its own."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import catalogue, recipe
from orchestrator.catalogue import DOCKER_DIR, FRAMEWORKS, ROOT, WORKERS_DIR, FrameworkEntry, every_entry, find
from orchestrator.recipe import recipe_files, recipe_hash
from workers.recipe import bake, framework_of, modules

# Every framework in each of its versions, and in the modes that have a folder of their own.
ENTRIES = [entry for entry in every_entry() if entry.mode is None or entry.modes[entry.mode].python]
REQUIREMENTS = sorted({(entry.folder, file) for entry in ENTRIES for file in entry.requirements.values()})
SHARED_MODULES = sorted(path.name for path in modules(ROOT) if not framework_of(path.name, ROOT))
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")


def each_entry(test: Any) -> Any:
    return pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.label)(test)


def worker_modules(entry: FrameworkEntry) -> set[str]:
    return {path.name for path in recipe_files(entry) if path.parts[0] == "workers"}


def pins(path: Path) -> dict[str, str]:
    """Return {package: version} of a requirements file; names as the index spells them: ml-dtypes."""
    found = [PIN.match(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {match.group(1).lower().replace("_", "-"): match.group(2) for match in found if match}


# ---------------------------------------------------------------------------- the files of a framework


def test_every_docker_folder_has_its_entry() -> None:
    """The rest of what a framework needs is in test_adding.py."""
    folders = {path.parent.relative_to(DOCKER_DIR).as_posix() for path in DOCKER_DIR.rglob("Dockerfile")}
    assert folders == {entry.folder for entry in ENTRIES}


def test_every_module_of_the_workers_is_shared_or_exactly_one_frameworks_own() -> None:
    recipes = {
        entry.name: {path.name for path in recipe_files(entry) if path.parts[0] == "workers"} for entry in ENTRIES
    }
    assert set(SHARED_MODULES) == set.intersection(*recipes.values())
    owned = Counter(SHARED_MODULES)
    for names in recipes.values():
        owned.update(names - set(SHARED_MODULES))
    assert owned == Counter(path.name for path in modules(ROOT))


@each_entry
def test_only_a_frameworks_own_package_may_compute_with_numpy(entry: FrameworkEntry) -> None:
    text = (WORKERS_DIR / f"{entry.name}_worker.py").read_text(encoding="utf-8")
    assert set(re.findall(r"computes_with_numpy = (.+)", text)) <= {f'"{entry.package}"'}


@each_entry
def test_the_image_has_the_entrys_python(entry: FrameworkEntry) -> None:
    text = (DOCKER_DIR / entry.folder / "Dockerfile").read_text(encoding="utf-8")
    if entry.base_argument is not None:
        assert text.startswith(f"ARG {entry.base_argument}\nFROM ${{{entry.base_argument}}}\n")
        assert f"python3={entry.python}." in text
        return
    first = text.splitlines()[0]
    if first == "FROM debian:bullseye-slim":  # what only Debian has, with Debian's Python
        assert (entry.python, bool(entry.no_local)) == ("3.9", True)
        return
    assert re.match(r"FROM python:(\d+\.\d+)-", first), first
    assert first.startswith(f"FROM python:{entry.python}-")


@each_entry
def test_the_image_holds_its_own_packages_first_and_the_workers_last(entry: FrameworkEntry) -> None:
    """A change to a worker then rebuilds no package layer."""
    text = (DOCKER_DIR / entry.folder / "Dockerfile").read_text(encoding="utf-8")
    assert f"COPY docker/{entry.folder}/requirements*.txt /bench/docker/{entry.folder}/" in text
    assert "--require-hashes" in text
    assert f"RUN python -B -m workers.recipe {entry.folder} $REQUIREMENTS $RECIPE_HASH" in text
    assert text.index("pip install") < text.index("COPY workers") < text.index("LABEL bakeoff.recipe_hash")


@each_entry
def test_a_device_without_an_image_has_its_reason(entry: FrameworkEntry) -> None:
    assert "cpu" in entry.devices
    assert ("gpu" in entry.devices) != bool(entry.no_gpu)


def test_no_name_means_two_frameworks() -> None:
    names = [name for entry in FRAMEWORKS.values() for name in (entry.name, *entry.aliases)]
    assert len(set(names)) == len(names)
    known = catalogue.spellings()
    assert set(names) == {spelling for spelling in known if not {":", "@"} & set(spelling)}
    assert (known["tensorflow"], known["pytorch"]) == ("tf", "torch")


def test_a_mode_is_found_by_its_label_and_changes_what_it_names() -> None:
    for spelling, label in catalogue.spellings().items():
        entry = find(label)
        assert entry.label == label
        assert (entry.mode is None) == (":" not in spelling)
        assert (entry.chosen_version is None) == ("@" not in spelling)


@each_entry
def test_another_version_is_what_its_label_says(entry: FrameworkEntry) -> None:
    assert entry.version == (entry.chosen_version or entry.version)
    own = FRAMEWORKS[entry.name]
    assert entry.chosen_version is None or entry.version != own.version
    assert set(entry.modes) <= set(own.modes)


def test_a_mode_for_another_python_has_an_environment_of_its_own() -> None:
    keras = FRAMEWORKS["keras"]
    found = {mode: find(f"keras:{mode}") for mode in ("theano", "cntk", "tf2.2")}
    assert [(entry.label, entry.folder, entry.python, entry.version) for entry in found.values()] == [
        ("keras:theano", "keras/theano", "3.9", "2.3.1"),
        ("keras:cntk", "keras/cntk", "3.6", "2.3.1"),
        ("keras:tf2.2", "keras/tf2.2", "3.8", "2.3.1"),
    ]
    assert all(entry.no_gpu and entry.devices == ("cpu",) for entry in found.values())
    assert found["theano"].compile_cache == FRAMEWORKS["theano"].compile_cache
    assert found["cntk"].local_files == FRAMEWORKS["cntk"].local_files
    jax = find("keras:jax")
    assert (jax.folder, jax.python, jax.no_gpu, jax.local_files) == ("keras", keras.python, None, {})


# ---------------------------------------------------------------------------- pins


@pytest.mark.parametrize(("name", "file"), REQUIREMENTS)
def test_every_package_is_pinned_and_hashed(name: str, file: str) -> None:
    lines = (DOCKER_DIR / name / file).read_text(encoding="utf-8").splitlines()
    starts = [place for place, line in enumerate(lines) if line and line[0] not in " #"]
    assert starts
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        assert PIN.match(lines[start]), f"{file}: {lines[start]} is not pinned"
        hashes = [line for line in lines[start:end] if re.search(r"--hash=sha256:[0-9a-f]{64}\b", line)]
        assert hashes, f"{file}: {lines[start]} has no hash"


@pytest.mark.parametrize(("name", "file"), REQUIREMENTS)
def test_the_pinned_file_is_that_of_its_in_file(name: str, file: str) -> None:
    path = DOCKER_DIR / name / file
    asked, pinned = pins(path.with_suffix(".in")), pins(path)
    wanted = [line for line in path.with_suffix(".in").read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(asked) == len(wanted), f"{name}/{path.stem}.in asks for a package without a version"
    assert {package: pinned.get(package) for package in asked} == asked


@each_entry
def test_the_version_is_read_from_the_pinned_file(entry: FrameworkEntry) -> None:
    if entry.only_version is not None:
        assert entry.version == entry.only_version
        return
    if entry.pinned_in is None:
        assert entry.version == pins(DOCKER_DIR / entry.folder / entry.requirements["cpu"])[entry.package]
        return
    text = (DOCKER_DIR / entry.folder / entry.pinned_in).read_text(encoding="utf-8")
    pin = f" {entry.package}={entry.version}+" if entry.pinned_in == "Dockerfile" else f">{entry.version}<"
    assert text.count(pin) == 1


def test_another_pin_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch").mkdir()
    file = tmp_path / "torch" / "requirements.txt"
    monkeypatch.setattr(catalogue, "DOCKER_DIR", tmp_path)
    file.write_text("torchvision==9.9 \\\ntorch==1.2.3 \\\n    --hash=sha256:00\n")
    assert FRAMEWORKS["torch"].version == "1.2.3"
    file.write_text("torchvision==9.9\n")
    with pytest.raises(LookupError, match=r"docker/torch/requirements\.txt does not pin torch"):
        _ = FRAMEWORKS["torch"].version


def test_another_pin_of_a_debian_package_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch").mkdir()
    file = tmp_path / "torch" / "Dockerfile"
    monkeypatch.setattr(catalogue, "DOCKER_DIR", tmp_path)
    entry = replace(FRAMEWORKS["torch"], pinned_in="Dockerfile")
    file.write_text("RUN apt-get install \\\n    python3-torch=9.9-1 \\\n    torch=1.2.3+git20180821-8+b2 \\\n")
    assert entry.version == "1.2.3"
    file.write_text("RUN apt-get install \\\n    python3-torch=9.9-1 \\\n    torch\n")
    with pytest.raises(LookupError, match=r"docker/torch/Dockerfile does not pin torch"):
        _ = entry.version


# ---------------------------------------------------------------------------- the hash of a recipe


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the files that recipes are made of, and let recipes be read from the copy."""
    for name in ("docker", "workers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipe, "ROOT", tmp_path)
    return tmp_path


def hashes() -> dict[tuple[str, str], str]:
    return {(entry.label, device): recipe_hash(entry, device) for entry in ENTRIES for device in entry.devices}


def versions_of(name: str) -> set[str]:
    return {entry.label for entry in ENTRIES if entry.name == name}


def changed_by(path: Path, before: dict[tuple[str, str], str]) -> set[str]:
    """Edit a file, keeping its length, and return the frameworks whose recipe's hash is another now."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b" " if content else b"# no longer empty\n")
    after = hashes()
    return {name for name, device in before if before[name, device] != after[name, device]}


def test_a_recipes_hash_does_not_depend_on_where_the_project_lies(copy: Path) -> None:
    there = hashes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "ROOT", ROOT)
        assert hashes() == there


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_editing_a_worker_changes_its_own_recipe_alone(copy: Path, name: str) -> None:
    assert changed_by(copy / "workers" / f"{name}_worker.py", hashes()) == versions_of(name)


@pytest.mark.parametrize("module", SHARED_MODULES)
def test_editing_a_shared_module_changes_every_recipe(copy: Path, module: str) -> None:
    assert changed_by(copy / "workers" / module, hashes()) == {entry.label for entry in ENTRIES}


@each_entry
@pytest.mark.parametrize("file", ["Dockerfile", "requirements.txt"])
def test_editing_a_docker_folder_changes_its_own_recipe_alone(copy: Path, entry: FrameworkEntry, file: str) -> None:
    assert changed_by(copy / "docker" / entry.folder / file, hashes()) == {entry.label}


def test_the_reference_belongs_to_numpy(copy: Path) -> None:
    assert changed_by(copy / "workers" / "numpy_reference.py", hashes()) == {"numpy"}


def test_a_new_file_in_a_docker_folder_is_part_of_its_recipe(copy: Path) -> None:
    before = hashes()
    (copy / "docker" / "theano" / "patch.txt").write_text("new")
    assert {name for name, device in before if before[name, device] != hashes()[name, device]} == {"theano"}


def test_a_device_with_packages_of_its_own_has_a_recipe_of_its_own() -> None:
    found = hashes()
    assert found["tf", "cpu"] != found["tf", "gpu"]
    assert found["torch", "cpu"] == found["torch", "gpu"]  # one file serves both


def test_a_recipe_holds_no_other_frameworks_files() -> None:
    names = [path.as_posix() for path in recipe_files(FRAMEWORKS["torch"])]
    assert names == sorted(names)
    assert "workers/torch_worker.py" in names
    assert "docker/torch/Dockerfile" in names
    others = "|".join(name for name in FRAMEWORKS if name != "torch")
    assert [name for name in names if re.search(rf"docker/({others})/|workers/({others})_", name)] == []


# ---------------------------------------------------------------------------- what an image bakes


@each_entry
def test_an_image_of_the_whole_project_keeps_the_recipe_alone_and_finds_its_hash(
    copy: Path, entry: FrameworkEntry
) -> None:
    """What ``docker compose build`` copies holds every worker; what the engine sends holds the recipe alone."""
    file = entry.requirements["cpu"]
    expected = recipe_hash(entry, "cpu")
    shared = copy / "workers" / "spec.py"
    shared.chmod(0o600)
    for _ in range(2):  # the second time as the engine builds: there are no other workers
        assert bake(entry.folder, file, copy) == expected
        assert (copy / "recipe_hash").read_text().strip() == expected
        assert {path.name for path in modules(copy)} == worker_modules(entry)
    assert shared.stat().st_mode & 0o777 == 0o644


def run_recipe(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.recipe", *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True)


def test_a_build_with_other_files_than_it_was_made_for_fails(copy: Path) -> None:
    expected = recipe_hash(FRAMEWORKS["numpy"], "cpu")
    assert run_recipe(copy, "numpy", "requirements.txt", expected).returncode == 0
    path = copy / "workers" / "spec.py"
    path.write_text(path.read_text() + "# another\n")
    run = run_recipe(copy, "numpy", "requirements.txt", expected)
    assert run.returncode == 1
    assert f"not to {expected}" in run.stderr


def test_the_project_itself_is_never_pruned(copy: Path) -> None:
    (copy / "orchestrator").mkdir()
    run = run_recipe(copy, "numpy", "requirements.txt")
    assert (run.returncode, (copy / "workers" / "tf_worker.py").exists()) == (2, True)
    assert "is the project, not an image" in run.stderr


def test_a_module_belongs_to_the_framework_with_the_longest_name(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    for name in ("torch", "torch_xla", "torch7"):
        (tmp_path / "workers" / f"{name}_worker.py").touch()
    owners = {
        "torch_worker.py": "torch",
        "torch_xla_worker.py": "torch_xla",
        "torch7_lua.py": "torch7",
        "torchlike.py": "",
        "worker.py": "",
    }
    assert {module: framework_of(module, tmp_path) for module in owners} == owners
