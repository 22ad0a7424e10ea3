"""What a framework must provide to be measured: class Worker.

The harness calls the methods in the order in which they stand here and holds the only clock. A worker
translates a job into its framework and nothing else: no timing, batching order, scoring or file is its own.
"""

from typing import Any, Callable, ClassVar, Dict, List, Optional, Set

import numpy as np

from .compat import Literal
from .spec import RUNNING, Job

Arrays = Dict[str, np.ndarray]


class Unsupported(Exception):
    """The framework cannot run this job; the text is the reason that the user reads."""


class Worker:
    """One framework. A module ``NAME_worker`` ends with ``WORKER = ItsClass``."""

    layers: ClassVar[Dict[str, Callable[..., Any]]] = {}
    """Layer kind -> the function that builds it. A kind that is missing stands in ``unsupported``."""

    unsupported: ClassVar[Dict[str, str]] = {}
    """What the framework cannot do -> why: ``kind`` of a layer, optimiser or loss, or ``kind.field=value``."""

    layout: ClassVar[str] = "channels_last"
    """``channels_last`` or ``channels_first``: how ``stage`` gets (height, width, channel) inputs."""

    staging: ClassVar[Literal["resident", "streamed"]] = "resident"
    """``resident``: ``stage`` puts all rows where training reads them; ``streamed``: batches move in the epoch."""

    composed: Dict[str, str] = {}
    """Forms that this worker composes from its framework's operations: kind (or ``clip_norm``) -> in words.
    ``build`` may set it anew, for the job's mode."""

    computes_with_numpy: ClassVar[Optional[str]] = None
    """The framework's own package where that package does its arithmetic by calling NumPy. While a worker trains, the
    contract test lets NumPy's arithmetic be called from that package alone: never from the worker's own modules."""

    declared_differences: ClassVar[Dict[str, str]] = {}
    """Where the framework rightly differs from the reference: kind -> in words, for every report."""

    can_drop_in_prediction: ClassVar[bool] = False
    """Whether the worker can do what ``job.dropout_in_prediction`` asks for; others refuse such a job."""

    carries_states: bool = False
    """The harness sets it while it predicts rows in parts: ``predict`` then begins with the states of stateful layers
    that the last one left, and leaves its own."""

    def versions(self) -> Dict[str, str]:
        """Return the versions of the framework and of the libraries that do its arithmetic."""
        raise NotImplementedError

    def open_device(self, device: str, threads: int) -> None:
        """Choose ``cpu`` or ``gpu`` and pin the threads by API. Called once, before any ``build``.

        Raises Unsupported where the device cannot be had.
        """
        raise NotImplementedError

    def warm_up(self, job: Job, weights: Arrays) -> None:
        """Train a network that is thrown away, where a just-in-time compiler must see training before it is timed.

        A phase of its own; only a worker that overrides this has it.
        """

    def build(self, job: Job, weights: Arrays) -> None:
        """Make ``job.model`` natively with these initial weights, seed its random stream with ``job.seed``
        and compile all that training and prediction need, the last short batch included.

        ``weights``: {"LAYER/TENSOR": array}, in the layouts that the spec states. May be called again, and
        then starts afresh.
        """
        raise NotImplementedError

    def stage(self, inputs: Arrays, targets: np.ndarray) -> Any:
        """Return a handle on these rows for ``train_epoch`` and ``predict``.

        inputs: {name: (rows, ...) float32, or int32 tokens}. targets: (rows,) or (rows, steps) int32 classes for
        categorical cross-entropy, else (rows, outputs) float32.
        """
        raise NotImplementedError

    def train_epoch(self, handle: Any, rates: np.ndarray) -> float:
        """Train on the handle's rows in their order, in batches of ``job.recipe.batch_size``, the last one
        possibly shorter, and return the loss averaged over the rows. rates: (steps,) float64 learning rates.

        Optimiser state, the random stream and the states of stateful layers go on from call to call.
        """
        raise NotImplementedError

    def predict(self, handle: Any) -> np.ndarray:
        """Return the model's outputs (logits) for the handle's rows, (rows, ...), dropout off unless
        ``job.dropout_in_prediction``, in batches of ``job.recipe.evaluation_batch_size``. Stateful layers go on from
        batch to batch. They start at zero and are left at zero, unless ``carries_states``: so each prediction begins
        and ends with ``reset_unless_carried``."""
        raise NotImplementedError

    def reset_states(self) -> None:
        """Set what stateful layers keep between batches, of training and of prediction, to zero; a worker with none
        has nothing to do."""

    def reset_unless_carried(self) -> None:
        """Set the states to zero where no prediction is to go on from another."""
        if not self.carries_states:
            self.reset_states()

    def parameters(self) -> Arrays:
        """Return the current parameters, running ones too, named and laid out as in ``build``."""
        raise NotImplementedError

    def trace_foreign_lines(self, note: Optional[Callable[[str, int], None]]) -> None:
        """From now on call ``note(file, line)`` for each logical line that runs of the worker's code in another
        language than Python; None: no more. Nothing is timed then. A worker in Python alone has nothing to do."""

    def synchronize(self) -> None:
        """Return when all work given to the device is done."""


def stateful(job: Job) -> bool:
    """Return whether a layer of the job's model keeps its state from batch to batch."""
    return any(getattr(item.layer, "stateful", False) for item in job.model.layers)


def trainable(tensor: str) -> bool:
    """Return whether gradients reach a tensor, LAYER/TENSOR."""
    return tensor.split("/")[-1] not in RUNNING


def checked_mode(job: Job, modes: "tuple[Optional[str], ...]") -> Optional[str]:
    """Return the job's mode. Raises Unsupported where it is none of the worker's."""
    name, mode = job.framework.name, job.framework.mode
    if mode not in modes:
        known = " and ".join(known for known in modes if known)
        raise Unsupported("the {} worker has no mode {}; it has {}".format(name, mode, known))
    return mode


def batch_sizes(job: Job) -> "tuple[List[int], List[int]]":
    """Return the numbers of rows that batches have in the job's training, and in its predictions.

    A gate's job brings batches of its own sizes, and is not timed: what they need may be compiled when they come.
    """
    if job.kind == "parity":
        return [], []

    def sizes(rows: int, most: int) -> "set[int]":
        return {min(rows, most), rows % most} - {0}

    train = sizes(job.dataset.train_rows, job.recipe.batch_size)
    predict = sizes(job.dataset.test_rows, job.recipe.evaluation_batch_size) | {1}  # one row: latency
    return sorted(train, reverse=True), sorted(predict, reverse=True)


def notes_for(job: Job, notes: Dict[str, str]) -> List[str]:
    """Return what a worker says (``composed``, ``declared_differences``) of the kinds that a job uses."""
    recipe = job.recipe
    kinds: Set[str] = {item.layer.kind for item in job.model.layers} | {recipe.optimiser.kind, recipe.loss.kind}
    if recipe.clip_norm is not None:
        kinds.add("clip_norm")
    return ["{}: {}".format(kind, text) for kind, text in notes.items() if kind in kinds]


def layer_weights(weights: Arrays, name: str) -> Arrays:
    """Return one layer's tensors, {TENSOR: array}."""
    prefix = name + "/"
    return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}


def decayed(optimiser: Any, tensor: str) -> bool:
    """Return whether weight decay touches a trainable tensor: every one, or kernels (recurrent ones too) only."""
    return optimiser.weight_decay_on == "all" or tensor.endswith("kernel")


def same_padding(size: int, window: int, stride: int) -> "tuple[int, int]":
    """Return the padding (before, after) with which ``same`` gives ceil(size / stride) outputs."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def reorder_gates(packed: np.ndarray, source: str, target: str) -> np.ndarray:
    """Return an LSTM tensor (..., 4 units) with its four blocks moved from one gate order to another."""
    blocks = np.split(packed, 4, axis=-1)
    return np.concatenate([blocks[source.index(gate)] for gate in target], axis=-1)


def staged(worker: Worker, job: Job, x: np.ndarray, targets: np.ndarray) -> Any:
    """Stage rows of the job's input, images in the layout that the worker declares."""
    (source,) = job.inputs
    return worker.stage({source.name: in_layout(worker, x)}, targets)


def in_layout(worker: Worker, x: np.ndarray) -> np.ndarray:
    """Return (rows, height, width, channel) images in the worker's layout; other arrays as they are."""
    if worker.layout == "channels_first" and x.ndim == 4:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return x
