"""What differs between two rows that are to be compared: what they compute, where they ran, and what ran them. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.cells import Row
from orchestrator.documents import RunInfo
from orchestrator.plan import NOT_IDENTITY
from workers.spec import Environment, Job

NOT_COMPUTED = NOT_IDENTITY | {"framework", "suite"}  # the label is the same, and another version may be compared
MOST_NAMED = 4  # another model differs in every shape
GIB = 1024**3

HOST: Mapping[str, Callable[[Environment], object]] = {
    "processor": lambda environment: environment.cpu_model,
    "CPUs of a job": lambda environment: environment.cpu_count,
    "GPU": lambda environment: environment.gpu_model,
}
SOFTWARE: Mapping[str, Callable[[Environment], object]] = {
    "recipe": lambda environment: environment.recipe_hash,
    "image": lambda environment: environment.image_id,
    "Python": lambda environment: environment.python,
    "GPU driver": lambda environment: environment.gpu_driver,
    "compile cache": lambda environment: environment.compile_cache,
}
NAMES = {"dataset checksum": "data", "model weights sha256": "initial weights"}


def of_computation(a: Row, b: Row) -> list[str]:
    """Return what the jobs of two rows compute otherwise: data, model, initial weights, seed, recipe, precision.

    Round r is held to round r; what each row has in its further rounds has no counterpart.
    """
    jobs, others = _by_repeat(a), _by_repeat(b)
    found: dict[str, str] = {}
    for repeat in sorted(set(jobs) & set(others)):
        if jobs[repeat] == others[repeat]:
            continue
        old, new = dict(_leaves(_computed(jobs[repeat]))), dict(_leaves(_computed(others[repeat])))
        for name in [*old, *(name for name in new if name not in old)]:
            if old.get(name) != new.get(name):
                found.setdefault(name, _words(NAMES.get(name, name), old.get(name), new.get(name)))
    texts = list(found.values())
    more = len(texts) - MOST_NAMED
    return texts if more <= 0 else [*texts[:MOST_NAMED], f"{more} more things that are computed"]


def of_engine(a: Row, b: Row) -> list[str]:
    return _differing(a, b, {"engine": lambda environment: environment.engine})


def of_host(a: Row, b: Row, info_a: RunInfo, info_b: RunInfo) -> list[str]:
    """Return in what the machines of two rows differ, as far as times depend on it."""
    texts = _differing(a, b, HOST)
    old, new = info_a.host.get("cpus"), info_b.host.get("cpus")
    return texts if old == new else [*texts, _words("CPUs of the machine", old, new)]


def of_software(a: Row, b: Row, info_a: RunInfo, info_b: RunInfo) -> list[str]:
    """Return what ran two rows otherwise, which is often why they are compared: versions, images, recipes, limits."""
    job, other = a.rounds[0][0], b.rounds[0][0]
    texts = _versions(a, b) + _differing(a, b, SOFTWARE)
    for name, old, new in (
        ("memory limit", _gib(job.limits.memory_bytes), _gib(other.limits.memory_bytes)),
        ("CPUs", _numbers(job.limits.cpu_set), _numbers(other.limits.cpu_set)),
        ("rounds", len(a.rounds), len(b.rounds)),
        ("system", info_a.host.get("system"), info_b.host.get("system")),
        ("memory of the machine", _gib(info_a.host.get("memory_bytes")), _gib(info_b.host.get("memory_bytes"))),
    ):
        if old != new:
            texts.append(_words(name, old, new))
    return texts


def several_hosts(row: Row) -> list[str]:
    """Return what of the host is not one in the rounds of a row."""
    return [f"{name} {_joined(row, read)}" for name, read in HOST.items() if len(_values(row, read)) > 1]


def _by_repeat(row: Row) -> dict[int, Job]:
    return {job.repeat: job for job, _ in row.rounds}


def _computed(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", exclude=NOT_COMPUTED)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parts of a document that hold no further ones, named by the way to them."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{name} {key}".strip().replace("_", " "))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _leaves(part, f"{name} {place}")
    else:
        yield name, value


def _versions(a: Row, b: Row) -> list[str]:
    """Return the framework's version, and those of the packages that do not say the same."""
    pinned = a.rounds[0][0].framework.version, b.rounds[0][0].framework.version
    texts = [_words("version", *pinned)] if pinned[0] != pinned[1] else []
    old, new = _packages(a), _packages(b)
    for name in sorted({*old, *new}):
        pair = old.get(name), new.get(name)
        if pair[0] != pair[1] and pair != pinned:
            texts.append(_words(name, *pair))
    return texts


def _packages(row: Row) -> dict[str, str]:
    return {name: version for _, result in row.ok for name, version in result.environment.versions.items()}


def _differing(a: Row, b: Row, facts: Mapping[str, Callable[[Environment], object]]) -> list[str]:
    if not a.ok or not b.ok:  # nothing ran there, so that nothing is known
        return []
    return [
        f"{name} {_joined(a, read)} -> {_joined(b, read)}"
        for name, read in facts.items()
        if _values(a, read) != _values(b, read)
    ]


def _values(row: Row, read: Callable[[Environment], object]) -> set[object]:
    return {read(result.environment) for _, result in row.ok}


def _joined(row: Row, read: Callable[[Environment], object]) -> str:
    return " and ".join(sorted(_short(value) for value in _values(row, read)))


def _words(name: str, old: object, new: object) -> str:
    return f"{name} {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    """Return a value in words; of a hash as much as tells it from others."""
    text = "none" if value is None else str(value).removeprefix("sha256:")
    return text[:12] if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def _gib(size: object) -> str | None:
    return f"{size / GIB:.1f} GiB" if isinstance(size, int) else None


def _numbers(cpus: list[int]) -> str | None:
    return ",".join(map(str, cpus)) or None
