"""Which Keras the mode names, and on which backend.

Keras chooses its backend once, when it is imported; so this module imports it.
"""

import importlib
import os
from typing import Any

MODE = os.environ.get("BENCH_MODE") or "tensorflow"
KERAS_2 = {"theano": "theano", "cntk": "cntk", "tf2.2": "tensorflow"}  # mode -> what Keras 2 calls the backend

os.environ["KERAS_BACKEND"] = KERAS_2.get(MODE, MODE)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def of_this_keras(module: str) -> Any:
    """Return one of the modules that stand twice, for Keras 2 and for Keras 3."""
    return importlib.import_module(".keras_v{}_{}".format(2 if MODE in KERAS_2 else 3, module), __package__)


backends = of_this_keras(KERAS_2.get(MODE, "backend"))  # first: the backend's environment comes before Keras

import keras  # noqa: E402

__all__ = ["BACKEND", "keras"]

BACKEND: Any = backends.BACKENDS[keras.backend.backend()]()
keras.backend.set_image_data_format(BACKEND.layout)
