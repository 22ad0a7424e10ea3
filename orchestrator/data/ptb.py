"""Penn Treebank in Mikolov's split: three plain texts, a sentence per line, rare words replaced by <unk> already."""

from collections import Counter

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import WORD_TYPE, Arrays
from orchestrator.errors import DataError

NAMES = {"train": "ptb.train.txt", "valid": "ptb.valid.txt", "test": "ptb.test.txt"}
MOST_BYTES = 1 << 26
VOCABULARY = 10_000
END = "<eos>"
UNKNOWN = "<unk>"


def read_ptb(files: Files) -> Arrays:
    """Return the three texts as tokens in a row; the vocabulary is the training text's. Raises DataError."""
    texts = {split: _words(files, name) for split, name in NAMES.items()}
    ids = vocabulary(texts["train"])
    if len(ids) > VOCABULARY:
        raise DataError(
            f"{files.path(NAMES['train'])}: has {len(ids):,} words; the vocabulary has {VOCABULARY:,}. "
            f"Replace the rarer ones by {UNKNOWN}, as Mikolov's files have it."
        )
    return {f"{split}_x": _tokens(words, ids, str(files.path(NAMES[split]))) for split, words in texts.items()}


def vocabulary(words: list[str]) -> dict[str, int]:
    """Return {word: token}: by frequency, and alphabetically where words are as frequent."""
    counts = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    return {word: token for token, (word, _) in enumerate(counts)}


def _words(files: Files, name: str) -> list[str]:
    """Return the words of a text, the end of each line one of them."""
    place = files.path(name)
    try:
        text = files.read(name, MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: is no UTF-8 text ({error.reason} at byte {error.start}). {files.advice}") from None
    if "\0" in text or not text.endswith("\n") or END in text:
        raise DataError(
            f"{place}: is no whole text: it must end with a line's end, without zero bytes or the word {END}. "
            f"{files.advice}"
        )
    return text.replace("\n", f" {END} ").split()


def _tokens(words: list[str], ids: dict[str, int], place: str) -> np.ndarray:
    strange = next((word for word in words if word not in ids), None)
    if strange is not None and UNKNOWN not in ids:
        raise DataError(
            f"{place}: has the word {strange!r:.60}, which the training text has not, nor has that {UNKNOWN} to stand "
            f"for it. Use texts of one split."
        )
    return np.array([ids[word] if word in ids else ids[UNKNOWN] for word in words], WORD_TYPE)
