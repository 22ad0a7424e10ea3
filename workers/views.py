"""How rows are made of a dataset of words: the views of the spec, counted by the host, made by the harness."""

from typing import Any, List, Tuple

import numpy as np

PADDING, START, UNKNOWN, FIRST = 0, 1, 2, 3  # tokens of a review; rank r becomes r + FIRST


def rows_in(view: Any, words: int, batch_size: int) -> int:
    """Return how many rows streams or windows make of so many words."""
    if view.kind == "streams":
        return max(0, words // batch_size - 1) // view.steps * batch_size
    return max(0, words - view.steps - 1) // view.every + 1 if words > view.steps else 0


def streams(words: np.ndarray, steps: int, batch_size: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return (rows, steps) words and the word after each; row k of a batch goes on from row k of the one before."""
    each = len(words) // batch_size
    batches = (each - 1) // steps
    whole = words[: each * batch_size].reshape(batch_size, each)

    def rows(first: int) -> np.ndarray:
        cut = whole[:, first : first + batches * steps].reshape(batch_size, batches, steps)
        return np.ascontiguousarray(cut.transpose(1, 0, 2)).reshape(-1, steps)

    return rows(0), rows(1)


def windows(words: np.ndarray, steps: int, every: int, most: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return the first ``most`` rows of ``steps`` words, each ``every`` words behind the last, and their next words."""
    places = np.arange(most)[:, None] * every + np.arange(steps)
    return words[places], words[places + 1]


def reviews(ranks: np.ndarray, ends: np.ndarray, view: Any, most: int) -> np.ndarray:
    """Return the first ``most`` texts as rows of ``view.length`` tokens."""
    rows = np.full((most, view.length), PADDING, np.int32)
    starts: List[int] = [0] + [int(end) for end in ends[: most - 1]]
    for row, start, end in zip(rows, starts, ends):
        tokens = np.concatenate([[START], ranks[start:end] + FIRST])[-view.length :]
        row[len(row) - len(tokens) :] = np.where(tokens < view.vocabulary_size, tokens, UNKNOWN)
    return rows
