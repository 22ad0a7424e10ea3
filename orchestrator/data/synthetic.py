"""Random arrays in the shapes and types of a dataset, always the same ones: for throughput, since no score means much.

Words are drawn as often as words of natural language are: rank r in proportion to 1 / (r + 2.7), after Zipf and
Mandelbrot. Reviews are as long as film reviews are, about 240 words, and of very different lengths.
"""

import numpy as np

from orchestrator.data import ptb
from orchestrator.data.info import CLASS_TYPE, END_TYPE, WORD_TYPE, Arrays, DatasetInfo

SEED = 0
REVIEW_WORDS = 88_584  # as many ranks as Keras' word index has
MEAN_LOG_LENGTH, SPREAD_LOG_LENGTH = 5.25, 0.65


def draw(like: DatasetInfo, train_rows: int, test_rows: int) -> Arrays:
    """Return the arrays of a stand-in for a built-in dataset, or one with its format."""
    generator = np.random.RandomState(SEED)  # its streams never change
    arrays: Arrays = {}
    splits = {"train": train_rows, "valid": test_rows, "test": test_rows}
    for split, rows in splits.items():
        if like.like == "ptb":
            arrays[f"{split}_x"] = _words(generator, rows, ptb.VOCABULARY)
        elif split != "valid":
            arrays.update({f"{split}_{part}": array for part, array in _rows(generator, like, rows).items()})
    return arrays


def _rows(generator: np.random.RandomState, like: DatasetInfo, rows: int) -> Arrays:
    if like.like == "imdb":
        lengths = np.exp(generator.normal(MEAN_LOG_LENGTH, SPREAD_LOG_LENGTH, rows)).astype(END_TYPE) + 1
        ends = np.cumsum(lengths, dtype=END_TYPE)
        classes = generator.randint(0, 2, rows).astype(CLASS_TYPE)
        return {"x": _words(generator, int(ends[-1]), REVIEW_WORDS) + WORD_TYPE.type(1), "ends": ends, "y": classes}
    (image,) = like.inputs
    x = generator.randint(0, 256, (rows, *image.shape), np.uint8)
    if like.targets == "numbers":
        return {"x": x, "y": generator.uniform(-1, 1, (rows, like.outputs)).astype(np.float32)}
    return {"x": x, "y": generator.randint(0, like.outputs, rows).astype(CLASS_TYPE)}


def _words(generator: np.random.RandomState, count: int, vocabulary: int) -> np.ndarray:
    shares = np.cumsum(1 / (np.arange(vocabulary) + 2.7 + 1))
    return np.searchsorted(shares, generator.uniform(0, shares[-1], count), side="right").astype(WORD_TYPE)
