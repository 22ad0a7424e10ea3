"""Imported and synthetic datasets: registered under a name of their own, verified, refused once their files change."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator import datasets, holdings
from orchestrator.data.builtin import BUILTIN, FILES
from orchestrator.data.canonical import FileSet
from orchestrator.data.downloads import Download
from orchestrator.datasets import import_folder, prepare, why_no_stand_in
from orchestrator.errors import DataError, UsageError
from tests import made_data
from tests.commands import bench
from tests.unit.test_data_formats import archive, hostile
from tests.unit.test_datasets import NOWHERE, REAL_DATA, load
from workers.spec import arrays_sha256


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    return tmp_path / "cache"


@pytest.fixture(params=made_data.MAKERS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    name: str = request.param
    made_data.MAKERS[name](tmp_path / "set")
    return name, tmp_path / "set"


def left_in(cache: Path) -> list[str]:
    folder = cache / "datasets"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# ---------------------------------------------------------------------------- import


def test_an_import_is_a_dataset_of_its_own(made: tuple[str, Path], cache: Path) -> None:
    like, folder = made
    done = import_folder(folder, like, "mine")
    info = datasets.find("mine")
    assert info is not None
    assert (done.name, done.canonical, info.like, info.synthetic) == ("mine", False, like, False)
    assert datasets.names()[-1] == "mine"
    assert why_no_stand_in(BUILTIN[like], info) is None
    assert datasets.where("mine", None) is None
    kept = prepare("mine", cache, None, progress=False)
    assert kept.name == f"mine-{info.checksum[:12]}"
    assert left_in(cache) == [kept.name, "mine.json"]
    assert arrays_sha256(load(kept)) == info.checksum
    manifest = json.loads((cache / "datasets" / "mine.json").read_text(encoding="utf-8"))
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["decoder"] == (made_pillow() if like == "driving" else None)


def made_pillow() -> str:
    import PIL

    return PIL.__version__


def test_arrays_that_were_lost_are_made_again_from_the_folder(made: tuple[str, Path], cache: Path) -> None:
    like, folder = made
    import_folder(folder, like, "mine")
    kept = prepare("mine", cache, None, progress=False)
    before = arrays_sha256(load(kept))
    (kept / "train_x.npy").unlink()
    assert arrays_sha256(load(prepare("mine", cache, None, progress=False))) == before
    shutil.rmtree(kept)
    assert arrays_sha256(load(prepare("mine", cache, None, progress=False))) == before


def test_a_flipped_bit_in_any_file_is_refused_by_name(made: tuple[str, Path], cache: Path) -> None:
    like, folder = made
    import_folder(folder, like, "mine")
    shutil.rmtree(prepare("mine", cache, None, progress=False))
    for path in [path for path in folder.rglob("*") if path.is_file()][:40]:
        if path.stem in ("left_004", "right_004", "left_009", "right_009"):
            continue  # a side camera of a test frame is never read
        right = path.read_bytes()
        middle = len(right) // 2
        path.write_bytes(right[:middle] + bytes([right[middle] ^ 1]) + right[middle + 1 :])
        with pytest.raises(DataError, match=rf"^{path}: is not the imported {path.name}"):
            prepare("mine", cache, None, progress=False)
        assert [item for item in holdings.verify(["mine"], None) if item.wrong]
        path.write_bytes(right)
    assert left_in(cache) == ["mine.json"]
    prepare("mine", cache, None, progress=False)
    assert not [item for item in holdings.verify(["mine"], None) if item.wrong]


def test_what_the_files_and_rows_tell_need_not_be_said(tmp_path: Path) -> None:
    told = {"cifar10", "cifar100", "imdb", "ptb", "driving", "svhn", "svhn-extra"}
    for name in told:
        made_data.MAKERS[name](tmp_path / name)
        done = import_folder(tmp_path / name, None, None)
        assert (done.like, done.name) == (name, f"imported-{name}-{done.train_rows}x{done.test_rows}")
    made_data.mnist(tmp_path / "images")
    with pytest.raises(UsageError, match=r"can be those of mnist or of fashion-mnist\. Say which with --like"):
        import_folder(tmp_path / "images", None, None)


@pytest.mark.parametrize(
    ("like", "name", "wrong"),
    [
        ("cifar10", "mnist", "is of a built-in dataset"),
        ("cifar10", "taken", "is registered already"),
        ("cifar10", "../evil", "names become files"),
        ("cifar10", "", "names become files"),
        ("cifar10", "synthetic-mine", "names become files"),
        ("cifar11", None, "Unknown format 'cifar11'"),
        ("svhn", None, r"lacks train_32x32\.mat, test_32x32\.mat"),
    ],
)
def test_an_import_that_cannot_be_is_refused(
    like: str, name: str | None, wrong: str, tmp_path: Path, cache: Path
) -> None:
    made_data.cifar10(tmp_path / "set")
    import_folder(tmp_path / "set", None, "taken")
    before = left_in(cache)
    with pytest.raises((DataError, UsageError), match=wrong):
        import_folder(tmp_path / "set", like, name)
    assert left_in(cache) == before


def test_an_import_that_breaks_off_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    made_data.cifar10(tmp_path / "set")
    (tmp_path / "set" / "test_batch").write_bytes(hostile("os.system", tmp_path / "made"))
    with pytest.raises(DataError, match="set/test_batch: is no CIFAR batch"):
        import_folder(tmp_path / "set", None, None)
    assert left_in(cache) == []
    assert not (tmp_path / "made").exists()
    with pytest.raises(DataError, match="has the files of no known format"):
        import_folder(tmp_path, None, None)
    with pytest.raises(DataError, match="is no folder"):
        import_folder(tmp_path / "absent", None, None)


def test_a_folder_that_is_gone_is_named(tmp_path: Path, cache: Path) -> None:
    made_data.ptb(tmp_path / "set")
    import_folder(tmp_path / "set", None, "mine")
    shutil.rmtree(tmp_path / "set")
    assert datasets.where("mine", None) is None  # the arrays are still there
    shutil.rmtree(prepare("mine", cache, None, progress=False))
    assert f"{tmp_path}/set, from which it was imported, is gone" in str(datasets.where("mine", None))
    with pytest.raises(DataError, match="is gone"):
        prepare("mine", cache, None, progress=False)


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"like": "mnits"}, {"checksum": "../../x"}, {"version": 2}, {"files": {"a": "b"}}]
)
def test_an_altered_manifest_is_refused(change: dict[str, object], tmp_path: Path, cache: Path) -> None:
    made_data.ptb(tmp_path / "set")
    import_folder(tmp_path / "set", None, "mine")
    path = cache / "datasets" / "mine.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=rf"^{path}: "):
        datasets.find("mine")


# ---------------------------------------------------------------------------- published files


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take a made CIFAR-10 for the published one; return its archive's path."""
    made_data.cifar10(tmp_path / "set")
    contents = {name: (tmp_path / "set" / name).read_bytes() for name in made_data.CIFAR10}
    members = [(f"cifar-10-batches-py/{name}", content) for name, content in contents.items()]
    path = archive(tmp_path / "cifar-10-python.tar.gz", *members, ("cifar-10-batches-py/readme.html", b"x"))
    digests = {name: f"md5:{hashlib.md5(content).hexdigest()}" for name, content in contents.items()}
    download = Download(path.name, f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}", tuple(digests))
    item = FileSet("cifar10", digests, (NOWHERE,), (download,), (), True, path.name, "cifar-10-batches-py/")
    monkeypatch.setitem(FILES, "cifar10", item)
    rows = {"train_rows": 2 * made_data.ROWS, "test_rows": made_data.ROWS}
    monkeypatch.setitem(BUILTIN, "cifar10", replace(BUILTIN["cifar10"], **rows))  # type: ignore[arg-type]
    return path


def test_an_archive_is_read_where_it_was_downloaded(published: Path, cache: Path) -> None:
    found = datasets.find("cifar10")
    assert found is not None
    assert found.checksum == ""
    folder = prepare("cifar10", cache, published.parent, progress=False)
    found = datasets.find("cifar10")
    assert found is not None
    assert found.checksum == arrays_sha256(load(folder))
    assert left_in(cache) == [folder.name, "cifar10.json"]
    np.save(folder / "test_y.npy", np.zeros(3))
    assert arrays_sha256(load(prepare("cifar10", cache, published.parent, progress=False))) == found.checksum


def test_published_files_are_recognised_and_not_registered(published: Path, cache: Path) -> None:
    done = import_folder(published.parent / "set", None, None)
    assert (done.name, done.canonical) == ("cifar10", True)
    assert datasets.names() == list(BUILTIN)
    prepare("cifar10", cache, None, progress=False)  # nothing is downloaded: the arrays are there


def test_an_altered_member_is_refused(published: Path, cache: Path) -> None:
    members = [(f"cifar-10-batches-py/{name}", made_data.by_python_2()) for name in made_data.CIFAR10]
    archive(published, *members)
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz: is not the canonical data_batch_1"):
        prepare("cifar10", cache, published.parent, progress=False)
    assert "is not the canonical" in str(datasets.where("cifar10", published.parent))
    assert left_in(cache) == []


def test_a_part_of_the_published_files_can_be_imported_and_the_message_says_so(published: Path) -> None:
    published.unlink()
    (published.parent / "cifar10").mkdir()
    shutil.copy(published.parent / "set" / "test_batch", published.parent / "cifar10")
    reason = str(datasets.where("cifar10", published.parent))
    assert f"bench data import {published.parent}/cifar10 --like cifar10" in reason


def test_every_set_can_be_had_or_says_what_to_do() -> None:
    reasons = {name: datasets.where(name, None) for name in BUILTIN}
    assert "bench data import DIR --like driving" in str(reasons.pop("driving"))
    assert set(reasons.values()) == {None}
    assert "Did you mean 'mnist'" in str(datasets.where("mnits", None))


def test_fashion_is_never_taken_for_mnist(tmp_path: Path, cache: Path) -> None:
    made_data.mnist(tmp_path / "data" / "fashion-mnist")
    with pytest.raises(DataError, match=r"only train-images-idx3-ubyte\.gz as published has a published digest"):
        prepare("fashion-mnist", cache, tmp_path / "data", progress=False)


# ---------------------------------------------------------------------------- stand-ins


@pytest.mark.parametrize("name", BUILTIN)
def test_a_synthetic_set_has_the_shapes_and_types_of_the_real_one(name: str, cache: Path) -> None:
    made = datasets.make_synthetic(name, 50, 20)
    info = datasets.find(made)
    assert made == f"synthetic-{name}-50x20"
    assert info is not None
    assert (info.synthetic, info.train_rows, info.test_rows) == (True, 50, 20)
    assert why_no_stand_in(BUILTIN[name], info) is None
    folder = prepare(made, cache, None, progress=False)
    arrays = load(folder)
    (item,) = info.inputs
    if name == "imdb":
        assert arrays["train_ends"].dtype == np.int64
        assert arrays["train_ends"][-1] == len(arrays["train_x"])
        assert arrays["train_x"].min() >= 1
    elif name == "ptb":
        assert set(arrays) == {"train_x", "valid_x", "test_x"}
    else:
        assert arrays["train_x"].shape == (50, *item.shape)
    assert arrays["train_x"].dtype == item.dtype
    targets = {"classes": np.int32, "numbers": np.float32}
    assert name == "ptb" or arrays["test_y"].dtype == targets[info.targets]
    shutil.rmtree(folder)
    assert arrays_sha256(load(prepare(made, cache, None, progress=False))) == info.checksum
    assert datasets.make_synthetic(name, 50, 20) == made
    assert datasets.where(made, None) is None


def test_words_are_drawn_as_often_as_words_are(cache: Path) -> None:
    words = load(prepare(datasets.make_synthetic("ptb", 100_000, 100), cache, None, progress=False))["train_x"]
    counts = np.bincount(words, minlength=10_000)
    assert counts[0] > counts[9] > counts[99] > counts[999]
    assert words.max() < 10_000


def test_more_rows_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="allowed are 1 to 1437 rows to train on and 1 to 360 to test on"):
        datasets.make_synthetic("digits", 1438, 10)


def test_another_shape_or_target_is_no_stand_in() -> None:
    assert why_no_stand_in(BUILTIN["mnist"], BUILTIN["fashion-mnist"]) is None
    assert "a row is" in str(why_no_stand_in(BUILTIN["mnist"], BUILTIN["cifar10"]))
    assert "the number of outputs is 10 in cifar10, 100 in cifar100" in str(
        why_no_stand_in(BUILTIN["cifar10"], BUILTIN["cifar100"])
    )
    assert "a target is classes in imdb, words in ptb" in str(why_no_stand_in(BUILTIN["imdb"], BUILTIN["ptb"]))


# ---------------------------------------------------------------------------- bench data


def test_the_commands_import_list_fetch_and_verify(tmp_path: Path, cache: Path) -> None:
    made_data.driving(tmp_path / "set")

    def data(*words: str) -> tuple[int, str]:
        run = bench("data", *words, folder=tmp_path, COLUMNS="250")
        assert "Traceback" not in run.stderr
        return run.returncode, run.stdout + run.stderr

    assert data("verify") == (0, "Nothing is on this machine yet.\n")
    code, text = data("import", "set", "--name", "road")
    assert (code, text) == (
        0,
        "Registered: road, 24 rows to train on and 2 to test on, from 27 files in the format of driving.\n",
    )
    assert data("import", "set", "--name", "road")[0] == 2
    code, text = data("list")
    (row,) = [line for line in text.splitlines() if "│ road " in line]
    assert [cell.strip() for cell in row.strip("│").split("│")][2:] == [
        "24 + 2",
        f"imported from {tmp_path}/set",
        "cached",
    ]
    assert [line for line in text.splitlines() if "driving " in line and "import needed" in line]
    code, text = data("fetch", "road", "digits")
    assert code == 0
    assert all(Path(line.split(": ")[1]).is_dir() for line in text.splitlines())
    assert data("verify")[0] == 0
    image = tmp_path / "set" / "IMG" / "left_002.jpg"
    image.write_bytes(image.read_bytes()[:-1])
    (next(cache.glob("datasets/digits-*")) / "test_y.npy").write_bytes(b"")
    code, text = data("verify")
    assert code == 4
    assert text.count("\nwrong ") + text.startswith("wrong ") == 2
    assert str(image) in text
    assert "Make them anew: bench data fetch digits" in text
    assert text.splitlines()[-1].endswith("2 wrong.")
    code, text = data("fetch", "driving")
    assert (code, "bench data import DIR --like driving" in text) == (4, True)
    code, text = data("fetch", "rood", "mnits")
    assert (code, "Did you mean 'road'" in text, "Did you mean 'mnist'" in text) == (2, True, True)


# ---------------------------------------------------------------------------- real files


def real(part: str) -> Path:
    if REAL_DATA is None or not (REAL_DATA / part).is_dir():
        pytest.skip(f"no real data: neither BENCH_DATA_DIR nor ../shared/data has {part}/")
    return REAL_DATA / part


def test_penn_treebank_is_mikolovs(cache: Path) -> None:
    arrays = load(prepare("ptb", cache, real("ptb").parent, progress=False))
    assert {name: len(array) for name, array in arrays.items()} == {
        "train_x": 929_589,
        "valid_x": 73_760,
        "test_x": 82_430,
    }
    assert arrays["train_x"].max() == 9_999
    assert np.bincount(arrays["train_x"])[:3].tolist() == [50_770, 45_020, 42_068]  # the, <unk>, <eos>
    assert import_folder(real("ptb"), None, None).canonical


def test_real_cifar_batches_are_read_and_a_part_is_no_cifar10(cache: Path) -> None:
    folder = real("cifar-10-batches-py")
    done = import_folder(folder, None, "cifar10-subset")
    assert (done.train_rows, done.test_rows, done.canonical) == (20_000, 10_000, False)
    arrays = load(prepare("cifar10-subset", cache, None, progress=False))
    assert np.bincount(arrays["train_y"]).tolist() == [2000] * 10
    assert np.bincount(arrays["test_y"]).tolist() == [1000] * 10
    assert 0.4 < arrays["train_x"].mean() / 255 < 0.55
    with pytest.raises(DataError, match="lacks data_batch_3"):
        prepare("cifar10", cache, folder.parent, progress=False)


def test_real_reviews_are_read_and_other_ranks_are_no_imdb(cache: Path) -> None:
    folder = real("imdb")
    done = import_folder(folder, None, "imdb-ours")
    assert (done.train_rows, done.test_rows, done.canonical) == (25_000, 25_000, False)
    arrays = load(prepare("imdb-ours", cache, None, progress=False))
    assert arrays["train_y"].sum() == 12_500
    assert arrays["train_ends"][-1] == len(arrays["train_x"])
    lengths = np.diff(arrays["train_ends"], prepend=0)
    assert 200 < lengths.mean() < 260
    counts = np.bincount(arrays["train_x"])
    assert counts[1] > counts[10] > counts[100] > counts[1000]
    with pytest.raises(DataError, match=r"imdb\.npz: is not the canonical imdb\.npz"):
        prepare("imdb", cache, folder.parent, progress=False)


def test_a_real_recording_is_read(cache: Path) -> None:
    done = import_folder(real("driving"), None, "driving-sample")
    assert (done.train_rows, done.test_rows) == (3 * 464, 115)
    arrays = load(prepare("driving-sample", cache, None, progress=False))
    assert arrays["train_x"].shape == (1392, 66, 200, 3)
    assert abs(arrays["train_y"]).max() <= 1.2
    assert 0.01 < arrays["test_y"].std() < 1
