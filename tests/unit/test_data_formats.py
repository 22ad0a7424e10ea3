"""Each format read as it truly is; and every hostile or broken file refused by name, with nothing run or written."""

import io
import os
import pickle
import re
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.data import driving, imdb
from orchestrator.data.files import Files, read_bounded, read_members
from orchestrator.data.formats import FORMATS
from orchestrator.data.info import Arrays
from orchestrator.data.pickles import read_pickle
from orchestrator.data.svhn import parse_mat
from orchestrator.errors import DataError
from tests import made_data


def read(name: str, folder: Path) -> Arrays:
    return FORMATS[name].read(Files(FORMATS[name].found(folder), root=folder))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------- true files


@pytest.mark.parametrize("name", made_data.MAKERS)
def test_arrays_are_as_they_are_said_to_be(name: str, tmp_path: Path) -> None:
    made_data.MAKERS[name](tmp_path / "set")
    arrays = read(name, tmp_path / "set")
    parts = {
        "imdb": {f"{split}_{part}": kind for split in ("train", "test") for part, kind in IMDB.items()},
        "ptb": {f"{split}_x": "int32" for split in ("train", "valid", "test")},
        "driving": {f"{split}_{part}": kind for split in ("train", "test") for part, kind in DRIVING.items()},
    }
    images = {f"{split}_{part}": kind for split in ("train", "test") for part, kind in IMAGES.items()}
    assert {key: array.dtype.name for key, array in arrays.items()} == parts.get(name, images)
    assert all(array.flags.c_contiguous for array in arrays.values())


IMAGES = {"x": "uint8", "y": "int32"}
DRIVING = {"x": "uint8", "y": "float32"}
IMDB = {"x": "int32", "ends": "int64", "y": "int32"}


def test_cifar_rows_become_images_with_the_channels_last(tmp_path: Path) -> None:
    made_data.cifar10(tmp_path / "set")
    arrays = read("cifar10", tmp_path / "set")
    rows = np.concatenate([made_data.batch("labels", 10, seed)["data"] for seed in (0, 1)])  # type: ignore[arg-type]
    assert arrays["train_x"].shape == (2 * made_data.ROWS, 32, 32, 3)
    for row, y, x, channel in ((0, 0, 0, 0), (5, 31, 2, 1), (20, 7, 30, 2)):
        assert arrays["train_x"][row, y, x, channel] == rows[row, channel * 1024 + y * 32 + x]
    assert arrays["test_y"].tolist() == made_data.batch("labels", 10, 2)["labels"]


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    made_data.cifar100(tmp_path / "set")
    assert read("cifar100", tmp_path / "set")["train_y"].tolist() == made_data.batch("fine_labels", 100)["fine_labels"]


def test_a_batch_that_python_2_wrote_is_read() -> None:
    content = made_data.by_python_2()
    ours = read_pickle(content, "batch", "CIFAR batch")
    theirs = pickle.loads(content, encoding="latin1")
    assert ours["labels"] == theirs["labels"] == [0, 1, 2]
    assert ours["data"].dtype == np.uint8
    assert (ours["data"] == theirs["data"]).all()


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind", ["u1", "<i8", ">i4", "O"])
def test_arrays_of_every_protocol_are_read_as_pickle_reads_them(protocol: int, kind: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(kind)
    found = read_pickle(pickle.dumps({"data": array}, protocol), "file", "array")["data"]
    assert np.asarray(found).ravel().tolist() == list(range(6))


def test_reviews_lie_in_a_row_with_their_ends_in_the_order_of_keras(tmp_path: Path) -> None:
    made_data.imdb(tmp_path / "set")
    arrays = read("imdb", tmp_path / "set")
    rng = np.random.RandomState(113)  # as load_data shuffles: the training reviews, then those for testing
    for split, lengths in (("train", (4, 1, 7)), ("test", (2, 3, 5))):
        order = np.arange(3)
        rng.shuffle(order)
        reviews = [made_data.reviews(lengths)[number] for number in order]
        assert arrays[f"{split}_ends"].tolist() == np.cumsum([len(review) for review in reviews]).tolist()
        assert arrays[f"{split}_x"].tolist() == [rank for review in reviews for rank in review]
        assert arrays[f"{split}_y"].tolist() == np.array([0, 1, 1])[order].tolist()


def test_words_are_numbered_by_frequency_and_then_by_the_alphabet(tmp_path: Path) -> None:
    made_data.ptb(tmp_path / "set")
    arrays = read("ptb", tmp_path / "set")
    # the: 3; <eos>, cat: 2; <unk>, dog, on, sat: 1. The word mouse is unknown to the training text.
    assert arrays["train_x"].tolist() == [0, 2, 3, 1, 0, 4, 6, 5, 0, 2, 1]
    assert arrays["test_x"].tolist() == [2, 6, 1, 0, 3, 1]


def test_ten_stands_for_zero_in_svhn(tmp_path: Path) -> None:
    made_data.svhn_extra(tmp_path / "set")
    arrays = read("svhn-extra", tmp_path / "set")
    assert arrays["test_y"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert len(arrays["train_x"]) == 2 * len(arrays["test_x"])
    x = made_data.random().randint(0, 256, (32, 32, 3, made_data.ROWS))
    assert (arrays["test_x"][3] == x[:, :, :, 3]).all()


@pytest.mark.parametrize("head", ["", "center,left,right,steering,throttle,brake,speed\n"])
@pytest.mark.parametrize("place", ["IMG/{}", " IMG/{}", "C:\\Users\\me\\Desktop\\IMG\\{}", "/home/me/recording/IMG/{}"])
def test_a_recording_is_read_wherever_it_was_recorded(head: str, place: str, tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set", path=place.format)
    log = tmp_path / "set" / "driving_log.csv"
    log.write_text(head + log.read_text(encoding="utf-8"), encoding="utf-8")
    arrays = read("driving", tmp_path / "set")
    assert arrays["train_x"].shape == (24, 66, 200, 3)
    assert arrays["test_x"].shape == (2, 66, 200, 3)


def test_no_camera_of_a_test_frame_is_trained_on_and_side_cameras_steer_back(tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set")
    frames = driving.read_log(Files({}, root=tmp_path / "set"))
    train, test = driving.split(frames)
    assert [name for name, _ in test] == ["IMG/center_004.jpg", "IMG/center_009.jpg"]
    assert not [name for name, _ in train if "_004" in name or "_009" in name]
    assert train[3:6] == [
        ("IMG/center_001.jpg", 0.01),
        ("IMG/left_001.jpg", pytest.approx(0.21)),
        ("IMG/right_001.jpg", pytest.approx(-0.19)),
    ]
    arrays = read("driving", tmp_path / "set")
    assert arrays["test_x"][:, 0, 0, 0].tolist() == pytest.approx([4, 9], abs=2)  # each as bright as it was made
    assert arrays["train_x"][3:6, 0, 0, 0].tolist() == pytest.approx([1, 51, 101], abs=2)


def test_sky_and_bonnet_are_cut_off(tmp_path: Path) -> None:
    from PIL import Image

    picture = np.zeros((160, 320, 3), np.uint8)
    picture[60:135] = 200
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100)
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    assert driving.read_image(Files({}, root=tmp_path), "a.jpg").min() > 150


# ---------------------------------------------------------------------------- pickles that would run something


class Exploit:
    """What makes a file when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def hostile(kind: str, made: Path) -> bytes:
    order = f"touch '{made}'"
    if kind == "os.system":
        return pickle.dumps({"data": Exploit(os.system, order), "labels": []}, 4)
    if kind == "eval":
        return pickle.dumps({"data": Exploit(eval, f"open({str(made)!r}, 'w').close()")}, 2)
    if kind == "instance":
        return b"(S" + repr(order).encode() + b"\nios\nsystem\n."
    if kind == "object":
        return b"(cos\nsystem\nS" + repr(order).encode() + b"\no."
    assert kind == "in a list"
    return pickle.dumps({"labels": [Exploit(os.system, order)]}, 0)


@pytest.mark.parametrize("kind", ["os.system", "eval", "instance", "object", "in a list"])
def test_a_pickle_that_would_run_something_runs_nothing(kind: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    content = hostile(kind, made)
    pickle.loads(content)
    assert made.exists(), "the file is not hostile"
    made.unlink()
    made_data.cifar10(tmp_path / "set")
    (tmp_path / "set" / "data_batch_1").write_bytes(content)
    with pytest.raises(DataError, match="set/data_batch_1: is no CIFAR batch"):
        read("cifar10", tmp_path / "set")
    assert not made.exists()


@pytest.mark.parametrize("kind", ["os.system", "eval"])
def test_reviews_that_would_run_something_run_nothing(kind: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    array = np.empty(3, object)
    array[:] = [[1], Exploit(os.system, f"touch '{made}'"), [2]]
    made_data.imdb(tmp_path / "set", x_train=array)
    np.load(tmp_path / "set" / "imdb.npz", allow_pickle=True)["x_train"]
    assert made.exists(), "the file is not hostile"
    made.unlink()
    with pytest.raises(DataError, match=r"imdb\.npz, member x_train\.npy: is no array of lists.*posix\.system"):
        read("imdb", tmp_path / "set")
    assert not made.exists()


def nested_key() -> bytes:
    """Return a dictionary whose key takes 2 ** 60 steps to hash."""
    return b"\x80\x02}(" + b"N" + b"q\x00h\x00\x86" * 60 + b"Nu."


def refused_pickles() -> dict[str, bytes]:
    array = pickle.dumps({"data": np.zeros((2, 3), np.uint8)}, 2)
    return {
        "something outside of it": b"\x80\x02X\x01\x00\x00\x00aQ.",
        "what no such file needs": pickle.dumps(np.load, 2),
        "a set": pickle.dumps({1, 2}, 4),
        "a class of its own": pickle.dumps(pickle.PicklingError("x"), 4),
        "other keys than names": pickle.dumps({(1, 2): 3}, 2),
        "nested keys": nested_key(),
        "a list as a function": b"\x80\x02]K\x01\x85R.",
        "an altered function": b"\x80\x02cnumpy\ndtype\n}b.",
        "structured elements": pickle.dumps(np.zeros(2, [("a", "u1")]), 2),
        "an array by columns": pickle.dumps(np.asfortranarray(np.zeros((2, 3))), 2),
        "fewer numbers than its shape": array.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86"),
        "a huge array": array.replace(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
        "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
        "a huge bytearray": b"\x80\x05\x96" + (1 << 60).to_bytes(8, "little") + b".",
        "a huge text": b"\x80\x04\x8d" + (1 << 60).to_bytes(8, "little") + b".",
        "nothing": b"",
        "no pickle": b"<html>not found</html>",
    }


@pytest.mark.parametrize("what", refused_pickles())
def test_a_pickle_of_anything_else_is_refused_at_once(what: str) -> None:
    before = time.monotonic()
    with pytest.raises(DataError, match=r"^the-file: is no CIFAR batch \(.+\). A true one is"):
        read_pickle(refused_pickles()[what], "the-file", "CIFAR batch")
    assert time.monotonic() - before < 5


def test_a_huge_place_in_the_memory_of_a_pickle_takes_no_memory() -> None:
    assert read_pickle(b"\x80\x02]r\xff\xff\xff\xff.", "file", "list") == []


@pytest.mark.parametrize(
    "change",
    [
        {"data": np.zeros((3, 3072), np.int64)},
        {"data": np.zeros((3, 3000), np.uint8)},
        {"data": [[0] * 3072]},
        {"labels": [1, 2]},
        {"labels": [1, 2, 10]},
        {"labels": [1, 2, True]},
        {"labels": None},
    ],
)
def test_a_batch_with_other_rows_or_classes_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    made_data.cifar10(tmp_path / "set")
    right = {"data": np.zeros((3, 3072), np.uint8), "labels": [0, 1, 9]}
    path = tmp_path / "set" / "test_batch"
    path.write_bytes(pickle.dumps(right, 2))
    read("cifar10", tmp_path / "set")
    path.write_bytes(pickle.dumps({**right, **change}, 2))
    with pytest.raises(DataError, match=r"set/test_batch: has no"):
        read("cifar10", tmp_path / "set")


# ---------------------------------------------------------------------------- imdb.npz


def zipped(path: Path, members: dict[str, bytes], names: list[str] | None = None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or list(members):
            archive.writestr(name, members[name])


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    made_data.imdb(tmp_path / "set")
    return tmp_path / "set" / "imdb.npz"


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_archive_with_another_member_is_refused(npz: Path) -> None:
    zipped(npz, {**members_of(npz), "../evil.npy": b"x"})
    with pytest.raises(DataError, match=r"imdb\.npz: has the members .*'\.\./evil\.npy'; allowed are exactly"):
        read("imdb", npz.parent)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(npz: Path) -> None:
    zipped(npz, {**members_of(npz), "x_train.npy": bytes(imdb.MOST_BYTES + 1)})
    assert npz.stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"imdb\.npz: its member x_train\.npy is broken, or too large"):
        read("imdb", npz.parent)


def test_a_zip_bomb_that_lies_about_its_size_is_refused(npz: Path) -> None:
    zipped(npz, {**members_of(npz), "x_train.npy": bytes(1 << 24)})
    content = npz.read_bytes()
    npz.write_bytes(content.replace((1 << 24).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"imdb\.npz: "):
        read("imdb", npz.parent)


@pytest.mark.parametrize(
    ("name", "array", "wrong"),
    [
        ("x_train", np.zeros((3, 4), np.int64), "says it has the shape"),
        ("x_train", np.zeros(3, np.int64), "holds no reviews"),
        ("y_train", np.array([0, 1]), "y_train are not 3 zeros and ones"),
        ("y_train", np.array([0, 1, 2]), "y_train are not 3 zeros and ones"),
        ("y_train", np.array([0.0, 1, 1]), "y_train are not 3 zeros and ones"),
        ("x_train", np.array([[1], [0, 2], [3]], object), "review 1 has ranks outside"),
        ("x_train", np.array([[1], [1 << 40, 2], [3]], object), "review 1 has ranks outside"),
        ("x_train", np.array([[1], ["a", 2], [3]], object), "review 1 is no list of whole numbers"),
        ("x_train", np.array([[1], [2.5, 2], [3]], object), "review 1 is no list of whole numbers"),
    ],
)
def test_other_arrays_than_reviews_and_classes_are_refused(
    name: str, array: np.ndarray, wrong: str, tmp_path: Path
) -> None:
    made_data.imdb(tmp_path / "set", **{name: array})
    with pytest.raises(DataError, match=rf"imdb\.npz.*{wrong}"):
        read("imdb", tmp_path / "set")


@pytest.mark.parametrize("head", [b"\x93NUMPY\x01\x00\x10\x00{__import__('os')", b"\x93NUMPY\x09\x00", b"hello", b""])
def test_a_member_with_another_head_is_refused(head: bytes, npz: Path) -> None:
    zipped(npz, {**members_of(npz), "y_test.npy": head})
    with pytest.raises(DataError, match=r"imdb\.npz.*y_test\.npy"):
        read("imdb", npz.parent)


# ---------------------------------------------------------------------------- .mat


@pytest.mark.parametrize(
    "variables",
    [
        {"extra": np.zeros(3)},
        {"X": np.zeros((32, 32, 3, 12))},
        {"X": np.zeros((32, 32, 3), np.uint8)},
        {"X": np.zeros((16, 32, 3, 12), np.uint8)},
        {"y": np.ones((11, 1), np.uint8)},
        {"y": np.ones((1, 12), np.uint8)},
        {"y": np.zeros((12, 1), np.uint8)},
        {"y": np.full((12, 1), 11, np.uint8)},
        {"y": {"field": 1}},
        {"y": "text"},
    ],
)
def test_a_matlab_file_with_anything_else_is_refused(variables: dict[str, Any]) -> None:
    parse_mat(made_data.mat(), Path("a.mat"))
    with pytest.raises(DataError, match=r"^a\.mat: "):
        parse_mat(made_data.mat(**variables), Path("a.mat"))


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(5000), b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_what_is_no_matlab_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^a\.mat: "):
        parse_mat(content, Path("a.mat"))


# ---------------------------------------------------------------------------- recordings


@pytest.mark.parametrize(
    "place",
    [
        "../IMG/{}",
        "IMG/../../IMG/{}",
        "IMG/../{}",
        "/etc/{}",
        "C:\\secrets\\{}",
        "other/{}",
        "{}",
        "deep/IMG/{}",
        "IMG/{}.exe",
        "IMG/a b{}",
        "IMG\\..\\{}",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(place: str, tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set", path=place.format)
    with pytest.raises(DataError, match=r"driving_log\.csv, line 1: '.*' is no image in the recording's folder IMG"):
        read("driving", tmp_path / "set")


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set")
    image = tmp_path / "set" / "IMG" / "left_003.jpg"
    image.rename(tmp_path / "secret.jpg")
    image.symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(DataError, match=rf"^{image}: leads out of {tmp_path}/set, to {tmp_path}/secret\.jpg"):
        read("driving", tmp_path / "set")


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        (",0.03,", ",nan,", "steering from -1 to 1"),
        (",0.03,", ",1.5,", "steering from -1 to 1"),
        (",0.03,", ",left,", "steering from -1 to 1"),
        (",0.03,", ",", "has 6 fields"),
        ("left_003", "left_004", "stands there more than once"),
        ("left_003", "center_003", "stands there more than once"),
        ("left_003", "left_999", "is not there"),
        ("IMG/left_003", '"IMG/left_003', "is no complete table"),
        ("IMG/left_003", "\udcff", "is no complete table"),
    ],
)
def test_a_wrong_line_of_a_recording_is_named(old: str, new: str, wrong: str, tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set")
    log = tmp_path / "set" / "driving_log.csv"
    log.write_text(log.read_text(encoding="utf-8").replace(old, new), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DataError, match=wrong):
        read("driving", tmp_path / "set")


def huge(content: bytes) -> bytes:
    """Return a JPEG whose head says 65,000 x 65,000 pixels."""
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + (65_000).to_bytes(2, "big") * 2 + content[place + 4 :]


@pytest.mark.parametrize(
    "content",
    [made_data.jpeg(3)[:-400], b"", b"<html>", huge(made_data.jpeg(3)), made_data.jpeg(3, (320, 161)), b"\x89PNG" * 9],
    ids=["truncated", "empty", "text", "bomb", "other size", "other format"],
)
def test_a_broken_image_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    made_data.driving(tmp_path / "set")
    path = tmp_path / "set" / "IMG" / "right_002.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{path}: (is no complete JPEG|has )"):
        read("driving", tmp_path / "set")


# ---------------------------------------------------------------------------- IDX and texts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (made_data.IDX[0], made_data.idx(np.zeros((12, 28, 27)))),
        (made_data.IDX[0], made_data.idx(np.zeros((11, 28, 28)))),
        (made_data.IDX[0], made_data.idx(np.zeros((12, 28, 28)))[:-1]),
        (made_data.IDX[0], made_data.idx(np.zeros((12, 784)))),
        (made_data.IDX[0], bytes([0, 0, 8, 3]) + b"\xff" * 12),
        (made_data.IDX[1], made_data.idx(np.full(12, 10))),
        (made_data.IDX[1], made_data.idx(np.zeros(13))),
        (made_data.IDX[3], bytes([0, 0, 13, 1]) + bytes(16)),
        (made_data.IDX[3], b""),
    ],
)
def test_a_wrong_idx_file_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    made_data.mnist(tmp_path / "set")
    read("mnist", tmp_path / "set")
    (tmp_path / "set" / name).write_bytes(content)
    with pytest.raises(DataError, match="set/t"):
        read("mnist", tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("ptb.train.txt", b"the cat", "is no whole text"),
        ("ptb.train.txt", b"the\0cat\n", "is no whole text"),
        ("ptb.valid.txt", b"the <eos> cat\n", "is no whole text"),
        ("ptb.test.txt", b"\xff\xfe\n", "is no UTF-8 text"),
        ("ptb.train.txt", b"the dog sat on the cat\n", "has the word 'mouse', which the training text has not"),
        ("ptb.train.txt", " ".join(map(str, range(10_000))).encode() + b"\n", "has 10,001 words"),
    ],
)
def test_a_wrong_text_is_refused(name: str, text: bytes, wrong: str, tmp_path: Path) -> None:
    made_data.ptb(tmp_path / "set")
    (tmp_path / "set" / name).write_bytes(text)
    with pytest.raises(DataError, match=wrong):
        read("ptb", tmp_path / "set")


# ---------------------------------------------------------------------------- any format, and archives


@pytest.mark.parametrize("name", [name for name in made_data.MAKERS if name not in ("ptb", "driving")])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused_by_name(name: str, share: float, tmp_path: Path) -> None:
    made_data.MAKERS[name](tmp_path / "set")
    files = FORMATS[name].found(tmp_path / "set")
    path = files[sorted(files)[-1]]
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    before = everything(tmp_path)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read(name, tmp_path / "set")
    assert everything(tmp_path) == before


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, content in members:
            item = tarfile.TarInfo(name)
            if content is None:
                item.type, item.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                item.size = len(content)
            file.addfile(item, io.BytesIO(content or b""))
    return path


def test_of_an_archive_only_the_wanted_members_are_read_and_none_is_written(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", ("../../evil", b"x"), ("set/a", b"1"), ("set/b", b"2"), ("set/c", b"3"))
    assert read_members(path, ["set/a", "set/c"], 10, "") == {"set/a": b"1", "set/c": b"3"}
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ([("set/a", None)], "its member 'set/a' is no plain file"),
        ([("set/a", b"1"), ("set/a", b"2")], "or there more than once"),
        ([("set/b", b"1")], "lacks set/a"),
        ([("set/a", bytes(1000))], "has 1,000 bytes"),
        ([("bomb", bytes(1 << 20)), ("set/a", b"1")], "has 1,048,576 bytes"),
        ([(f"set/{number}", b"") for number in range(1100)], "at most 1000 members"),
    ],
)
def test_a_hostile_archive_is_refused(members: list[tuple[str, bytes | None]], wrong: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", *members)
    with pytest.raises(DataError, match=rf"^{path}: .*{wrong}"):
        read_members(path, ["set/a"], 100, "")


def test_a_broken_archive_and_a_gzip_bomb_are_refused(tmp_path: Path) -> None:
    import gzip

    path = archive(tmp_path / "a.tar.gz", ("set/a", os.urandom(5000)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=f"^{path}: is no complete archive"):
        read_members(path, ["set/a"], 10_000, "")
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(1 << 24)))
    with pytest.raises(DataError, match=f"^{bomb}: holds more than 1,000 bytes once uncompressed"):
        read_bounded(bomb, 1000, "")
