"""The layers of the spec that are the same in Keras 2 and in Keras 3, as Keras' own."""

from .keras_backend import BACKEND, keras

GATE_ORDER = "ifgo"  # Keras' own
CHANNELS_FIRST = BACKEND.layout == "channels_first"


def in_backends_layout(shape):
    return [shape[2], *shape[:2]] if CHANNELS_FIRST and len(shape) == 3 else shape


def channel_axis(item):
    """Return the axis, of a batch, that is the spec's last one."""
    return 1 if CHANNELS_FIRST and len(item.input_shape) == 3 else -1


# Each builder returns the native layer of one layer of the spec.


def dense(item):
    return keras.layers.Dense(item.layer.units, use_bias=item.layer.bias, name=item.name)


def activation(item):
    if item.layer.function == "softmax":
        return keras.layers.Softmax(axis=channel_axis(item), name=item.name)
    return keras.layers.Activation(item.layer.function, name=item.name)


def flatten(item):
    """Keras' own turns images to height, width, channel; a sequence is no image."""
    return keras.layers.Flatten(None if len(item.input_shape) == 3 else "channels_last", name=item.name)


def flatten_as_it_is(item):
    """Keras' own, told that there is nothing to turn."""
    return keras.layers.Flatten("channels_last", name=item.name)


def reshape(item):
    """Keras' own, between images whose channels are last."""
    layers = [keras.layers.Reshape(item.layer.shape, name=item.name)]
    if CHANNELS_FIRST and len(item.input_shape) == 3:
        layers.insert(0, keras.layers.Permute((2, 3, 1)))
    if CHANNELS_FIRST and len(item.output_shape) == 3:
        layers.append(keras.layers.Permute((3, 1, 2)))
    return layers[0] if len(layers) == 1 else keras.Sequential(layers)


def dropout(item):
    return keras.layers.Dropout(item.layer.rate, name=item.name)


def convolution(own, item, **options):
    layer = item.layer
    options = dict({"padding": layer.padding, "use_bias": layer.bias, "name": item.name}, **options)
    return own(layer.filters, layer.kernel_size, strides=layer.strides, **options)


def pooling(own, item, **options):
    options = dict({"padding": item.layer.padding, "name": item.name}, **options)
    return own(pool_size=item.layer.pool_size, strides=item.layer.strides, **options)


def globalmaxpool1d(item):
    return keras.layers.GlobalMaxPooling1D(data_format="channels_last", name=item.name)


def embedding(item):
    return keras.layers.Embedding(item.layer.vocabulary_size, item.layer.units, name=item.name)


ATTRIBUTES = {"table": "embeddings", "running_mean": "moving_mean", "running_variance": "moving_variance"}


def variable_of(layer, role):
    owner = layer.cell if isinstance(layer, keras.layers.LSTM) else layer
    return getattr(owner, ATTRIBUTES.get(role, role))
