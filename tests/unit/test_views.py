"""Rows made of words: against the definitions, word by word, and against the counts that the host plans with."""

import numpy as np
import pytest

from workers.spec import Reviews, Streams, Windows
from workers.views import reviews, rows_in, streams, windows

WORDS = np.arange(103, dtype=np.int32)


@pytest.mark.parametrize("batch_size", [1, 4, 7])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_row_k_of_a_batch_goes_on_where_row_k_of_the_batch_before_ended(steps: int, batch_size: int) -> None:
    x, y = streams(WORDS, steps, batch_size)
    assert len(x) == len(y) == rows_in(Streams(kind="streams", steps=steps), len(WORDS), batch_size)
    assert len(x) % batch_size == 0
    np.testing.assert_array_equal(y, x + 1)  # the words are their places
    for row in range(len(x) - batch_size):
        assert x[row + batch_size, 0] == x[row, -1] + 1
    each = len(WORDS) // batch_size
    np.testing.assert_array_equal(x[:batch_size, 0], np.arange(batch_size) * each)
    assert each - steps <= x[-batch_size, -1] + 1 < each, (
        "no batch that would fit is left out, the last word has a next"
    )


@pytest.mark.parametrize("every", [1, 3, 5])
def test_windows_begin_every_so_many_words_and_as_many_as_fit(every: int) -> None:
    count = rows_in(Windows(kind="windows", steps=6, every=every), len(WORDS), 4)
    x, y = windows(WORDS, 6, every, count)
    np.testing.assert_array_equal(x[:, 0], np.arange(count) * every)
    np.testing.assert_array_equal(np.diff(x, axis=1), 1)
    np.testing.assert_array_equal(y, x + 1)
    assert y[-1, -1] <= len(WORDS) - 1 < y[-1, -1] + every, "one more would have no next word"


@pytest.mark.parametrize(("words", "rows"), [(5, 0), (6, 0), (7, 1), (8, 1), (9, 2)])
def test_too_few_words_make_no_row(words: int, rows: int) -> None:
    assert rows_in(Windows(kind="windows", steps=6, every=2), words, 1) == rows


def test_penn_treebank_makes_the_batches_of_zaremba() -> None:
    assert rows_in(Streams(kind="streams", steps=20), 929589, 20) // 20 == 2323
    assert rows_in(Streams(kind="streams", steps=35), 929589, 20) // 20 == 1327


def test_reviews_are_as_keras_makes_them() -> None:
    view = Reviews(kind="reviews", vocabulary_size=10, length=4)
    ranks = np.array([1, 2, 9, 1, 2, 3, 4, 5], np.int32)  # a text of three words, none, and one of five
    rows = reviews(ranks, np.array([3, 3, 8]), view, 3)
    np.testing.assert_array_equal(
        rows,
        [
            [1, 4, 5, 2],  # start; ranks 1 and 2; rank 9 is token 12, beyond the vocabulary
            [0, 0, 0, 1],  # padded in front
            [5, 6, 7, 8],  # the last four tokens of 1 4 5 6 7 8
        ],
    )
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(reviews(ranks, np.array([3, 3, 8]), view, 2), rows[:2])
