"""Datasets: canonical arrays or a refusal, from the user's folder or a server on this machine."""

import functools
import gzip
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from orchestrator import datasets
from orchestrator.data.builtin import BUILTIN, FILES, load_canonical
from orchestrator.data.canonical import FileSet
from orchestrator.data.downloads import Download
from orchestrator.data.formats import FORMATS, Format
from orchestrator.data.idx import read_idx_set
from orchestrator.datasets import DatasetInfo, find_data_dir, prepare
from orchestrator.errors import DataError, UsageError
from workers.spec import Input, arrays_sha256

RNG = np.random.RandomState(0)
ARRAYS: dict[str, np.ndarray] = {
    "train_x": RNG.randint(0, 256, (40, 5, 4, 1)).astype(np.uint8),
    "train_y": RNG.randint(0, 3, 40).astype(np.int32),
    "test_x": RNG.randint(0, 256, (10, 5, 4, 1)).astype(np.uint8),
    "test_y": RNG.randint(0, 3, 10).astype(np.int32),
}
FILE_NAMES = ("train-images", "train-labels", "test-images", "test-labels")


def idx(array: np.ndarray) -> bytes:
    axes = array.shape[:3]
    header = bytes([0, 0, 8, len(axes)]) + b"".join(size.to_bytes(4, "big") for size in axes)
    return header + array.astype(np.uint8).tobytes()


RAW = {name: idx(array) for name, array in zip(FILE_NAMES, ARRAYS.values(), strict=True)}
ZIPPED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in RAW.items()}
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in RAW.items()}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in ZIPPED.items()}
NOWHERE = "http://127.0.0.1:9/"


class Mirror:
    """A server on this machine: what it holds, how it behaves and what it was asked."""

    def __init__(self) -> None:
        self.files = dict(ZIPPED)
        self.ranges = True
        self.breaks: list[int] = []  # for the next requests: close the connection after so many bytes
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, wanted = self.path.rsplit("/", 1)[-1], self.headers.get("Range")
            mirror.asked.append((name, wanted))
            if name not in mirror.files:
                self.send_error(404)
                return
            content, start = mirror.files[name], 0
            if wanted and mirror.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: mirror.breaks.pop(0)] if mirror.breaks else body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mirror.url = f"http://127.0.0.1:{server.server_port}/tiny/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield mirror
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr("orchestrator.data.downloads.CHUNK_BYTES", 100)


Install = Callable[..., None]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make ``tiny`` a dataset that cannot be downloaded; return a function that gives it other mirrors."""

    def install(*mirrors: str) -> None:
        downloads = tuple(Download(f"{name}.gz", f"md5:{MD5[name + '.gz']}", (name,)) for name in FILE_NAMES)
        digests = {name: f"sha256:{digest}" for name, digest in SHA256.items()}
        monkeypatch.setitem(FILES, "tiny", FileSet("tiny", digests, mirrors, downloads))
        read = functools.partial(read_idx_set, names=FILE_NAMES, pixels=(5, 4))
        monkeypatch.setitem(FORMATS, "tiny", Format(FILE_NAMES, read))
        load = functools.partial(load_canonical, name="tiny")
        shape = Input(name="image", shape=[5, 4, 1], dtype="uint8")
        info = DatasetInfo("tiny", "Tiny", (shape,), 3, 40, 10, arrays_sha256(ARRAYS), load, like="tiny")
        monkeypatch.setitem(BUILTIN, "tiny", info)

    install(NOWHERE)
    return install


def lay_out(folder: Path, zipped: bool = False) -> Path:
    folder.mkdir(parents=True)
    for name, content in (ZIPPED if zipped else RAW).items():
        (folder / name).write_bytes(content)
    return folder


def load(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in sorted(folder.iterdir())}


def assert_tiny(folder: Path) -> None:
    assert arrays_sha256(load(folder)) == arrays_sha256(ARRAYS)


# ---------------------------------------------------------------------------- the cache


def test_every_dataset_describes_itself() -> None:
    for name, info in BUILTIN.items():
        assert (info.name, info.like) == (name, name)
        assert datasets.find(name) is info
        assert datasets.describe(name) is info
        assert len(info.checksum) == 64 or name in FILES or name == "driving"
    assert datasets.find("mnits") is None
    with pytest.raises(UsageError, match="Did you mean 'mnist'"):
        datasets.describe("mnits")


def test_digits_are_made_once_and_are_as_described(tmp_path: Path) -> None:
    folder = prepare("digits", tmp_path, None, progress=False)
    info = BUILTIN["digits"]
    assert folder == tmp_path / "datasets" / f"digits-{info.checksum[:12]}"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    arrays = load(folder)
    assert arrays_sha256(arrays) == info.checksum
    assert arrays["train_x"].shape == (info.train_rows, *info.inputs[0].shape)
    assert arrays["test_x"].shape == (info.test_rows, *info.inputs[0].shape)
    for split in ("train", "test"):
        assert arrays[f"{split}_x"].dtype == np.uint8
        assert arrays[f"{split}_y"].dtype == np.int32
        assert set(arrays[f"{split}_y"].tolist()) == set(range(info.outputs))
    assert arrays["train_x"].max() * info.inputs[0].scale == 1
    before = (folder / "train_x.npy").stat().st_ino
    assert prepare("digits", tmp_path, None, progress=False) == folder
    assert (folder / "train_x.npy").stat().st_ino == before


def test_digits_keep_every_row_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    arrays = load(prepare("digits", tmp_path, None, progress=False))
    images = np.concatenate([arrays["train_x"], arrays["test_x"]])[..., 0]
    labels = np.concatenate([arrays["train_y"], arrays["test_y"]])
    ours = sorted((int(label), image.tobytes()) for image, label in zip(images, labels, strict=True))
    bundled = load_digits()
    theirs = zip(bundled.images.astype(np.uint8), bundled.target, strict=True)
    assert ours == sorted((int(label), image.tobytes()) for image, label in theirs)


@pytest.mark.parametrize("damage", ["value", "truncated", "missing", "text"])
def test_an_altered_cache_is_made_anew(tmp_path: Path, tiny: Install, damage: str) -> None:
    data_dir = lay_out(tmp_path / "data")
    folder = prepare("tiny", tmp_path, data_dir, progress=False)
    path = folder / "test_y.npy"
    if damage == "value":
        np.save(path, 2 - np.load(path))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "missing":
        path.unlink()
    else:
        path.write_text("not an array")
    assert prepare("tiny", tmp_path, data_dir, progress=False) == folder
    assert_tiny(folder)


def test_arrays_with_another_checksum_are_refused(
    tmp_path: Path, tiny: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILTIN, "tiny", replace(BUILTIN["tiny"], checksum="0" * 64))
    with pytest.raises(DataError, match=f"{arrays_sha256(ARRAYS)}; expected is {'0' * 64}"):
        prepare("tiny", tmp_path, lay_out(tmp_path / "data"), progress=False)
    assert not (tmp_path / "datasets").exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, tiny: Install) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file")
    with pytest.raises(DataError, match=f"{cache}/datasets/tiny-.*cannot be written.*BENCH_CACHE_DIR"):
        prepare("tiny", cache, lay_out(tmp_path / "data"), progress=False)


# ---------------------------------------------------------------------------- the user's folder


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", ["", "tiny"])
def test_files_in_the_users_folder_are_read(tmp_path: Path, tiny: Install, zipped: bool, below: str) -> None:
    lay_out(tmp_path / "data" / below, zipped)
    assert_tiny(prepare("tiny", tmp_path, tmp_path / "data", progress=False))
    assert not (tmp_path / "downloads").exists()


def test_other_compression_is_the_same_file(tmp_path: Path, tiny: Install) -> None:
    folder = lay_out(tmp_path / "data", zipped=True)
    (folder / "train-images.gz").write_bytes(gzip.compress(RAW["train-images"], compresslevel=1, mtime=5))
    assert_tiny(prepare("tiny", tmp_path, folder, progress=False))


def test_missing_files_are_named(tmp_path: Path, tiny: Install) -> None:
    folder = lay_out(tmp_path / "data" / "tiny", zipped=True)
    (folder / "train-labels.gz").unlink()
    (folder / "test-labels.gz").unlink()
    with pytest.raises(DataError) as caught:
        prepare("tiny", tmp_path, tmp_path / "data", progress=False)
    text = str(caught.value)
    assert f"{folder} lacks train-labels, test-labels" in text
    assert f"looked in {folder} and {tmp_path / 'data'}" in text
    assert "--data-dir" in text


@pytest.mark.parametrize("zipped", [False, True])
def test_other_content_is_refused(tmp_path: Path, tiny: Install, zipped: bool) -> None:
    folder = lay_out(tmp_path / "data", zipped)
    other = RAW["test-images"][:-1] + b"\x00"
    assert other != RAW["test-images"]
    path = folder / ("test-images.gz" if zipped else "test-images")
    path.write_bytes(gzip.compress(other) if zipped else other)
    with pytest.raises(DataError) as caught:
        prepare("tiny", tmp_path, folder, progress=False)
    text = str(caught.value)
    assert text.startswith(f"{path}: is not the canonical test-images.")
    assert hashlib.sha256(other).hexdigest() in text
    assert SHA256[FILE_NAMES[2]] in text
    assert not (tmp_path / "datasets").exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_a_broken_gzip_file_is_refused(tmp_path: Path, tiny: Install, damage: str) -> None:
    folder = lay_out(tmp_path / "data", zipped=True)
    path = folder / "train-images.gz"
    whole = path.read_bytes()
    flipped = whole[:100] + bytes([whole[100] ^ 255]) + whole[101:]
    path.write_bytes({"truncated": whole[:-20], "empty": b"", "text": b"<html>", "flipped": flipped}[damage])
    with pytest.raises(DataError) as caught:
        prepare("tiny", tmp_path, folder, progress=False)
    assert str(caught.value).startswith(f"{path}: is no")
    assert not (tmp_path / "datasets").exists()


def test_the_data_dir_option_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option, setting = lay_out(tmp_path / "option"), lay_out(tmp_path / "setting")
    assert find_data_dir(None) is None
    monkeypatch.setenv("BENCH_DATA_DIR", "")
    assert find_data_dir(None) is None
    monkeypatch.setenv("BENCH_DATA_DIR", str(setting))
    assert find_data_dir(None) == setting
    assert find_data_dir(option) == option
    with pytest.raises(DataError, match="absent: --data-dir names it, but it is no folder"):
        find_data_dir(tmp_path / "absent")
    monkeypatch.setenv("BENCH_DATA_DIR", str(setting / "train-images"))
    with pytest.raises(DataError, match="train-images: BENCH_DATA_DIR names it, but it is no folder"):
        find_data_dir(None)


# ---------------------------------------------------------------------------- downloads


def test_a_download_is_kept(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(mirror.url)
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = prepare("tiny", tmp_path, empty, progress=True)
    assert_tiny(folder)
    assert mirror.asked == [(name, None) for name in ZIPPED]
    assert sorted(path.name for path in (tmp_path / "downloads" / "tiny").iterdir()) == sorted(ZIPPED)
    (folder / "train_x.npy").unlink()
    tiny(NOWHERE)
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))


def test_a_download_that_was_altered_is_repeated(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(mirror.url)
    downloads = lay_out(tmp_path / "downloads" / "tiny", zipped=True)
    (downloads / "test-labels.gz").write_bytes(ZIPPED["test-images.gz"])
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))
    assert mirror.asked == [("test-labels.gz", None)]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_partial_download_goes_on(tmp_path: Path, tiny: Install, mirror: Mirror, ranges: bool) -> None:
    tiny(mirror.url)
    mirror.ranges = ranges
    part = tmp_path / "downloads" / "tiny" / "train-images.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(ZIPPED["train-images.gz"][:300])
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))
    assert mirror.asked[0] == ("train-images.gz", "bytes=300-")
    assert len(mirror.asked) == 4
    assert not part.exists()


def test_a_connection_that_breaks_is_taken_up_again(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(mirror.url)
    mirror.breaks = [200]
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))
    assert mirror.asked[:2] == [("train-images.gz", None), ("train-images.gz", "bytes=200-")]


def test_what_has_arrived_is_kept_for_the_next_run(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(mirror.url)
    mirror.breaks = [200, 100]
    with pytest.raises(DataError, match=r"train-images\.gz: the connection broke off"):
        prepare("tiny", tmp_path, None, progress=False)
    part = tmp_path / "downloads" / "tiny" / "train-images.gz.part"
    assert part.read_bytes() == ZIPPED["train-images.gz"][:300]
    assert [path.name for path in part.parent.iterdir()] == [part.name]
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))
    assert mirror.asked[2] == ("train-images.gz", "bytes=300-")


@pytest.mark.parametrize("left", ["whole", "other", "too long"])
def test_a_wrong_partial_file_does_no_harm(tmp_path: Path, tiny: Install, mirror: Mirror, left: str) -> None:
    tiny(mirror.url)
    whole = ZIPPED["train-images.gz"]
    part = tmp_path / "downloads" / "tiny" / "train-images.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes({"whole": whole, "other": b"x" * 300, "too long": whole + b"x"}[left])
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))
    asked = [wanted for name, wanted in mirror.asked if name == "train-images.gz"]
    assert asked[1:] == ([] if left == "whole" else [None])


def test_the_next_mirror_is_tried(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(NOWHERE, mirror.url)
    assert_tiny(prepare("tiny", tmp_path, None, progress=False))


def test_other_content_on_every_mirror_is_refused(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(mirror.url)
    mirror.files["test-labels.gz"] = gzip.compress(RAW["test-labels"][:-1] + b"\x07", mtime=0)
    with pytest.raises(DataError) as caught:
        prepare("tiny", tmp_path, None, progress=False)
    assert f"{mirror.url}test-labels.gz: another file is there; its md5 is not {MD5['test-labels.gz']}" in str(
        caught.value
    )
    assert not (tmp_path / "datasets").exists()
    assert "test-labels.gz" not in [path.name for path in (tmp_path / "downloads" / "tiny").iterdir()]


def test_a_failed_download_says_what_to_do(tmp_path: Path, tiny: Install, mirror: Mirror) -> None:
    tiny(NOWHERE, mirror.url)
    mirror.files.clear()
    with pytest.raises(DataError) as caught:
        prepare("tiny", tmp_path, tmp_path, progress=False)
    text = str(caught.value)
    assert f"{NOWHERE}train-images.gz: no connection" in text
    assert f"{mirror.url}train-images.gz: the server answers 404 Not Found" in text
    assert "--data-dir" in text
    assert ", ".join(FILE_NAMES) in text
    assert f"{tmp_path / 'tiny'} and {tmp_path}" in text
    assert not (tmp_path / "datasets").exists()


# ---------------------------------------------------------------------------- the real MNIST


def real_data() -> Path | None:
    places = [os.environ.get("BENCH_DATA_DIR"), Path(__file__).resolve().parents[3] / "shared" / "data"]
    return next((Path(place) for place in places if place and (Path(place) / "mnist").is_dir()), None)


REAL_DATA = real_data()


@pytest.mark.skipif(REAL_DATA is None, reason="no MNIST: neither BENCH_DATA_DIR nor ../shared/data holds mnist/")
def test_mnist_is_the_published_one(tmp_path: Path) -> None:
    arrays = load(prepare("mnist", tmp_path, REAL_DATA, progress=False))
    info = BUILTIN["mnist"]
    assert arrays_sha256(arrays) == info.checksum
    assert arrays["train_x"].shape == (info.train_rows, 28, 28, 1)
    assert arrays["test_x"].shape == (info.test_rows, 28, 28, 1)
    assert arrays["train_y"][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert arrays["test_y"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert abs(arrays["train_x"].mean() / 255 - 0.1307) < 1e-4
