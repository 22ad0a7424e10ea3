"""From names and flags to the list of jobs. Pure: it starts nothing and touches no file but the suite's."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.catalogue import FRAMEWORKS, find, spellings
from orchestrator.datasets import DATASETS
from orchestrator.errors import UsageError
from orchestrator.shapes import parameter_count
from orchestrator.suite import Suite, Workload, load_suite, nearest, resolved_layers, workload_input
from orchestrator.weights import DEFAULT_INITIALISERS, Arrays, draw
from workers.spec import (
    Dataset,
    Framework,
    Job,
    Limits,
    SequentialModel,
    arrays_sha256,
    canonical_json,
)

LARGEST_THREADS = 1024
LONGEST_TIMEOUT = 1e9  # seconds; beyond 9e9 the worker's own deadline overflows
NOT_IDENTITY = {"id", "limits", "reference_sha256", "parity", "read_at_epochs", "differs"}


@dataclass(frozen=True)
class Request:
    """What the user asked for, as given; None: the suite's or the machine's own."""

    frameworks: str
    suite: str = "quick"
    workloads: str | None = None
    gpu: bool = False
    threads: int | None = None
    rounds: int | None = None
    seed: int | None = None
    timeout_seconds: float = 1800.0
    memory_bytes: int = 8 * 1024**3


@dataclass
class Plan:
    """The jobs of a run. ``train`` is in the order in which they run; ``weights``: hash -> arrays."""

    suite: Suite
    frameworks: list[str]
    workloads: list[Workload]
    device: str
    rounds: int
    parity: list[Job] = field(default_factory=list)
    train: list[Job] = field(default_factory=list)
    weights: dict[str, Arrays] = field(default_factory=dict)


def make_plan(request: Request, cpus: Sequence[int]) -> Plan:
    """Return the plan for a request on a machine with these CPUs. Raises UsageError with every mistake."""
    mistakes: list[str] = []
    device = "gpu" if request.gpu else "cpu"
    frameworks = framework_names(request.frameworks, mistakes)
    suite, workloads = _suite(request, mistakes)
    if request.threads is not None and not 1 <= request.threads <= LARGEST_THREADS:
        mistakes.append(f"--threads is {request.threads}; it must be from 1 to {LARGEST_THREADS}.")
    if request.rounds is not None and request.rounds < 1:
        mistakes.append(f"--rounds is {request.rounds}; it must be at least 1.")
    if request.seed is not None and not 0 <= request.seed < 2**31:
        mistakes.append(f"--seed is {request.seed}; it must be from 0 to 2147483647.")
    if not 0 < request.timeout_seconds <= LONGEST_TIMEOUT:  # false for NaN too
        text = f"it must be more than 0 and at most {LONGEST_TIMEOUT:.0f} seconds."
        mistakes.append(f"--timeout is {request.timeout_seconds:g}; {text}")
    if request.memory_bytes < 64 * 1024**2:
        mistakes.append(f"--memory is {request.memory_bytes} bytes; it must be at least 64 MiB.")
    if mistakes or suite is None:
        raise UsageError(mistakes)

    first_seed = suite.seed if request.seed is None else request.seed
    if first_seed + (request.rounds or suite.rounds) > 2**31:
        raise UsageError(
            [f"The seed {first_seed} leaves no room for {request.rounds or suite.rounds} rounds below 2^31."]
        )

    plan = Plan(suite, frameworks, workloads, device, request.rounds or suite.rounds)
    threads = request.threads or len(cpus)
    limits = Limits(
        timeout_seconds=float(request.timeout_seconds),
        memory_bytes=request.memory_bytes,
        cpu_set=list(cpus)[:threads],
    )
    for repeat in range(plan.rounds):
        for workload in workloads:
            seed = first_seed + repeat
            template = _template(plan, workload, threads, limits, seed, repeat)
            for name in _rotated(frameworks, repeat):
                plan.train.append(identified(template, name, "train"))
            if repeat == 0:
                plan.parity += [identified(template, name, "parity") for name in frameworks]
    return plan


def framework_names(text: str, mistakes: list[str]) -> list[str]:
    """Return the frameworks' labels (``name`` or ``name:mode``), each once, in the order given.

    ``all`` is every framework in its own way, ``all-modes`` each of them in every mode; the reference is no contestant.
    """
    contestants = [entry for entry in FRAMEWORKS.values() if entry.name != "numpy"]
    several = {
        "all": [entry.name for entry in contestants],
        "all-modes": [f"{entry.name}{mode}" for entry in contestants for mode in ("", *(f":{m}" for m in entry.modes))],
    }
    known = spellings()
    labels: list[str] = []
    for word in (part.strip().lower() for part in text.split(",")):
        if word in several:
            labels += several[word]
        elif word in known:
            labels.append(known[word])
        else:
            mistakes.append(f"Unknown framework {word!r}. {nearest(word, [*known, *several])}")
    return list(dict.fromkeys(labels))


def _suite(request: Request, mistakes: list[str]) -> tuple[Suite | None, list[Workload]]:
    try:
        suite = load_suite(request.suite)
    except UsageError as error:
        mistakes += error.mistakes
        return None, []
    if request.workloads is None:
        return suite, suite.workloads
    by_name = {workload.name: workload for workload in suite.workloads}
    chosen = list(dict.fromkeys(part.strip() for part in request.workloads.split(",")))
    for name in chosen:
        if name not in by_name:
            mistakes.append(f"Unknown workload {name!r} in suite {suite.suite!r}. {nearest(name, by_name)}")
    return suite, [by_name[name] for name in chosen if name in by_name]


def _rotated(names: Sequence[str], repeat: int) -> Iterator[str]:
    """Yield A B C, then C A B, then B C A: no framework always runs first."""
    shift = -repeat % len(names)
    yield from (*names[shift:], *names[:shift])


def _template(plan: Plan, workload: Workload, threads: int, limits: Limits, seed: int, repeat: int) -> Job:
    """Return a workload's job without a framework; its weights go into the plan."""
    layers = resolved_layers(workload)
    initialisers = {**DEFAULT_INITIALISERS, **workload.initialisers}
    weights = draw(layers, initialisers, seed)
    digest = arrays_sha256(weights)
    plan.weights[digest] = weights
    dataset = DATASETS[workload.dataset]
    return Job(
        id="-",
        kind="train",
        framework=Framework(name="-", version="-"),
        suite=plan.suite.suite,
        workload=workload.name,
        dataset=Dataset(
            name=dataset.name,
            checksum=dataset.checksum,
            train_rows=workload.train_rows or dataset.train_rows,
            test_rows=workload.test_rows or dataset.test_rows,
        ),
        inputs=[workload_input(workload)],
        model=SequentialModel(
            layers=layers,
            parameter_count=parameter_count(layers),
            initialisers=initialisers,
            weights_sha256=digest,
        ),
        recipe=workload.recipe,
        device="gpu" if plan.device == "gpu" else "cpu",
        threads=threads,
        seed=seed,
        repeat=repeat,
        limits=limits,
    )


def identified(template: Job, label: str, kind: str) -> Job:
    """Return the template as one framework's job, with the id that hashes what decides its outcome.

    Limits, the verdict that it carries, the reference's file and what is read of its result are no part of that.
    """
    entry = find(label)
    framework = Framework(name=entry.name, version=entry.version, mode=entry.mode)
    job = template.model_copy(update={"framework": framework, "kind": kind})
    facts = {key: value for key, value in job.model_dump(mode="json").items() if key not in NOT_IDENTITY}
    digest = hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:12]
    name = label.replace(":", "-") + ("-paper" if job.variant == "paper" else "")
    last = f"r{job.repeat}" if kind == "train" else kind
    return job.model_copy(update={"id": f"{job.workload}-{name}-{job.device}-t{job.threads}-{last}-{digest}"})


def reference_job(parity_job: Job) -> Job:
    """Return the NumPy job that makes the float64 reference of a parity job's workload."""
    job = parity_job.model_copy(
        update={"precision": "float64", "device": "cpu", "threads": 1, "reference_sha256": None}
    )
    return identified(job, "numpy", "parity")
