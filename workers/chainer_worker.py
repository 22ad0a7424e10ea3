"""Chainer: links and functions in a chainer.Sequential, its optimisers, and the loop of its examples over arrays."""

import operator
import os

import chainer
import numpy as np
from chainer.backends import cuda

from . import chainer_layers as layers
from .chainer_optimisers import LOSSES, make_optimiser, set_rate
from .worker import Unsupported, Worker, layer_weights, trainable


class ChainerWorker(Worker):
    layers = {
        "dense": lambda item: [layers.Linear(item.input_shape[-1], item.layer.units, nobias=not item.layer.bias)],
        "activation": layers.activation,
        "flatten": layers.reshape,
        "reshape": layers.reshape,
        "dropout": lambda item: [lambda x: chainer.functions.dropout(x, item.layer.rate)],
        "conv2d": layers.conv2d,
        "conv1d": layers.conv1d,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": lambda item: [layers.LSTM(item)],
    }
    layout = "channels_first"
    computes_with_numpy = "chainer"
    can_drop_in_prediction = True
    composed = {
        "flatten": "of several channels: a transpose before F.reshape",
        "reshape": "from and to images: transposes around F.reshape",
        "conv2d": "same padding with more at one side: F.pad before the convolution",
        "conv1d": "axes swapped around L.Convolution1D; same padding with more at one side: F.pad before it",
        "maxpool2d": "same padding that neither pad nor cover_all gives: F.pad before the pooling",
        "averagepool2d": "same padding: F.pad where one side has more, and a factor that takes what is padded out",
        "globalmaxpool1d": "F.max_pooling_1d over all steps",
        "lstm": "L.LSTM, its upward link for all steps at once, then F.lstm step by step",
        "clip_norm": "a hook with sums of squares: GradientClipping's dot product strays over millions of numbers",
        "sgd": "nesterov: an update rule, since NesterovAG mixes up two velocities; velocity 'gradient': "
        "MomentumSGD, its velocities rescaled when the rate changes",
        "adam": "epsilon_form 'corrected': optimizers.Adam, its epsilon set anew in each step",
        "adadelta": "a rate: of the step of optimizers.AdaDelta, which has none, its share is taken",
        "binary_cross_entropy": "F.bernoulli_nll, since F.sigmoid_cross_entropy takes whole targets only",
    }

    def versions(self):
        found = {"chainer": chainer.__version__, "numpy": np.__version__}
        if cuda.available:
            found["cupy"] = cuda.cupy.__version__
        return found

    def open_device(self, device, threads):
        """The environment pins the threads of NumPy's BLAS; everything else runs in one."""
        try:
            self.device = chainer.get_device("@cupy:0" if device == "gpu" else "@numpy")
            self.device.use()
        except Exception as error:
            raise Unsupported(
                "Chainer {} finds no GPU: {}".format(chainer.__version__, str(error).splitlines()[0])
            ) from error
        chainer.global_config.type_check = False  # as Chainer's page on performance advises
        chainer.global_config.use_cudnn_tensor_core = "never"  # float32 is float32

    def build(self, job, weights):
        self.recipe = job.recipe
        self.dtype = chainer.global_config.dtype = np.dtype(job.precision)
        callables, self.tensors = [], {}
        for item in job.model.layers:
            own = self.layers[item.layer.kind](item)
            if item.layer.kind == "dropout" and job.dropout_in_prediction:
                own = [layers.in_training(*own)]
            callables += own
            for role, value in layer_weights(weights, item.name).items():
                (link,) = [part for part in own if isinstance(part, chainer.Link)]
                self.tensors[item.name + "/" + role] = item.layer, link, layers.attribute(item.layer, role)
                self.array(item.name + "/" + role)[...] = layers.from_spec(item.layer, value)
        self.model = chainer.Sequential(*callables)
        self.model.to_device(self.device)
        parameters = {name: self.tensor(name) for name in self.tensors if trainable(name)}
        self.optimiser = make_optimiser(self.recipe, self.model, parameters)
        self.seed(job.seed)

    def tensor(self, name):
        """Return a Parameter, or an array where no gradient reaches it."""
        _, link, place = self.tensors[name]
        return operator.attrgetter(place)(link)

    def array(self, name):
        return self.tensor(name).array if trainable(name) else self.tensor(name)

    def seed(self, seed):
        """Seed the stream that dropout draws from, after the links' initialisers have."""
        np.random.seed(seed % 2**32)
        if self.device.xp is not np:
            self.device.xp.random.seed(seed)
            os.environ["CHAINER_SEED"] = str(seed)  # read when cuDNN first draws

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        dtypes = [self.dtype if a.dtype.kind == "f" else np.dtype("int32") for a in (x, targets)]
        return [self.device.send(np.ascontiguousarray(a, dtype)) for a, dtype in zip((x, targets), dtypes)]

    def train_epoch(self, handle, rates):
        x, targets = handle
        size, spec, compute_loss = self.recipe.batch_size, self.recipe.loss, LOSSES[self.recipe.loss.kind]
        losses = []
        with chainer.using_config("train", True):
            for step, rate in enumerate(rates.tolist()):
                batch = slice(step * size, (step + 1) * size)
                loss = compute_loss(spec, self.model(x[batch]), targets[batch])
                self.model.cleargrads()
                loss.backward()
                set_rate(self.recipe.optimiser, self.optimiser, rate)
                self.optimiser.update()
                losses.append(loss.array)  # on a GPU not waited for
        means = [float(loss) for loss in losses]
        return (sum(means[:-1]) * size + means[-1] * (len(x) - size * (len(means) - 1))) / len(x)

    def predict(self, handle):
        x, size = handle[0], self.recipe.evaluation_batch_size
        self.reset_unless_carried()
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            outputs = [self.model(x[start : start + size]).array for start in range(0, len(x), size)]
        self.reset_unless_carried()
        return chainer.get_device("@numpy").send(self.device.xp.concatenate(outputs))

    def reset_states(self):
        for link in self.model:
            if isinstance(link, layers.LSTM):
                link.reset_state()

    def parameters(self):
        values = {}
        for name, (layer, *_) in self.tensors.items():
            array = chainer.get_device("@numpy").send(self.array(name))
            values[name] = np.array(layers.to_spec(layer, array), order="C")
        return values

    def synchronize(self):
        if self.device.xp is not np:
            self.device.device.synchronize()


WORKER = ChainerWorker
