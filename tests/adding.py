"""What a framework that is only half added still lacks, wherever its name turns up first."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from orchestrator.catalogue import FRAMEWORKS, FrameworkEntry
from orchestrator.properties import FILE, REFERENCE
from orchestrator.report.palette import OWN

WITHOUT_PLAIN = ("numpy",)  # the reference: nobody chooses it for its speed


def names(root: Path, entries: Mapping[str, FrameworkEntry] = FRAMEWORKS) -> list[str]:
    """Return every framework that a worker, a docker folder or the catalogue names."""
    workers = {path.stem.removesuffix("_worker") for path in (root / "workers").glob("*_worker.py")}
    folders = {path.name for path in (root / "docker").iterdir() if path.is_dir()}
    return sorted(workers | folders | set(entries))


def lacks(name: str, root: Path, entries: Mapping[str, FrameworkEntry] = FRAMEWORKS) -> list[str]:
    """Return what a framework lacks, in the order of CONTRIBUTING's steps; nothing when it is whole."""
    found = [] if name in entries else [f"orchestrator/catalogue.py: no entry named {name}"]
    for row in entries[name].rows() if name in entries else ():
        found += _files(root, row)
    if name not in entries:
        found += _missing(root, f"docker/{name}/Dockerfile", f"docker/{name}/requirements.txt")
    found += _worker(root, name)
    services = yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))["services"]
    found += [] if name in services else [f"compose.yaml: no service {name}"]
    if name not in WITHOUT_PLAIN:
        found += _missing(root, f"benchmarks/plain/{name}_plain.py")
    if name != REFERENCE and name not in yaml.safe_load(FILE.read_text(encoding="utf-8"))["frameworks"]:
        found.append(f"orchestrator/properties.yaml: no framework {name}")
    if name not in OWN:
        found.append(f"orchestrator/report/palette.py: no colour for {name}")
    return list(dict.fromkeys(found))


def _missing(root: Path, *files: str) -> list[str]:
    return [f"{file}: missing" for file in files if not (root / file).is_file()]


def _files(root: Path, row: FrameworkEntry) -> list[str]:
    pinned = [f"docker/{row.folder}/{file}" for file in row.requirements.values()]
    return _missing(
        root, f"docker/{row.folder}/Dockerfile", *(Path(file).with_suffix(".in").as_posix() for file in pinned), *pinned
    )


def _worker(root: Path, name: str) -> list[str]:
    file = f"workers/{name}_worker.py"
    if not (root / file).is_file():
        return [f"{file}: missing"]
    last = (root / file).read_text(encoding="utf-8").rstrip().splitlines()[-1]
    return [] if last.startswith("WORKER = ") else [f"{file}: does not end with WORKER = ItsClass"]


def sizes(name: str, root: Path) -> tuple[int, int, int]:
    """Return a framework's lines: its worker's modules, its Dockerfile with the packages asked for, its entry."""
    modules = [path for path in (root / "workers").glob(f"{name}_*") if path.suffix in (".py", ".lua", ".java")]
    folder = root / "docker" / name
    asked = [folder / "Dockerfile", *folder.glob("*.in"), *folder.glob("pom.xml")]
    tree = ast.parse((root / "orchestrator" / "catalogue.py").read_text(encoding="utf-8"))
    (entry,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_entry_of(node, name)]
    return _lines(modules), _lines(asked), (entry.end_lineno or 0) - entry.lineno + 1


def size_table(root: Path) -> str:
    """Return the table of CONTRIBUTING.md."""
    rows = ["| framework | worker | Dockerfile and packages asked for | entry |", "|---|--:|--:|--:|"]
    for name in FRAMEWORKS:
        rows.append("| {} | {} | {} | {} |".format(name, *sizes(name, root)))
    return "\n".join(rows)


def _is_entry_of(node: ast.Call, name: str) -> bool:
    return any(
        word.arg == "name" and isinstance(word.value, ast.Constant) and word.value.value == name
        for word in node.keywords
    )


def _lines(files: Iterable[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
