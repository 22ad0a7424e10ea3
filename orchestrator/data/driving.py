"""Recordings of Udacity's driving simulator: driving_log.csv and the JPEGs of three cameras.

Ours, since no study says it: every fifth frame is for testing, by its centre camera alone, and none of its cameras is
trained on. The side cameras steer back by 0.2. Sky and bonnet are cut off; what is left is scaled to 66 x 200, the
input of NVIDIA's PilotNet, in RGB. Neighbouring frames are much alike, so that the error on the test frames is that of
driving the same road again, not another one.
"""

import csv
import io
import math
import re
import warnings

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import Arrays
from orchestrator.errors import DataError

LOG = "driving_log.csv"
COLUMNS = ("center", "left", "right", "steering", "throttle", "brake", "speed")
CORRECTION = {"center": 0.0, "left": 0.2, "right": -0.2}
TEST_EVERY = 5
RECORDED = (320, 160)  # width, height
KEPT = (0, 60, 320, 135)  # left, upper, right, lower: below the sky, above the bonnet
HEIGHT, WIDTH = 66, 200
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.jpe?g", re.IGNORECASE)
MOST_LOG_BYTES = 1 << 26
MOST_IMAGE_BYTES = 1 << 22
MOST_FRAMES = 100_000

Frame = tuple[dict[str, str], float]  # ({camera: IMG/NAME}, steering)


def read_driving(files: Files) -> Arrays:
    """Return images (rows, 66, 200, 3) uint8 and steering (rows, 1) float32. Raises DataError."""
    frames = read_log(files)
    train, test = split(frames)
    arrays: Arrays = {}
    for name, rows in (("train", train), ("test", test)):
        images = np.empty((len(rows), HEIGHT, WIDTH, 3), np.uint8)
        for row, (image, _) in enumerate(rows):
            images[row] = read_image(files, image)
        arrays[f"{name}_x"] = images
        arrays[f"{name}_y"] = np.array([[angle] for _, angle in rows], np.float32)
    return arrays


def split(frames: list[Frame]) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Return the rows to train on and to test on, each an image's name and its steering."""
    train, test = [], []
    for number, (cameras, steering) in enumerate(frames):
        if number % TEST_EVERY == TEST_EVERY - 1:
            test.append((cameras["center"], steering))
        else:
            train += [(cameras[camera], steering + CORRECTION[camera]) for camera in CORRECTION]
    return train, test


def read_log(files: Files) -> list[Frame]:
    """Return the frames of a recording, in its order. Raises DataError with the line that is wrong."""
    place = files.path(LOG)
    try:
        lines = list(csv.reader(io.StringIO(files.read(LOG, MOST_LOG_BYTES).decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{place}: is no complete table with commas ({error}). {files.advice}") from None
    head = 1 if lines and tuple(word.strip().lower() for word in lines[0]) == COLUMNS else 0
    frames: list[Frame] = []
    seen: set[str] = set()
    for number, line in enumerate(lines[head:], head + 1):
        if not line:
            continue
        frames.append(_frame(line, f"{place}, line {number}"))
        images = set(frames[-1][0].values())
        if len(images) < len(CORRECTION) or images & seen:
            raise DataError(
                f"{place}, line {number}: an image stands there more than once, so that a test frame could be trained "
                f"on. Each frame has three images of its own; leave out the line."
            )
        seen |= images
    if not TEST_EVERY <= len(frames) <= MOST_FRAMES:
        raise DataError(f"{place}: has {len(frames)} frames; allowed are {TEST_EVERY} to {MOST_FRAMES:,}. Record more.")
    return frames


def _frame(line: list[str], place: str) -> Frame:
    if len(line) != len(COLUMNS):
        raise DataError(f"{place}: has {len(line)} fields; expected are {len(COLUMNS)}: {', '.join(COLUMNS)}.")
    try:
        numbers = [float(word) for word in line[3:]]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)) or not -1 <= numbers[0] <= 1:
        raise DataError(f"{place}: steering from -1 to 1, throttle, brake and speed are expected; it has {line[3:]}.")
    return {camera: inside(path, place) for camera, path in zip(CORRECTION, line[:3], strict=True)}, numbers[0]


def inside(path: str, place: str) -> str:
    """Return IMG/NAME for an image's path; the recorder writes absolute ones of its own machine. Raises DataError."""
    parts = path.strip().replace("\\", "/").split("/")
    absolute = parts[0] == "" or parts[0].endswith(":")
    if ".." in parts or parts[-2:-1] != ["IMG"] or (len(parts) > 2 and not absolute) or not IMAGE.fullmatch(parts[-1]):
        raise DataError(
            f"{place}: {path!r:.120} is no image in the recording's folder IMG. Allowed are IMG/NAME.jpg, and the "
            f"absolute paths that the simulator writes, which end so."
        )
    return f"IMG/{parts[-1]}"


def read_image(files: Files, name: str) -> np.ndarray:
    """Return one image, cut and scaled. Raises DataError for a broken one, or one of another size."""
    from PIL import Image

    content = files.read(name, MOST_IMAGE_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of very many pixels
            with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
                if image.size != RECORDED:  # known from its head, before a pixel is decoded
                    raise DataError(
                        f"{files.path(name)}: has {image.size[0]} x {image.size[1]} pixels; the simulator records "
                        f"{RECORDED[0]} x {RECORDED[1]}."
                    )
                small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=KEPT)
                return np.asarray(small)
    except DataError:
        raise
    except Exception as error:  # a broken file can make the decoder fail anywhere
        raise DataError(f"{files.path(name)}: is no complete JPEG ({error}). {files.advice}") from None


def decoder() -> str:
    """Return the version of the library that decodes: others may round pixels differently."""
    import PIL

    return PIL.__version__
