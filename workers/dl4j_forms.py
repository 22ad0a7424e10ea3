"""An input preprocessor of DL4J's: the same numbers in another form and shape, in the spec's order."""

import numpy as np
from jpype import JImplements, JOverride

from .dl4j_jvm import longs, org

# Where a form's axes go for the channels, or features, to be the last, and back.
TO_LAST = {"steps": (0, 2, 1), "image": (0, 2, 3, 1)}
FROM_LAST = {"steps": (0, 2, 1), "image": (0, 3, 1, 2)}


def axes(form, shape):
    """Return the shape that a row has in a form, with its channels last."""
    return shape if form in TO_LAST else shape[-1:]


@JImplements("org.deeplearning4j.nn.conf.InputPreProcessor", deferred=True)
class Rearrange:
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
