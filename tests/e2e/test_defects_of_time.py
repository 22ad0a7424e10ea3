"""Defects that leave the numbers right and the time wrong: the comparison with the plain script finds them by name."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import overhead
from orchestrator import datasets
from orchestrator.plan import make_plan
from orchestrator.request import Request
from orchestrator.stats import Estimate
from orchestrator.store import RunStore
from tests.contract import environments
from workers.spec import Result

ROUNDS = 9
ROWS = 1536  # 12 batches, so that what an epoch costs once does not count as if each batch did
EPOCHS = 4
DEFECTS = ("none", "extra_forward_pass", "row_by_row")


@pytest.fixture(scope="module")
def ratios(data_dir: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Estimate]]:
    """{defect: {what: the worker's seconds over the plain script's}} of PyTorch's worker on the convolutional network.

    Its forward pass is a third of a training step.
    """
    folder = tmp_path_factory.mktemp("beside_plain")
    request = Request(
        frameworks="torch", suite=str(overhead.HERE / "overhead.yaml"), workloads="cnn", threads=[1], repeats=1
    )
    plan = make_plan(request.model_copy(update={"epochs": [EPOCHS], "limit_rows": ROWS}), [0])
    (job,) = plan.train
    store = RunStore(folder / "run")
    store.inputs.mkdir(parents=True)
    source = datasets.prepare("mnist", cache, data_dir, progress=False)
    store.add_data(source, job.dataset.checksum)
    for drawing in plan.weights.values():
        store.add_arrays("weights", drawing.arrays())
    store.write_job(job)
    (folder / "data").mkdir()
    overhead.write_rows(source, job, folder / "data")
    shutil.copy(overhead.HERE / "plain" / "torch_plain.py", folder / "plain.py")
    settings = {"job": job.id, "workload": "cnn", "epochs": EPOCHS, "rounds": ROUNDS, "defects": DEFECTS}
    (folder / "settings.json").write_text(json.dumps(settings))
    script = Path(environments.__file__).with_name("beside_plain.py")
    environments.run_script("torch", script, folder, cache)

    found: dict[str, dict[str, Estimate]] = {}
    for defect, rounds in json.loads((folder / "times.json").read_text()).items():
        results = [Result.model_validate(result) for result, _ in rounds]
        assert {result.status for result in results} == {"ok"}, "no other check sees these defects"
        pairs = [
            overhead.steady(result, overhead.Plain(**plain)) for result, (_, plain) in zip(results, rounds, strict=True)
        ]
        found[defect] = {what: overhead.over_plain([pair[what] for pair in pairs]) for what in pairs[0]}
    return found


def lines(ratios: dict[str, Estimate]) -> list[str]:
    return [line for what, value in ratios.items() if (line := overhead.slower("torch", "cnn", what, value))]


def test_a_right_worker_is_not_called_slower(ratios: dict[str, dict[str, Estimate]]) -> None:
    assert lines(ratios["none"]) == [], ratios


def test_an_extra_forward_pass_is_reported_as_a_slower_epoch(ratios: dict[str, dict[str, Estimate]]) -> None:
    (line,) = lines(ratios["extra_forward_pass"])
    assert line.startswith("torch on cnn: a training epoch takes 1."), ratios
    assert "times what its plain script does, more than is asked for (at most 1.05)" in line
    assert line.endswith("something besides the training step runs in it.")


def test_prediction_row_by_row_is_reported_as_a_slower_prediction(ratios: dict[str, dict[str, Estimate]]) -> None:
    (line,) = lines(ratios["row_by_row"])
    assert line.startswith("torch on cnn: a prediction takes "), ratios
    assert line.endswith("something besides one pass in batches runs in it.")


def test_each_goal_is_judged_by_the_whole_interval() -> None:
    said = {
        "within 1.02": Estimate(1.0, 0.9, 1.02),
        "within 1.05": Estimate(1.0, 0.9, 1.03),
        "not shown": Estimate(1.2, 1.05, 1.4),
        "above": Estimate(1.2, 1.06, 1.4),
    }
    assert {words: overhead.reached(value) for words, value in said.items()} == {words: words for words in said}
    assert overhead.reached(Estimate(1.5, None, None)) == "not shown", "under three pairs there is no interval"
