"""What is compiled or warmed up in ``build`` leaves no trace in the training that follows."""

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.catalogue import every_entry, find
from tests.alterations import BASES, with_layers
from tests.contract.environments import run_script
from tests.jobs import make_batch, make_weights
from workers.spec import Dataset, Framework, Input, Job

RUN_IN_BUILD = ("jax", "cntk", "dl4j")  # frameworks that compile or warm up there
LABELS = [row.label for row in every_entry() if (row.mode or row.name in RUN_IN_BUILD) and not row.chosen_version]


JOBS = {
    # One channel: its strides are open, and compiled code is for one set of them.
    "cnn": with_layers(
        BASES["cnn"].model_copy(update={"inputs": [Input(name="x", shape=[9, 8, 1], dtype="float32")]}),
        [item.layer for item in BASES["cnn"].model.layers],
    ),
    "lstm": BASES["lstm"],
    "images": BASES["images"],  # batch normalisation: a compile must not move running statistics
    "steps": BASES["steps"],  # a stateful LSTM
}
# They shift every value of a channel that the second batch normalisation centres: the gradient is nothing but rounding,
# and is zero on some processors.
WITHOUT_GRADIENT = {("images", "conv2d_1/bias"), ("images", "batchnorm_1/beta")}


@pytest.mark.parametrize("label", LABELS)
def test_a_build_that_compiles_leaves_weights_optimiser_and_dropout_as_they_were(
    label: str, tmp_path: Path, cache: Path
) -> None:
    """Two epochs with dropout and Adam end in the same parameters, to the last bit, as after a build that ran nothing;
    the sizes of batches are whole, short and one."""
    weights = {name: prepare(job, label, tmp_path / name) for name, job in JOBS.items()}
    run_script(label, Path(__file__).with_name("built.py"), tmp_path, cache)
    for name in JOBS:
        with np.load(tmp_path / name / "parameters.npz") as archive:
            found = dict(archive)
        for tensor, value in weights[name].items():
            for how in ("compiled", "lazy"):
                assert np.array_equal(found[f"{how}/start/{tensor}"], value), (name, tensor)
            moved = not np.array_equal(found[f"compiled/end/{tensor}"], value)
            assert moved or (name, tensor) in WITHOUT_GRADIENT, (name, tensor)
            assert np.array_equal(found[f"compiled/end/{tensor}"], found[f"lazy/end/{tensor}"]), (name, tensor)


def prepare(job: Job, label: str, folder: Path) -> dict[str, np.ndarray]:
    """Write a job, its data and its initial weights; return these."""
    entry = find(label)
    job = job.model_copy(
        update={
            "framework": Framework(name=entry.name, version="0", mode=entry.mode),
            "dataset": Dataset(name="none", checksum="none", train_rows=37, test_rows=21),
            "recipe": job.recipe.model_copy(update={"evaluation_batch_size": 16}),
        }
    )
    x, y = make_batch(job, 37)
    weights = make_weights(job)
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(job.model_dump(mode="json")))
    np.savez(folder / "data.npz", x=x, y=y)
    np.savez(folder / "weights.npz", **{name.replace("/", "|"): value for name, value in weights.items()})  # type: ignore[arg-type]
    return weights
