"""From names and flags to the list of jobs. Pure: it starts nothing and touches no file but the suite's."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator import datasets
from orchestrator.catalogue import find
from orchestrator.errors import UsageError
from orchestrator.explain import nearest
from orchestrator.request import VARIANTS, Request, Variant, framework_labels, mistakes_in
from orchestrator.scale import altered, rows_of
from orchestrator.shapes import parameter_count
from orchestrator.suite import Suite, load_suite
from orchestrator.weights import DEFAULT_INITIALISERS, Drawing
from orchestrator.workload import AsPublished, Workload, dataset_of, resolved_layers, study_on, workload_input
from workers.spec import (
    MEASURED,
    Dataset,
    Framework,
    Job,
    Limits,
    SequentialModel,
    canonical_json,
)

NOT_READ = "not read yet"  # a dataset's files, on this machine: its checksum is not known before
NOT_IDENTITY = {"id", "limits", "reference_sha256", "parity", "read_at_epochs", "differs"}


@dataclass
class Plan:
    """The jobs of a run. ``train`` is in the order in which they run; ``weights``: hash -> how they are drawn.

    ``asked``: the frameworks as they were asked for, by the user or the suite. ``left_out``: in words, what was asked
    for and is in no job. ``unavailable``: {framework: why it is in no job}.
    """

    suite: Suite
    asked: str
    frameworks: list[str]
    workloads: list[Workload]
    device: str
    threads: list[int]
    repeats: int
    scale: float = 1.0
    parity: list[Job] = field(default_factory=list)
    train: list[Job] = field(default_factory=list)
    weights: dict[str, Drawing] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)


def make_plan(request: Request, cpus: Sequence[int], unavailable: Mapping[str, str] | None = None) -> Plan:
    """Return the plan for a request on a machine with these CPUs. Raises UsageError with every mistake.

    ``unavailable``: {framework: reason} of those that are left out.
    """
    mistakes: list[str] = []
    absent = dict(unavailable or {})
    in_suite: list[str] = []
    suite, workloads = _suite(request, in_suite)
    asked = request.frameworks or ",".join(suite.frameworks if suite else []) or "all"
    frameworks = [label for label in framework_labels(asked, mistakes) if label not in absent]
    mistakes += in_suite + mistakes_in(request)
    mistakes += _unused(suite, request)
    workloads = [_with_data(workload, request, mistakes) for workload in workloads]
    variants = VARIANTS.get(request.variant, ())
    if suite is not None and frameworks and "paper" in variants:
        mistakes += _no_paper(suite, frameworks)
    if mistakes or suite is None:
        raise UsageError(mistakes)

    first_seed = suite.seed if request.seed is None else request.seed
    repeats = request.repeats or suite.repeats
    if first_seed + repeats > 2**31:
        raise UsageError([f"The seed {first_seed} leaves no room for {repeats} repeats below 2^31."])

    device = "gpu" if request.gpu else "cpu"
    threads_asked = request.threads or suite.threads or [len(cpus)]
    plan = Plan(suite, asked, frameworks, workloads, device, threads_asked, repeats, request.scale, unavailable=absent)
    if "paper" in variants:
        plan.left_out = [f"{name}: {suite.suite} did not have it, so it has no row of variant paper"
                         for name in frameworks if name not in suite.paper]  # fmt: skip
    for repeat in range(repeats):
        for threads in plan.threads:
            limits = Limits(
                timeout_seconds=float(request.timeout_seconds or suite.timeout_seconds),
                memory_bytes=request.memory_bytes,
                cpu_set=list(cpus)[:threads],
            )
            for workload in workloads:
                for variant in variants:
                    _add(plan, request, workload, variant, limits, threads, first_seed, repeat)
    return plan


def _add(
    plan: Plan,
    request: Request,
    workload: Workload,
    variant: Variant,
    limits: Limits,
    threads: int,
    first_seed: int,
    repeat: int,
) -> None:
    """Add one workload's jobs of one repeat, the frameworks in that repeat's order; with the first repeat the gates."""
    labels = [name for name in plan.frameworks if variant == "matched" or name in plan.suite.paper]
    templates: dict[str, Job] = {}
    for label in labels:
        study = study_on(plan.suite.paper[label], workload.name) if variant == "paper" else None
        if study is None and templates:
            templates[label] = next(iter(templates.values()))  # matched: the same job for all
            continue
        seed = first_seed if study is not None and study.trains_on else first_seed + repeat
        templates[label] = _template(plan, altered(workload, request, study), study, limits, threads, seed, repeat)
    plan.train += [identified(templates[label], label, templates[label].kind) for label in _rotated(labels, repeat)]
    if repeat == 0:
        plan.parity += [identified(templates[label], label, "parity") for label in labels]


def _no_paper(suite: Suite, frameworks: Sequence[str]) -> list[str]:
    if not suite.paper:
        return [f"Suite {suite.suite!r} repeats no study that had its frameworks differ: it has no variant paper."]
    if not set(frameworks) & set(suite.paper):
        return [f"Variant paper of {suite.suite!r} has none of these frameworks. It has: {', '.join(suite.paper)}."]
    return []


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


def _unused(suite: Suite | None, request: Request) -> list[str]:
    """Return what is wrong with replacements of datasets that the suite does not have."""
    there = {workload.dataset for workload in suite.workloads} if suite else set(request.datasets)
    return [
        f"--dataset {old}={new}: no workload of {suite.suite} is on {old}. {nearest(old, there)}"
        for old, new in request.datasets.items()
        if suite is not None and old not in there
    ]


def _with_data(workload: Workload, request: Request, mistakes: list[str]) -> Workload:
    """Return the workload on the data that are asked for in place of its own."""
    name = request.datasets.get(workload.dataset, workload.dataset)
    old, new = datasets.find(workload.dataset), datasets.find(name)
    if new is None or old is None:
        mistakes.append(f"Unknown dataset {name!r} in place of {workload.dataset}. {nearest(name, datasets.names())}")
        return workload
    reason = None if old is new else datasets.why_no_stand_in(old, new)
    if reason is not None:
        mistakes.append(f"Dataset {name!r} cannot stand in for {workload.dataset}: {reason}.")
    return workload.model_copy(update={"dataset": name})


def _rotated(labels: Sequence[str], repeat: int) -> Iterator[str]:
    """Yield A B C, then C A B, then B C A: no framework always runs first."""
    shift = -repeat % max(len(labels), 1)
    yield from (*labels[shift:], *labels[:shift])


def _template(
    plan: Plan, workload: Workload, study: AsPublished | None, limits: Limits, threads: int, seed: int, repeat: int
) -> Job:
    """Return a workload's job without a framework; its weights go into the plan."""
    layers = resolved_layers(workload)
    initialisers = {**DEFAULT_INITIALISERS, **workload.initialisers}
    drawing = Drawing(layers, initialisers, seed)
    digest = drawing.sha256()
    plan.weights[digest] = drawing
    dataset = dataset_of(workload)
    train_rows, validation_rows, test_rows = rows_of(workload)
    return Job(
        id="-",
        kind="train" if workload.target is None else "target",
        framework=Framework(name="-", version="-"),
        suite=plan.suite.suite,
        variant="matched" if study is None else "paper",
        workload=workload.name,
        dataset=Dataset(
            name=dataset.name,
            checksum=dataset.checksum or NOT_READ,
            train_rows=train_rows,
            test_rows=test_rows,
            validation_rows=validation_rows,
            synthetic=dataset.synthetic,
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
        carried_epochs=repeat * workload.recipe.epochs if study is not None and study.trains_on else 0,
        target=workload.target,
        dropout_in_prediction=study is not None and study.dropout == "on_in_prediction",
        scale=plan.scale,
        read_at_epochs=workload.read_at_epochs,
        differs=[] if study is None else [*study.differs, *(f"not replayed: {text}" for text in study.not_replayed)],
        limits=limits,
    )


def identified(template: Job, label: str, kind: str) -> Job:
    """Return the template as one framework's job, with the id that hashes what decides its outcome.

    Limits, the verdict that it carries, the reference's file and what is read of its result are no part of that.
    """
    entry = find(label)
    framework = Framework(
        name=entry.name, version=entry.version, mode=entry.mode, version_chosen=entry.chosen_version is not None
    )
    job = template.model_copy(update={"framework": framework, "kind": kind})
    facts = {key: value for key, value in job.model_dump(mode="json").items() if key not in NOT_IDENTITY}
    digest = hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:12]
    name = label.replace(":", "-").replace("@", "-") + ("-paper" if job.variant == "paper" else "")
    last = f"r{job.repeat}" if kind in MEASURED else kind
    return job.model_copy(update={"id": f"{job.workload}-{name}-{job.device}-t{job.threads}-{last}-{digest}"})


def reference_job(parity_job: Job) -> Job:
    """Return the NumPy job that makes the float64 reference of a parity job's workload."""
    job = parity_job.model_copy(
        update={"precision": "float64", "device": "cpu", "threads": 1, "reference_sha256": None}
    )
    return identified(job, "numpy", "parity")
