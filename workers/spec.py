"""The contract between the host and the workers: a Job goes in, a Result comes out.

Shapes leave out the row (batch) axis and are channels-last. Layer kinds, optimisers and losses state
every form that frameworks choose differently, so that no worker falls back on its framework's default.
"""

import hashlib
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from .compat import (
    Annotated,
    Count,
    Field,
    Flag,
    Fraction,
    Index,
    Literal,
    NonNegative,
    Positive,
    Real,
    Record,
    Text,
    ValidationError,
    canonical_json,
    pretty_json,
)

# ---------------------------------------------------------------------------- layers


Function = Literal["tanh", "relu", "sigmoid", "elu", "softmax", "linear"]


class Dense(Record):
    """y = x @ kernel + bias. Input (features,) or (steps, features), each step alike; kernel (features, units)."""

    kind: Literal["dense"]
    units: Count
    bias: Flag = True


class Activation(Record):
    """An elementwise function (elu: exp(x) - 1 below 0); softmax runs over the last axis."""

    kind: Literal["activation"]
    function: Function


class Flatten(Record):
    """(height, width, channels) to (height * width * channels,), in that order in every framework."""

    kind: Literal["flatten"]


class Reshape(Record):
    """The same numbers in another ``shape``, in the spec's order: the last axis moves fastest."""

    kind: Literal["reshape"]
    shape: List[Count]


class Dropout(Record):
    """In training, zeroes the share ``rate`` and scales the rest by 1 / (1 - rate); else the identity."""

    kind: Literal["dropout"]
    rate: Fraction


class Conv2D(Record):
    """Cross-correlation. Input (height, width, in); kernel (kernel height, kernel width, in, filters).

    ``same`` pads so that output = ceil(input / stride), the odd row or column at the bottom or right.
    """

    kind: Literal["conv2d"]
    filters: Count
    kernel_size: Tuple[Count, Count]
    strides: Tuple[Count, Count] = (1, 1)
    padding: Literal["valid", "same"] = "valid"
    bias: Flag = True


class Conv1D(Record):
    """Cross-correlation along the steps. Input (steps, in); kernel (kernel_size, in, filters); ``same`` as Conv2D."""

    kind: Literal["conv1d"]
    filters: Count
    kernel_size: Count
    strides: Count = 1
    padding: Literal["valid", "same"] = "valid"
    bias: Flag = True


class MaxPool2D(Record):
    """Maximum over windows; ``same`` pads as Conv2D does, with minus infinity."""

    kind: Literal["maxpool2d"]
    pool_size: Tuple[Count, Count] = (2, 2)
    strides: Tuple[Count, Count] = (2, 2)
    padding: Literal["valid", "same"] = "valid"


class AveragePool2D(Record):
    """Mean over windows; ``same`` pads as Conv2D does, and what it pads is not counted in the mean."""

    kind: Literal["averagepool2d"]
    pool_size: Tuple[Count, Count] = (2, 2)
    strides: Tuple[Count, Count] = (2, 2)
    padding: Literal["valid", "same"] = "valid"


class GlobalMaxPool1D(Record):
    """Maximum over the steps: (steps, features) to (features,)."""

    kind: Literal["globalmaxpool1d"]


class BatchNorm(Record):
    """Batch normalisation over the last axis (Ioffe and Szegedy 2015); gamma, beta and running ones (features,).

    Training: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta with the batch's mean and biased variance,
    and running = momentum * running + (1 - momentum) * the batch's, the variance times n / max(n - 1, 1) for n
    numbers per feature, as the paper's inference does (its Algorithm 2). Prediction takes the running ones.
    """

    kind: Literal["batchnorm"]
    momentum: Fraction = 0.99
    epsilon: Positive = 1e-3


class Embedding(Record):
    """Tokens (steps,) int32 to (steps, units); table (vocabulary_size, units)."""

    kind: Literal["embedding"]
    vocabulary_size: Count
    units: Count


class LSTM(Record):
    """Long short-term memory, no peepholes. Input (steps, features); state starts at zero for each row.

    ``stateful``: row k of a batch goes on from row k of the batch before it, and gradients stop between them; the
    state starts at zero with every epoch and every prediction, and rows are never permuted (language models).

    kernel (features, 4 units), recurrent_kernel (units, 4 units), one bias (4 units,); ``gate_order`` is the
    order of the four blocks: input, forget, candidate g (tanh) and output gate. c = f * c + i * g, h = o * tanh(c).
    Output is the last h (units,) or all of them (steps, units).
    """

    kind: Literal["lstm"]
    units: Count
    output: Literal["last", "sequence"] = "last"
    bias: Flag = True
    gate_order: Literal["ifgo", "ifog"] = "ifgo"
    stateful: Flag = False


Layer = Annotated[
    Union[
        Dense,
        Activation,
        Flatten,
        Reshape,
        Dropout,
        Conv2D,
        Conv1D,
        MaxPool2D,
        AveragePool2D,
        GlobalMaxPool1D,
        BatchNorm,
        Embedding,
        LSTM,
    ],
    Field(discriminator="kind"),
]

RUNNING = ("running_mean", "running_variance")
"""The roles of parameters that no gradient reaches: no optimiser touches them, no decay, no clipping."""


class ResolvedLayer(Record):
    """A layer in its place in a model: a name, the shapes around it, and the shapes of its parameters."""

    name: Text
    layer: Layer
    input_shape: List[Count]
    output_shape: List[Count]
    parameters: Dict[str, List[Count]] = {}


# ---------------------------------------------------------------------------- recipe


class SGD(Record):
    """Stochastic gradient descent. With gradient d, rate r, momentum m, velocity v (zero at first):

    ``velocity = "step"``:      v = m * v - r * d,  w += v    (Nesterov: w += m * v - r * d)   Keras, Caffe
    ``velocity = "gradient"``:  v = m * v + d,      w -= r * v  (Nesterov: w -= r * (d + m * v))   PyTorch
    The two differ as soon as the rate changes. d includes weight_decay * w for the decayed tensors.
    """

    kind: Literal["sgd"]
    learning_rate: Positive
    momentum: Fraction = 0.0
    nesterov: Flag = False
    velocity: Literal["step", "gradient"] = "step"
    weight_decay: NonNegative = 0.0
    weight_decay_on: Literal["kernels", "all"] = "kernels"


class Adam(Record):
    """Adam (Kingma and Ba 2015). At step t, with a = sqrt(1 - beta_2^t) / (1 - beta_1^t):

    ``epsilon_form = "corrected"``:    w -= r * m_hat / (sqrt(v_hat) + epsilon)    Algorithm 1; PyTorch
    ``epsilon_form = "uncorrected"``:  w -= r * a * m / (sqrt(v) + epsilon)       end of section 2; TensorFlow
    The gradient includes weight_decay * w for the decayed tensors.
    """

    kind: Literal["adam"]
    learning_rate: Positive
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-8
    epsilon_form: Literal["corrected", "uncorrected"] = "corrected"
    weight_decay: NonNegative = 0.0
    weight_decay_on: Literal["kernels", "all"] = "kernels"


class AdaDelta(Record):
    """AdaDelta (Zeiler 2012, Algorithm 1). With gradient d, running squares g and x (zero at first), epsilon e:

    g = rho * g + (1 - rho) * d^2,  s = d * sqrt(x + e) / sqrt(g + e),  x = rho * x + (1 - rho) * s^2,  w -= r * s
    The gradient includes weight_decay * w for the decayed tensors.
    """

    kind: Literal["adadelta"]
    learning_rate: Positive = 1.0
    rho: Fraction = 0.95
    epsilon: Positive = 1e-6
    weight_decay: NonNegative = 0.0
    weight_decay_on: Literal["kernels", "all"] = "kernels"


class RMSprop(Record):
    """RMSprop (Tieleman and Hinton 2012), neither centred nor with momentum. v = rho * v + (1 - rho) * d^2, then

    ``epsilon_form = "outside"``:  w -= r * d / (sqrt(v) + epsilon)    PyTorch, Caffe, Chainer
    ``epsilon_form = "inside"``:   w -= r * d / sqrt(v + epsilon)      TensorFlow, Keras 3, MXNet
    The gradient includes weight_decay * w for the decayed tensors.
    """

    kind: Literal["rmsprop"]
    learning_rate: Positive
    rho: Fraction = 0.9
    epsilon: Positive = 1e-7
    epsilon_form: Literal["outside", "inside"] = "outside"
    weight_decay: NonNegative = 0.0
    weight_decay_on: Literal["kernels", "all"] = "kernels"


Optimiser = Annotated[Union[SGD, Adam, AdaDelta, RMSprop], Field(discriminator="kind")]


class CategoricalCrossEntropy(Record):
    """Softmax cross-entropy of logits (classes,) or (steps, classes) and a class index each, averaged over the rows.

    ``over_steps``: of a row's steps, their mean, or their sum (Zaremba et al. 2014). Of one step it is the same.
    """

    kind: Literal["categorical_cross_entropy"]
    over_steps: Literal["mean", "sum"] = "mean"


class BinaryCrossEntropy(Record):
    """Sigmoid cross-entropy of logits and targets in 0..1, averaged over the rows."""

    kind: Literal["binary_cross_entropy"]
    over_outputs: Literal["mean", "sum"] = "mean"


class MeanSquaredError(Record):
    """(output - target)^2, averaged over the rows."""

    kind: Literal["mean_squared_error"]
    over_outputs: Literal["mean", "sum"] = "mean"


Loss = Annotated[Union[CategoricalCrossEntropy, BinaryCrossEntropy, MeanSquaredError], Field(discriminator="kind")]


class Constant(Record):
    """The optimiser's learning rate throughout."""

    kind: Literal["constant"]


class StepDecay(Record):
    """The learning rate times ``factor`` after every ``every_steps`` steps (batches)."""

    kind: Literal["step"]
    every_steps: Count
    factor: Positive


class InverseDecay(Record):
    """The learning rate times (1 + gamma * step) ** -power, steps counted from 0. Caffe's ``inv``.

    With power 1 it is what Keras 2 calls an optimiser's ``decay``.
    """

    kind: Literal["inv"]
    gamma: Positive
    power: Positive = 1.0


class EpochDecay(Record):
    """The learning rate as it is for ``after_epochs`` epochs, then times ``factor`` for each further epoch.

    Zaremba et al. 2014 divide by 1.2 each epoch after 6, in their medium model: factor 1 / 1.2.
    """

    kind: Literal["epoch"]
    after_epochs: Count
    factor: Positive


Schedule = Annotated[Union[Constant, StepDecay, InverseDecay, EpochDecay], Field(discriminator="kind")]


class Recipe(Record):
    """How a model is trained. ``clip_norm`` bounds the global norm of the loss's gradient, before weight decay."""

    optimiser: Optimiser
    loss: Loss
    batch_size: Count
    epochs: Count
    schedule: Schedule = Constant(kind="constant")
    clip_norm: Optional[Positive] = None
    evaluation_batch_size: Count = 512


# ---------------------------------------------------------------------------- job


class Initialiser(Record):
    """How the host draws one tensor; ``value``: standard deviation, limit, gain or constant, by kind.

    ``fan_in_uniform``: within value / sqrt(fan-in of the layer's kernel), biases too (Torch7's Linear).
    """

    kind: Literal[
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "fan_in_uniform",
        "normal",
        "uniform",
        "orthogonal",
        "constant",
    ]
    value: Optional[Real] = None


class SequentialModel(Record):
    """A list of layers that ends in logits, with what the host resolved and drew for it.

    ``weights_sha256`` names the initial weights: the hash of the tensors, not of a file.
    """

    kind: Literal["sequential"] = "sequential"
    layers: List[ResolvedLayer]
    parameter_count: Index
    initialisers: Dict[str, Initialiser]
    weights_sha256: Text


class Reviews(Record):
    """Texts of word ranks, of any length, made rows as Keras' imdb.load_data and pad_sequences make them.

    Rank r becomes token r + 3; 0 pads in front, 1 begins each text, and 2 stands for the words whose token would not
    be below ``vocabulary_size``. Of a longer text the last ``length`` tokens are kept.
    """

    kind: Literal["reviews"]
    vocabulary_size: Count
    length: Count


class Streams(Record):
    """One text cut into as many contiguous streams as a batch has rows (Zaremba et al. 2014).

    Row k of a batch goes on where row k of the batch before it ended; what does not fill a batch is left out. The
    target of each of its ``steps`` words is the next one.
    """

    kind: Literal["streams"]
    steps: Count


class Windows(Record):
    """One text as overlapping rows of ``steps`` words, one beginning ``every`` so many; targets: the next words."""

    kind: Literal["windows"]
    steps: Count
    every: Count


View = Annotated[Union[Reviews, Streams, Windows], Field(discriminator="kind")]


class Input(Record):
    """One input array. A worker gets float32 ``raw * scale + offset``, or int32 tokens as they are.

    ``pad`` zeros stand around each image (of raw values); ``shape`` counts them. ``view``: how rows are made of a
    dataset of words.
    """

    name: Text
    shape: List[Count]
    dtype: Literal["uint8", "int32", "float32"]
    scale: Positive = 1.0
    offset: Real = 0.0
    pad: Index = 0
    view: Optional[View] = None


class Dataset(Record):
    """The arrays that a job reads, known by their checksum; the first rows of each split are used.

    ``validation_rows``: so many, of the training split and behind ``train_rows``, are scored after every epoch and
    not trained on. ``synthetic``: drawn at random in the shapes of ``name``, so that no score of them means anything.
    """

    name: Text
    checksum: Text
    train_rows: Count
    test_rows: Count
    validation_rows: Index = 0
    synthetic: Flag = False


class Target(Record):
    """What a ``target`` job trains towards, on the test rows: an accuracy of at least, or an error of at most it."""

    metric: Literal["accuracy", "perplexity", "squared_error", "absolute_error"]
    value: NonNegative


class Framework(Record):
    """What is compared: ``name[@version][:mode]``, at the version that its pinned file states.

    ``version_chosen``: it is another than the framework's own, so that the label names it.
    """

    name: Text
    version: Text
    mode: Optional[Text] = None
    version_chosen: Flag = False

    @property
    def label(self) -> str:
        version = "@" + self.version if self.version_chosen else ""
        return self.name + version + (":" + self.mode if self.mode else "")


class Limits(Record):
    """What an engine allows a job; no part of its identity. ``cpu_set`` empty: all CPUs.

    ``pids`` bounds processes and threads together; the local engine has no means to hold a job to it.
    """

    timeout_seconds: Positive
    memory_bytes: Count
    pids: Count = 512
    cpu_set: List[Index] = []


class TensorError(Record):
    """How far one tensor is off in one pass of the parity gate; both numbers relative."""

    pass_name: Text
    tensor: Text
    error: Optional[NonNegative] = None
    bound: Optional[NonNegative] = None


class Verdict(Record):
    """What the parity gate found. A failed one names the first tensor that differs.

    ``worst``: per pass, the update nearest its bound. ``ill_conditioned``: the tensors that the gate says nothing
    of, since their bound is over 5% in every pass; ``ill_conditioned_in``: pass -> those over it in that pass.
    """

    passed: Flag
    reason: Optional[Text] = None
    first_difference: Optional[TensorError] = None
    worst: List[TensorError] = []
    ill_conditioned: List[Text] = []
    ill_conditioned_in: Dict[str, List[Text]] = {}
    declared_differences: List[Text] = []


MEASURED = ("train", "target")
"""The kinds of job whose training is measured."""


class Job(Record):
    """One measured training (``train``) or one pass through the parity gate (``parity``), complete in itself.

    A ``target`` job trains until it reaches its ``target``, at most for the recipe's epochs. A ``null`` job does
    nothing: what it takes is what a job costs around its work. A ``lines`` job trains once over its rows and counts
    the worker's lines that run. ``reference_sha256`` names the float64 reference that a parity job is held to; without
    one it makes it. ``carried_epochs``: so many epochs are trained before the first measured one, unmeasured, as where
    a study's model trained on across its repeats. ``read_at_epochs``: after so many epochs a summary reads the
    results; empty: after the last one only. ``differs``: in variant ``paper``, in words, what this framework does that
    the matched variant does not. ``dropout_in_prediction``: a published defect, in that variant alone. ``scale``: the
    share of the suite's rows, and of its epochs, that are used.
    """

    schema_version: Literal[1] = 1
    id: Text
    kind: Literal["parity", "train", "target", "null", "lines"]
    framework: Framework
    suite: Text
    variant: Literal["matched", "paper"] = "matched"
    workload: Text
    dataset: Dataset
    inputs: List[Input]
    model: SequentialModel
    recipe: Recipe
    device: Literal["cpu", "gpu"] = "cpu"
    threads: Count
    precision: Literal["float32", "float64"] = "float32"
    seed: Index
    repeat: Index = 0
    carried_epochs: Index = 0
    target: Optional[Target] = None
    dropout_in_prediction: Flag = False
    scale: Positive = 1.0
    read_at_epochs: List[Count] = []
    differs: List[Text] = []
    limits: Limits
    reference_sha256: Optional[Text] = None
    parity: Optional[Verdict] = None


# ---------------------------------------------------------------------------- result


class Environment(Record):
    """What ran a job. What could not be read is null.

    ``other_cpus_busy``: how many CPUs others kept busy, or the machine took away, while this job trained (a mean).
    """

    engine: Optional[Text] = None
    recipe_hash: Optional[Text] = None
    image_id: Optional[Text] = None
    python: Optional[Text] = None
    versions: Dict[str, str] = {}
    cpu_model: Optional[Text] = None
    cpu_count: Optional[Count] = None
    gpu_model: Optional[Text] = None
    gpu_driver: Optional[Text] = None
    compile_cache: Optional[Literal["cold", "warm"]] = None
    threads_seen: Optional[Count] = None
    other_cpus_busy: Optional[NonNegative] = None


class Phases(Record):
    """Seconds of what happens once in a job; the same names for every framework.

    ``open_device_seconds``: of a framework in a virtual machine, the start of that. ``warm_up_seconds``: of one whose
    just-in-time compiler must have seen training first, else null.
    """

    import_seconds: Optional[NonNegative] = None
    open_device_seconds: Optional[NonNegative] = None
    data_seconds: Optional[NonNegative] = None
    warm_up_seconds: Optional[NonNegative] = None
    build_seconds: Optional[NonNegative] = None
    first_step_seconds: Optional[NonNegative] = None


class Epoch(Record):
    """One pass over the training rows. The first epoch's train_seconds include the job's first step.

    ``train_loss`` is the mean over the rows as training went; the test figures are of the parameters after it.
    ``accuracy`` is null for regression, and where the data are synthetic; ``perplexity``: of a language model, exp of
    the mean loss of a word; the errors: of regression, their mean over all numbers.
    """

    stage_seconds: NonNegative
    train_seconds: NonNegative
    evaluate_seconds: NonNegative
    train_loss: Real
    test_loss: Real
    accuracy: Optional[NonNegative] = None
    perplexity: Optional[NonNegative] = None
    squared_error: Optional[NonNegative] = None
    absolute_error: Optional[NonNegative] = None
    validate_seconds: Optional[NonNegative] = None
    validation_loss: Optional[Real] = None
    validation_accuracy: Optional[NonNegative] = None


class Resources(Record):
    """What a job used in one of its phases, sampled from outside of it. What could not be read is null.

    ``cpu_percent``: of the CPUs that the job was given. Resident memory is that of all its processes;
    ``memory_percent``: its peak, of the job's limit. ``throttled_seconds``: held back by a CPU quota. Of the GPU:
    means over the samples, the memory its peak.
    """

    phase: Text
    seconds: NonNegative
    samples: Index
    cpu_percent: Optional[NonNegative] = None
    mean_rss_bytes: Optional[NonNegative] = None
    peak_rss_bytes: Optional[NonNegative] = None
    memory_percent: Optional[NonNegative] = None
    voluntary_switches: Optional[Index] = None
    involuntary_switches: Optional[Index] = None
    throttled_seconds: Optional[NonNegative] = None
    energy_joules: Optional[NonNegative] = None
    gpu_percent: Optional[NonNegative] = None
    gpu_memory_bytes: Optional[NonNegative] = None
    gpu_watts: Optional[NonNegative] = None
    gpu_celsius: Optional[NonNegative] = None
    gpu_clock_mhz: Optional[NonNegative] = None


Status = Literal[
    "ok",
    "unsupported",
    "failed",
    "diverged",
    "did_not_learn",
    "missed_target",
    "timeout",
    "out_of_memory",
    "lost",
    "unavailable",
]


class Result(Record):
    """What one job left behind, whatever happened. All raw seconds are kept.

    ``predict_seconds``: passes over the whole test set; ``latency_seconds``: predictions of a single row.
    ``code_lines``: of a ``lines`` job, the logical lines of the worker that built the model and trained it.
    ``epochs_to_target``: of a ``target`` job that reached it. ``constant_errors``: of regression, the squared and
    absolute error of always answering the training rows' mean. ``resources``: per phase, from outside the job.
    """

    schema_version: Literal[1] = 1
    job_id: Text
    status: Status
    reason: Optional[Text] = None
    log_tail: Optional[Text] = None
    environment: Environment = Environment()
    phases: Phases = Phases()
    staging: Optional[Literal["resident", "streamed"]] = None
    epochs: List[Epoch] = []
    predict_seconds: List[NonNegative] = []
    latency_seconds: List[NonNegative] = []
    peak_rss_bytes: Optional[Count] = None
    composed: List[Text] = []
    parity: Optional[Verdict] = None
    reference_sha256: Optional[Text] = None
    code_lines: Dict[str, Index] = {}
    epochs_to_target: Optional[Count] = None
    constant_errors: Dict[str, NonNegative] = {}
    resources: Optional[List[Resources]] = None

    @property
    def train_seconds(self) -> float:
        """Seconds of training over all epochs, without staging, evaluation and compilation."""
        return sum(epoch.train_seconds for epoch in self.epochs)


def arrays_sha256(arrays: Mapping[str, Any]) -> str:
    """Return one hash over the names, types, shapes and bytes of NumPy arrays; both sides compute it."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update("{} {} {}\n".format(name, array.dtype.str, array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


__all__ = [
    "LSTM",
    "MEASURED",
    "RUNNING",
    "SGD",
    "Activation",
    "AdaDelta",
    "Adam",
    "AveragePool2D",
    "BatchNorm",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "Constant",
    "Conv1D",
    "Conv2D",
    "Dataset",
    "Dense",
    "Dropout",
    "Embedding",
    "Environment",
    "Epoch",
    "EpochDecay",
    "Flatten",
    "Framework",
    "Function",
    "GlobalMaxPool1D",
    "Initialiser",
    "Input",
    "InverseDecay",
    "Job",
    "Layer",
    "Limits",
    "Loss",
    "MaxPool2D",
    "MeanSquaredError",
    "Optimiser",
    "Phases",
    "RMSprop",
    "Recipe",
    "Record",
    "Reshape",
    "ResolvedLayer",
    "Resources",
    "Result",
    "Reviews",
    "Schedule",
    "SequentialModel",
    "Status",
    "StepDecay",
    "Streams",
    "Target",
    "TensorError",
    "ValidationError",
    "Verdict",
    "View",
    "Windows",
    "arrays_sha256",
    "canonical_json",
    "pretty_json",
]
