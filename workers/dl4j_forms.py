"""The forms in which DL4J's layers take their input, and what brings one into another.

``flat`` (rows, features), ``steps`` (rows, features, steps), ``image`` (rows, channels, height, width), ``step_rows``
(rows * steps, features) and ``pixels`` (rows * height * width, channels).
"""

import numpy as np
from jpype import JImplements, JOverride

from .dl4j_jvm import longs, org

FORMS = {1: "flat", 2: "steps", 3: "image"}  # by the number of axes that the spec's shape has

# Where a form's axes go for the channels, or features, to be the last, and back.
TO_LAST = {"steps": (0, 2, 1), "image": (0, 2, 3, 1)}
FROM_LAST = {"steps": (0, 2, 1), "image": (0, 3, 1, 2)}


def axes(form, shape):
    """Return the shape that a row has in a form, with its channels last."""
    return shape if form in TO_LAST else shape[-1:]


@JImplements("org.deeplearning4j.nn.conf.InputPreProcessor", deferred=True)
class Rearrange:
    """An input preprocessor: the same numbers in another form and shape, in the spec's order."""

    def __init__(self, form, shape, to_form, to_shape):
        self.source, self.target = (form, shape), (to_form, to_shape)

    def moved(self, x, source, target, workspaces, kind):
        """Return ``x`` of form and shape ``source`` in those of ``target``: one copy, then views."""
        if source[0] in TO_LAST:
            x = x.permute(*TO_LAST[source[0]])
        shape = axes(*target)
        rows = int(x.length()) // int(np.prod(shape))
        x = workspaces.dup(kind, x, "c").reshape("c", longs([rows, *shape]))
        return x.permute(*FROM_LAST[target[0]]) if target[0] in FROM_LAST else x

    @JOverride
    def preProcess(self, x, rows, workspaces):
        kind = org.deeplearning4j.nn.workspace.ArrayType.ACTIVATIONS
        return self.moved(x, self.source, self.target, workspaces, kind)

    @JOverride
    def backprop(self, gradient, rows, workspaces):
        if gradient is None:  # an embedding, above, has none
            return None
        kind = org.deeplearning4j.nn.workspace.ArrayType.ACTIVATION_GRAD
        return self.moved(gradient, self.target, self.source, workspaces, kind)

    @JOverride
    def clone(self):
        return self

    @JOverride
    def getOutputType(self, source):
        return source  # asked only where DL4J works out the layers' sizes

    @JOverride
    def feedForwardMaskArray(self, mask, state, rows):
        return org.nd4j.common.primitives.Pair(mask, state)


class Stack:
    """The layers so far, and in which form, with which spec's shape, the last one leaves its activations.

    Flatten and reshape change no number and no order in the spec, so they add nothing: the next layer that needs
    another form or shape gets a preprocessor.
    """

    def __init__(self, job, output):
        self.job, self.output = job, output
        self.layers, self.preprocessors = [], []  # of these: (index of a layer, preprocessor)
        self.tensors = {}  # LAYER/TENSOR -> (DL4J's key, spec's array to DL4J's, DL4J's to the spec's)
        self.frozen = []  # keys of biases that the spec's model does not have, and DL4J's does: they stay at zero
        self.normalised = []  # (prefix of the keys, positions, momentum) of batch normalisations
        self.stateful = []  # the places of stateful LSTMs
        (source,) = job.inputs
        self.form, self.shape = FORMS[len(source.shape)], tuple(source.shape)

    def decay(self, builder, kernels=True):
        """Set the weight decay of a layer's kernels (``kernels`` false: of an embedding's table) and of its biases."""
        o = self.job.recipe.optimiser
        everything = o.weight_decay_on == "all"
        builder.l2(o.weight_decay if kernels or everything else 0.0)
        builder.l2Bias(o.weight_decay if everything else 0.0)
        return builder

    def add(self, layer, item=None, tensors=()):
        for role, (key, *conversions) in dict(tensors).items():
            if role in item.parameters:
                key = "{}_{}".format(len(self.layers), key)
                self.tensors[item.name + "/" + role] = (key, *(conversions or (same, same)))
        self.layers.append(layer)

    def preprocess(self, preprocessor, form, shape):
        self.preprocessors.append((len(self.layers), preprocessor))
        self.form, self.shape = form, tuple(shape)

    def move(self, form, shape):
        """Have the next layer get its input in this form and shape."""
        known, shape = org.deeplearning4j.nn.conf.preprocessor, tuple(shape)
        if (self.form, self.shape) == (form, shape):
            return
        if self.form == "step_rows":
            self.preprocess(known.FeedForwardToRnnPreProcessor(), "steps", self.shape)
        if form == "step_rows":
            self.move("steps", shape)
            self.preprocess(known.RnnToFeedForwardPreProcessor(), form, shape)
        elif (self.form, self.shape) != (form, shape):
            self.preprocess(Rearrange(self.form, self.shape, form, shape), form, shape)


def same(array):
    return array
