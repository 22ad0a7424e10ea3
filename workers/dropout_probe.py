"""What a framework's dropout really does, read off through the worker's public methods.

Behind the dropout layer stands one linear unit whose kernel starts at zero. On a row of ones, a step of SGD on a
squared error moves each kernel entry by -rate * mask * scale: the update is the mask.
"""

from typing import Any, Optional

import numpy as np

from .spec import SGD, Constant, Dense, Flatten, Input, Job, MeanSquaredError, ResolvedLayer
from .worker import Worker, staged

ELEMENTS = 20000  # at least so many mask elements are looked at ...
MOST_STEPS = 100  # ... in at most so many steps
LEAST_ROWS = 500  # of a prediction, each of which shows one element; else ELEMENTS ...
MOST_NUMBERS = 10**7  # ... of so many numbers at most
SIGMAS = 4.5
SCALE_TOLERANCE = 1e-3


def probe(worker: Worker, job: Job, item: ResolvedLayer, rate: float) -> Optional[str]:
    """Return what is wrong with the dropout layer ``item``, that should drop the share ``rate``, or None."""
    size = int(np.prod(item.input_shape))
    steps = int(np.clip(-(-ELEMENTS // size), 2, MOST_STEPS))
    return _complaint(_masks(worker, _probe_job(job, item, size), size, steps), rate, "training")


def probe_prediction(worker: Worker, job: Job, item: ResolvedLayer, rate: float) -> Optional[str]:
    """Return what is wrong with ``item`` in the predictions of a job that has dropout there, or None.

    Only the first element of a row reaches the output: its kernel entry is 1.
    """
    size = int(np.prod(item.input_shape))
    kernel = np.zeros((size, 1), np.float32)
    kernel[0] = 1
    worker.build(_probe_job(job, item, size), {"dense_1/kernel": kernel})
    rows = int(np.clip(MOST_NUMBERS // size, LEAST_ROWS, ELEMENTS))
    handle = staged(worker, job, np.ones([rows, *item.input_shape], np.float32), np.zeros((rows, 1), np.float32))
    return _complaint(worker.predict(handle).astype(np.float64), rate, "prediction")


def _complaint(masks: np.ndarray, rate: float, when: str) -> Optional[str]:
    """Return what is wrong with (steps, size): what ones became."""
    steps, size = masks.shape
    share = float((masks == 0).mean())
    allowed = SIGMAS * (rate * (1 - rate) / masks.size) ** 0.5
    if abs(share - rate) > allowed:
        text = "drops a share of {:.4f} in {}, not {:.4f} (within {:.4f}, {} elements)"
        return text.format(share, when, rate, allowed, masks.size)
    kept = masks[masks != 0]
    worst = float(np.abs(kept * (1 - rate) - 1).max()) if kept.size else 0.0
    if worst > SCALE_TOLERANCE:
        text = "scales what it keeps by {:.4f} in {}, not by 1 / (1 - rate) = {:.4f}"
        return text.format(kept.mean(), when, 1 / (1 - rate))
    # Two masks of this size agree by chance with probability (p^2 + (1 - p)^2)^size.
    chance = ((rate**2 + (1 - rate) ** 2) ** size) ** (steps - 1)
    if chance < 1e-6 and ((masks == 0) == (masks[0] == 0)).all():
        return "uses the same mask in every step of " + when
    return None


def _masks(worker: Worker, job: Job, size: int, steps: int) -> np.ndarray:
    """Return (steps, size): what each element of a row of ones became in each training step."""
    rate = 1e-4 / (size * steps)  # so small that the output stays at 0 and its gradient at 1
    worker.build(job, {"dense_1/kernel": np.zeros((size, 1), np.float32)})
    (source,) = job.inputs
    handle = staged(worker, job, np.ones([1, *source.shape], np.float32), np.full((1, 1), -0.5, np.float32))
    before = np.zeros(size)
    masks = np.empty((steps, size))
    for step in range(steps):
        worker.train_epoch(handle, np.array([rate]))
        after = worker.parameters()["dense_1/kernel"][:, 0].astype(np.float64)
        masks[step] = (before - after) / rate
        before = after
    return masks


def _probe_job(job: Job, item: ResolvedLayer, size: int) -> Job:
    shape = list(item.input_shape)

    def resolved(name: str, layer: Any, source: Any, output: Any, parameters: Any) -> ResolvedLayer:
        return ResolvedLayer(name=name, layer=layer, input_shape=source, output_shape=output, parameters=parameters)

    layers = [
        resolved(item.name, item.layer, shape, shape, {}),
        resolved("flatten_1", Flatten(kind="flatten"), shape, [size], {}),
        resolved("dense_1", Dense(kind="dense", units=1, bias=False), [size], [1], {"kernel": [size, 1]}),
    ]
    if len(shape) == 1:
        del layers[1]
    recipe = job.recipe.model_copy(
        update={
            "optimiser": SGD(kind="sgd", learning_rate=1.0),
            "loss": MeanSquaredError(kind="mean_squared_error"),
            "schedule": Constant(kind="constant"),
            "clip_norm": None,
            "batch_size": 1,
        }
    )
    model = job.model.model_copy(update={"layers": layers, "parameter_count": size})
    inputs = [Input(name="x", shape=shape, dtype="float32")]
    return job.model_copy(update={"recipe": recipe, "model": model, "inputs": inputs})
