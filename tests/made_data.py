"""Small datasets in their true formats, made here: what the published files look like, with a few rows."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

ROWS = 12
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR10 = ("data_batch_1", "data_batch_2", "test_batch")
PTB = {
    "ptb.train.txt": " the cat <unk> \n the dog sat on the cat \n",
    "ptb.valid.txt": " the dog \n",
    "ptb.test.txt": " cat sat \n the mouse \n",
}


def random(seed: int = 0) -> np.random.RandomState:
    return np.random.RandomState(seed)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in IDX:
        shape = (ROWS, 28, 28) if "images" in name else (ROWS,)
        (folder / name).write_bytes(idx(random().randint(0, 10, shape)))


def batch(key: str, classes: int, seed: int = 0) -> dict[str, object]:
    labels = [int(label) for label in random(seed).randint(0, classes, ROWS)]
    return {"data": random(seed).randint(0, 256, (ROWS, 3072)).astype(np.uint8), key: labels}


def cifar10(folder: Path) -> None:
    folder.mkdir(parents=True)
    for seed, name in enumerate(CIFAR10):
        content = {**batch("labels", 10, seed), "batch_label": b"training batch", "filenames": ["a.png"] * ROWS}
        (folder / name).write_bytes(pickle.dumps(content, 2 + 2 * (seed % 2)))


def cifar100(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("train", "test"):
        content = {**batch("fine_labels", 100), "coarse_labels": [0] * ROWS}
        (folder / name).write_bytes(pickle.dumps({key.encode(): value for key, value in content.items()}, 4))


def by_python_2(rows: int = 3) -> bytes:
    """Return a CIFAR batch as Python 2 pickled the published ones, instruction by instruction."""
    head = b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = bytes(place % 251 for place in range(rows * 3072))
    array = (
        b"(K\x01K" + bytes([rows]) + b"M\x00\x0c\x86" + kind + b"\x89T" + len(content).to_bytes(4, "little") + content
    )
    return head + array + b"tbU\x06labels](" + b"".join(b"K" + bytes([row]) for row in range(rows)) + b"eu."


def reviews(lengths: tuple[int, ...], seed: int = 0) -> np.ndarray:
    ranks = [[int(rank) for rank in random(seed).randint(1, 90, length)] for length in lengths]
    array = np.empty(len(ranks), object)
    array[:] = ranks
    return array


def imdb(folder: Path, **members: np.ndarray) -> None:
    folder.mkdir(parents=True)
    labels = np.array([0, 1, 1])
    parts = {"x_train": reviews((4, 1, 7)), "y_train": labels, "x_test": reviews((2, 3, 5)), "y_test": labels}
    np.savez_compressed(folder / "imdb.npz", allow_pickle=True, **{**parts, **members})


def ptb(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, text in PTB.items():
        (folder / name).write_text(text, encoding="utf-8")


def mat(**variables: object) -> bytes:
    """Return a MATLAB file as the published ones are, compressed; variables take the place of X and y."""
    rows = {"X": random().randint(0, 256, (32, 32, 3, ROWS)).astype(np.uint8), "y": np.arange(ROWS) % 10 + 1}
    rows["y"] = rows["y"].astype(np.uint8)[:, np.newaxis]
    file = io.BytesIO()
    scipy.io.savemat(file, {**rows, **variables}, do_compression=True)
    return file.getvalue()


def svhn(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (folder / name).write_bytes(mat())


def svhn_extra(folder: Path) -> None:
    svhn(folder)
    (folder / "extra_32x32.mat").write_bytes(mat())


def jpeg(shade: int, size: tuple[int, int] = (320, 160)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (shade, 100, 200)).save(file, "JPEG")
    return file.getvalue()


def driving(folder: Path, frames: int = 10, path: Callable[[str], str] = lambda name: f"IMG/{name}") -> None:
    """Write a recording; frame i is as bright as i, its left image as 50 + i, its right one as 100 + i."""
    (folder / "IMG").mkdir(parents=True)
    lines = []
    for frame in range(frames):
        names = [f"{camera}_{frame:03}.jpg" for camera in ("center", "left", "right")]
        for shade, name in zip((frame, 50 + frame, 100 + frame), names, strict=True):
            (folder / "IMG" / name).write_bytes(jpeg(shade))
        lines.append(",".join([*map(path, names), str(frame / 100), "1", "0", "9.5"]))
    (folder / "driving_log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


MAKERS: dict[str, Callable[[Path], None]] = {
    "mnist": mnist,
    "fashion-mnist": mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "imdb": imdb,
    "ptb": ptb,
    "driving": driving,
    "svhn": svhn,
    "svhn-extra": svhn_extra,
}
