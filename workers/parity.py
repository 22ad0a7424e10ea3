"""The parity gate: does a worker compute what the float64 reference (``numpy_reference.py``) computes?

Three passes on 16 seeded rows a step, dropout at zero: ``gradient`` (plain SGD, rate 1, one step), ``recipe`` (the
job's own, three steps) and ``stressed`` (epsilon 1e-3, weight decay 0.1, clipping active, the rate halved for the
third step), since a recipe's own weight decay of 1e-6 would hide a missing one. Outputs, losses and updates
``p_t - p_0`` are compared: parameters themselves would hide a wrong optimiser behind unchanged weights.
"""

import json
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from . import dropout_probe
from .schedules import learning_rates
from .spec import SGD, Constant, Job, TensorError, Verdict
from .worker import Arrays, Worker, notes_for, staged, stateful, trainable

ROWS = 16
STEPS = {"gradient": 1, "recipe": 3, "stressed": 3}
ILL_CONDITIONED = 0.05  # a tensor whose bound is larger says nothing


class PassRun(NamedTuple):
    """What a worker did in one pass; ``updates`` are p_t - p_0 in float64."""

    start: Arrays
    outputs: np.ndarray
    losses: List[float]
    updates: Arrays


def pass_job(job: Job, name: str, stress: Dict[str, Any]) -> Job:
    """Return the job as one pass runs it: 16 rows a step, no dropout, the pass's recipe.

    ``stress``: {field: (factor, addend)}, worked out on the reference's recipe. Scaling a recipe's own values,
    not replacing them, keeps an altered value visible.
    """
    recipe = job.recipe.model_copy(update={"batch_size": ROWS})
    if stateful(job):  # two batches, the second of which goes on from the first
        recipe = recipe.model_copy(update={"evaluation_batch_size": ROWS // 2})
    if name == "gradient":
        plain = SGD(kind="sgd", learning_rate=1.0)
        changes: Dict[str, Any] = {"optimiser": plain, "schedule": Constant(kind="constant"), "clip_norm": None}
        recipe = recipe.model_copy(update=changes)
    if name == "stressed":
        recipe = recipe.model_copy(update=_stressed(recipe, stress))
    return without_dropout(job.model_copy(update={"recipe": recipe}))


def _stressed(recipe: Any, stress: Dict[str, Any]) -> Dict[str, Any]:
    fields = {
        field: getattr(recipe.optimiser, field) * factor + addend
        for field, (factor, addend) in stress.items()
        if hasattr(recipe.optimiser, field)
    }
    factor, addend = stress["clip_norm"]
    own = recipe.clip_norm  # None stays None where the reference's recipe has one: the gate must see that
    clip_norm = (addend or None) if own is None else own * factor + addend
    return {"optimiser": recipe.optimiser.model_copy(update=fields), "clip_norm": clip_norm}


def without_dropout(job: Job) -> Job:
    """Return the job with every dropout rate at zero."""
    layers = [
        item.model_copy(update={"layer": item.layer.model_copy(update={"rate": 0.0})})
        if item.layer.kind == "dropout"
        else item
        for item in job.model.layers
    ]
    return job.model_copy(update={"model": job.model.model_copy(update={"layers": layers})})


def pass_rates(job: Job, name: str) -> np.ndarray:
    """Return the learning rates of a pass's steps; the stressed one halves the third."""
    rates = learning_rates(job.recipe, 0, STEPS[name], 1)
    return rates * [1.0, 1.0, 0.5] if name == "stressed" else rates


def run_pass(worker: Worker, job: Job, name: str, record: Arrays) -> PassRun:
    """Build the worker for a pass (``job`` is the pass's), predict the first batch, then train the pass's steps."""
    weights = record_weights(record)
    worker.build(job, weights)
    handles = [staged(worker, job, record["x/%d" % step], record["y/%d" % step]) for step in range(STEPS[name])]
    start = worker.parameters()
    outputs = worker.predict(handles[0])
    worker.reset_states()
    losses = [worker.train_epoch(handle, np.array([rate])) for handle, rate in zip(handles, pass_rates(job, name))]
    worker.synchronize()
    updates = {key: value.astype(np.float64) - weights[key] for key, value in worker.parameters().items()}
    return PassRun(start, outputs, losses, updates)


def record_weights(record: Arrays) -> Arrays:
    """Return the initial parameters of a reference's record."""
    return {key[len("weights/") :]: value for key, value in record.items() if key.startswith("weights/")}


def relative(value: np.ndarray, reference: np.ndarray) -> float:
    """Return the L2 distance relative to the reference's length."""
    return float(np.linalg.norm(value - reference) / max(float(np.linalg.norm(reference)), 1e-30))


def update_errors(updates: Arrays, reference: Arrays) -> Dict[str, float]:
    """Return each update's relative L2 distance, its denominator floored at 1% of the largest RMS update.

    Running statistics are no gradient's work and have another size: their floor is their own.
    """
    found = {}
    for moved in (True, False):
        group = {key: r for key, r in reference.items() if trainable(key) == moved}
        floor = 0.01 * max((float((r * r).mean()) for r in group.values()), default=0.0) ** 0.5
        for key, r in group.items():
            length = max(float(np.linalg.norm(r)), floor * r.size**0.5, 1e-30)
            found[key] = float(np.linalg.norm(updates[key] - r)) / length
    return {key: found[key] for key in reference}


class Difference(Exception):
    """The first tensor that differs, and by how much."""

    def __init__(
        self,
        pass_name: str,
        tensor: str,
        what: str,
        error: Optional[float] = None,
        bound: Optional[float] = None,
    ) -> None:
        super().__init__("pass {}: {} {}".format(pass_name, tensor, what))
        self.where = TensorError(pass_name=pass_name, tensor=tensor, error=error, bound=bound)


def check(worker: Worker, job: Job, record: Arrays) -> Verdict:
    """Hold an opened worker to the reference's record and return the verdict."""
    meta = json.loads(str(record["meta"]))
    verdict = Verdict(passed=False, declared_differences=notes_for(job, worker.declared_differences))
    try:
        _check_shapes(job, record, meta)
        for name in STEPS:
            run = run_pass(worker, pass_job(job, name, meta["stress"]), name, record)
            _check_start(run, record, meta, name)
            verdict.worst.append(_check_steps(run, record, meta["passes"][name], name))
        if any(item.layer.kind == "dropout" for item in job.model.layers):
            _check_dropout(worker, job, record, meta)
    except Difference as difference:
        return verdict.model_copy(update={"reason": str(difference), "first_difference": difference.where})
    loose = {
        name: [key for key, bound in entry["bounds"].items() if bound > ILL_CONDITIONED]
        for name, entry in meta["passes"].items()
    }
    everywhere = [key for key in loose["gradient"] if all(key in keys for keys in loose.values())]
    return verdict.model_copy(
        update={
            "passed": True,
            "ill_conditioned": everywhere,
            "ill_conditioned_in": {k: v for k, v in loose.items() if v},
        }
    )


def _check_shapes(job: Job, record: Arrays, meta: Dict[str, Any]) -> None:
    """The job's own parameters must be the reference's before anything is computed with them."""
    own = {item.name + "/" + role: tuple(s) for item in job.model.layers for role, s in item.parameters.items()}
    for name, value in record_weights(record).items():
        if own.get(name) != value.shape:
            what = "is {} in the job, but {} in the reference".format(own.get(name, "missing"), value.shape)
            raise Difference("initial", name, what)
    for name in own:
        if "weights/" + name not in record:
            raise Difference("initial", name, "is not a tensor of the reference")
    takes = "i" if job.recipe.loss.kind == "categorical_cross_entropy" else "f"
    if meta["targets"] != takes:
        raise Difference("initial", "targets", "of the reference are of another kind than the job's loss takes")


def _check_start(run: PassRun, record: Arrays, meta: Dict[str, Any], name: str, drops: bool = False) -> None:
    """Before any step: the parameters are the reference's to the last bit, the outputs within their bound; where
    prediction ``drops``, beyond it."""
    weights = record_weights(record)
    for key in sorted(set(weights) ^ set(run.start)):
        raise Difference(name, key, "is missing in " + ("the worker" if key in weights else "the reference"))
    for key, value in weights.items():
        if not np.array_equal(run.start[key], value):
            raise Difference(name, key, "is not the job's initial weight when training starts")
    if run.outputs.shape != record["outputs"].shape:
        raise Difference(name, "outputs", "have shape {}, not {}".format(run.outputs.shape, record["outputs"].shape))
    error, bound = relative(run.outputs, record["outputs"]), meta["outputs_bound"]
    if not drops:
        _compare(name, "outputs", error, bound)
    elif error <= bound:
        raise Difference(name, "outputs", "are those without dropout, which the reference's prediction has", error)


def _check_steps(run: PassRun, record: Arrays, entry: Dict[str, Any], name: str) -> TensorError:
    """Raise Difference at the first loss or update that is off; else return the one nearest its bound."""
    for step, (loss, expected, bound) in enumerate(zip(run.losses, entry["losses"], entry["loss_bounds"]), start=1):
        _compare(name, "loss of step %d" % step, abs(loss - expected) / max(abs(expected), 1e-30), bound)
    errors = _errors(run, record, name)
    for key, error in errors.items():
        _compare(name, key, error, entry["bounds"][key])
    key = max(errors, key=lambda tensor: errors[tensor] / entry["bounds"][tensor])
    return TensorError(pass_name=name, tensor=key, error=errors[key], bound=entry["bounds"][key])


def _errors(run: PassRun, record: Arrays, name: str) -> Dict[str, float]:
    return update_errors(run.updates, {key: record["update/" + name + "/" + key] for key in run.updates})


def _compare(name: str, tensor: str, error: float, bound: float) -> None:
    if not np.isfinite(error):
        raise Difference(name, tensor, "is not a finite number")
    if error > bound:
        what = "is off by {:.2e} relative to the float64 reference, allowed {:.2e}".format(error, bound)
        raise Difference(name, tensor, what, error, bound)


def _check_dropout(worker: Worker, job: Job, record: Arrays, meta: Dict[str, Any]) -> None:
    layers = {item.name: item for item in job.model.layers}
    in_prediction = meta["dropout_in_prediction"]  # a published defect
    for name, rate in meta["dropout"].items():
        complaint = dropout_probe.probe(worker, job, layers[name], rate)
        if complaint is None and in_prediction:
            complaint = dropout_probe.probe_prediction(worker, job, layers[name], rate)
        if complaint:
            raise Difference("dropout", name + "/mask", complaint)
    # Now in its place in the model: training must see it; prediction must not, where that is not the defect.
    recipe = pass_job(job, "gradient", meta["stress"]).recipe
    run = run_pass(worker, job.model_copy(update={"recipe": recipe}), "gradient", record)
    _check_start(run, record, meta, "dropout", in_prediction and any(meta["dropout"].values()))
    bounds = meta["passes"]["gradient"]["bounds"]
    same = all(error <= bounds[key] for key, error in _errors(run, record, "gradient").items())
    if same and any(meta["dropout"].values()):
        raise Difference("dropout", next(iter(meta["dropout"])) + "/mask", "changes nothing in training")
