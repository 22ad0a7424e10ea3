"""The reference's convolution and pooling: layers that see a window of their input at a time."""

import numpy as np

from .numpy_layers import Layer, MaxPool
from .worker import same_padding


class Windows(Layer):
    """What convolution and pooling share: the input as (rows, height, width, window positions, channels)."""

    pad_value = 0.0

    def window(self):
        return self.spec.kernel_size

    def strides(self):
        return self.spec.strides

    def unfold(self, x):
        (wh, ww), (sh, sw) = self.window(), self.strides()
        self.padding = [(0, 0)] * 4
        if self.spec.padding == "same":
            self.padding[1:3] = [same_padding(x.shape[1], wh, sh), same_padding(x.shape[2], ww, sw)]
        padded = np.pad(x, self.padding, mode="constant", constant_values=self.pad_value)
        self.padded_shape = padded.shape
        self.height = (padded.shape[1] - wh) // sh + 1
        self.width = (padded.shape[2] - ww) // sw + 1
        return np.stack([padded[region] for region in self.regions()], axis=3)

    def regions(self):
        """Yield, for each position inside the window, the slice of the padded input that it sees."""
        (wh, ww), (sh, sw) = self.window(), self.strides()
        for i in range(wh):
            for j in range(ww):
                yield (slice(None), slice(i, i + sh * self.height, sh), slice(j, j + sw * self.width, sw))

    def fold(self, windows):
        """The transpose of ``unfold``: add every window position's gradient where it came from."""
        dx = np.zeros(self.padded_shape, windows.dtype)
        for position, region in enumerate(self.regions()):
            dx[region] += windows[:, :, :, position]
        (top, bottom), (left, right) = self.padding[1:3]
        return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]


class Conv2D(Windows):
    def forward(self, x, training):
        self.windows = self.unfold(x)
        kernel = self.parameters["kernel"]
        self.flat_kernel = kernel.reshape(-1, kernel.shape[-1])
        rows, height, width = self.windows.shape[:3]
        y = self.windows.reshape(rows * height * width, -1) @ self.flat_kernel
        if self.spec.bias:
            y = y + self.parameters["bias"]
        return y.reshape(rows, height, width, -1)

    def backward(self, dy):
        flat = dy.reshape(-1, dy.shape[-1])
        kernel = self.windows.reshape(len(flat), -1).T @ flat
        self.gradients["kernel"] = kernel.reshape(self.parameters["kernel"].shape)
        if self.spec.bias:
            self.gradients["bias"] = flat.sum(axis=0)
        return self.fold((flat @ self.flat_kernel.T).reshape(self.windows.shape))


class Conv1D(Conv2D):
    """A convolution over images of height 1."""

    def window(self):
        return (1, self.spec.kernel_size)

    def strides(self):
        return (1, self.spec.strides)

    def forward(self, x, training):
        return super().forward(x[:, None], training)[:, 0]

    def backward(self, dy):
        return super().backward(dy[:, None])[:, 0]


class MaxPool2D(MaxPool, Windows):
    pad_value = -np.inf

    def window(self):
        return self.spec.pool_size

    def forward(self, x, training):
        windows = self.unfold(x)
        self.won = np.arange(windows.shape[3])[:, None] == self.winners(windows, 3)[:, :, :, None]
        return windows.max(axis=3)

    def backward(self, dy):
        return self.fold(dy[:, :, :, None] * self.won)


class AveragePool2D(Windows):
    def window(self):
        return self.spec.pool_size

    def forward(self, x, training):
        self.positions = self.window()[0] * self.window()[1]
        self.counts = self.unfold(np.ones_like(x)).sum(axis=3)  # without what was padded
        return self.unfold(x).sum(axis=3) / self.counts

    def backward(self, dy):
        return self.fold(np.stack([dy / self.counts] * self.positions, axis=3))
