"""Three studies' suites in containers, on real data, at a small scale: each in every framework, and their pages."""

import os
from pathlib import Path

import pytest

from orchestrator import catalogue
from orchestrator.engines.docker import DockerEngine
from orchestrator.store import RunStore
from orchestrator.summary import Summary, summarise
from tests.commands import bench
from workers.spec import Job, Result

# Parts of the originals have names of their own: {the name: the folder, which is also the set whose format it has}.
OURS = {"imdb-ours": "imdb", "driving-7th": "driving"}
# A run that is too short to learn says so, which is no failure here: what a framework computes, the gate has held.
FINE = {"ok", "did_not_learn"}

# Of each suite, what every framework runs; and what one does. More would take CI too long: the words of PTB and the
# long reviews of the 1-D CNN make references of minutes.
EVERYWHERE = {
    "kabakus2020": ("--workloads", "fnn-mnist", "--scale", "0.03"),
    "albdour2020": ("--workloads", "cnn-driving", "--limit-rows", "100", "--epochs", "1"),
    "dlbench2021": ("--workloads", "cnn-mnist", "--limit-rows", "600", "--epochs", "1"),
}
ONCE = {
    "kabakus2020": ("--workloads", "lstm-imdb", "--limit-rows", "100", "--epochs", "1"),
    "albdour2020": ("--workloads", "lstm-ptb-small,cnn-mnist-to-accuracy", "--limit-rows", "200", "--epochs", "2"),
}


@pytest.fixture(scope="module")
def registry(data_dir: Path, docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of its own, in which the data that need names of their own have them."""
    cache = tmp_path_factory.mktemp("cache")
    for name, like in OURS.items():
        if not (data_dir / like).is_dir():
            pytest.skip(f"no real data: {data_dir / like} is not there")
        arguments = ("data", "import", data_dir / like, "--like", like, "--name", name)
        done = bench(*arguments, folder=cache, BENCH_CACHE_DIR=str(cache))
        assert done.returncode == 0, done.stdout + done.stderr
    return cache


def run_of(suite: str, frameworks: str, options: tuple[str, ...], registry: Path, data_dir: Path, folder: Path) -> Path:
    """Run a suite's workloads, one round on one thread, and return the run's folder."""
    stand_ins = [part for name, like in OURS.items() for part in ("--dataset", f"{like}={name}")]
    stand_ins = stand_ins if suite == "albdour2020" else stand_ins[:2]  # the others have no driving
    options = options if "--threads" in options else (*options, "--threads", "1")
    arguments = ("--suite", suite, "--frameworks", frameworks, "--engine", "docker", "--repeats", "1")
    done = bench(
        *("orchestrate", *arguments, *options, *stand_ins, "--data-dir", data_dir),
        folder=folder,
        BENCH_CACHE_DIR=str(registry),
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (found,) = (folder / "runs").iterdir()
    return found


def results_of(run: Path) -> list[tuple[Job, Result]]:
    """Return the measured jobs with their results; each came to an end, and each gate passed."""
    pairs = [(job, result) for job, result in RunStore(run).jobs() if job.kind in ("train", "target")]
    for job, result in pairs:
        assert result is not None, job.id
        assert job.parity is not None, job.id
        assert job.parity.passed, (job.id, job.parity.reason)
    return [(job, result) for job, result in pairs if result is not None]


def summary_of(run: Path) -> Summary:
    store = RunStore(run)
    return summarise(store.read_info(), store.jobs())


@pytest.fixture(scope="module", params=sorted(EVERYWHERE))
def everywhere(
    request: pytest.FixtureRequest, registry: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    suite = request.param
    folder = tmp_path_factory.mktemp(suite)
    return suite, run_of(suite, "all", EVERYWHERE[suite], registry, data_dir, folder)


def test_every_ready_framework_runs_every_suite(everywhere: tuple[str, Path], tmp_path: Path) -> None:
    suite, run = everywhere
    ready = {name for name, entry in catalogue.FRAMEWORKS.items() if name != "numpy"}
    ready -= set(RunStore(run).read_info().unavailable)
    pairs = results_of(run)
    assert {job.framework.label for job, _ in pairs if job.variant == "matched"} == ready
    assert {result.status for _, result in pairs} <= FINE
    page = tmp_path / "page.md"
    made = bench("report", run, "--output", page, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "## Said, as published, and matched" in page.read_text(encoding="utf-8")
    {"kabakus2020": they_agree, "albdour2020": errors_stand_beside_the_means}.get(suite, lambda run: None)(run)


def they_agree(run: Path) -> None:
    accuracies = [cell.accuracy or 0.0 for cell in summary_of(run).cells]
    assert min(accuracies) > 0.7
    assert max(accuracies) - min(accuracies) <= 0.05, "dropout draws other masks in each"
    for job, result in results_of(run):
        assert (job.dataset.train_rows, job.dataset.validation_rows, len(result.epochs)) == (1440, 360, 1)
        assert result.epochs[0].validation_accuracy is not None
    shown = " ".join(bench("show", run, folder=run).stdout.split())
    assert "fnn-mnist (scale 0.03)" in shown
    assert "This is not the suite's experiment" in shown


def errors_stand_beside_the_means(run: Path) -> None:
    for job, result in results_of(run):
        assert job.dataset.name == "driving-7th", "a part of the original carries its own name"
        assert result.epochs[-1].accuracy is None, "an angle is neither right nor wrong"
        assert result.epochs[-1].squared_error is not None
        assert set(result.constant_errors) == {"squared_error", "absolute_error"}


def test_published_artefacts_of_dropout_are_named_and_never_ranked(
    registry: Path, data_dir: Path, tmp_path: Path
) -> None:
    options = ("--workloads", "cnn-mnist", "--limit-rows", "600", "--epochs", "1", "--variant", "paper")
    run = run_of("dlbench2021", "torch,chainer", options, registry, data_dir, tmp_path)
    paper = {job.framework.label: job for job, _ in results_of(run)}
    assert {label: job.dropout_in_prediction for label, job in paper.items()} == {"torch": False, "chainer": True}
    rates = [item.layer.rate for item in paper["torch"].model.layers if item.layer.kind == "dropout"]
    assert set(rates) == {0.0}
    assert any("no dropout in training" in text for text in paper["torch"].differs)
    assert any("dropout in testing too" in text for text in paper["chainer"].differs)
    assert all(cell.ratio is None and not cell.comparable for cell in summary_of(run).cells)


def test_steering_is_learned_better_than_the_mean_and_resources_are_reported(
    registry: Path, data_dir: Path, tmp_path: Path
) -> None:
    options = ("--workloads", "cnn-driving", "--epochs", "5", "--limit-rows", "900", "--threads", "2,4")
    run = run_of("albdour2020", "torch", options, registry, data_dir, tmp_path)
    for job, result in results_of(run):
        assert result.status == "ok"
        last = result.epochs[-1]
        assert last.squared_error is not None
        assert last.squared_error < result.constant_errors["squared_error"]
        train = {item.phase: item for item in result.resources or []}["train"]
        assert train.cpu_percent is not None
        assert 20 < train.cpu_percent <= 110, "two threads on two CPUs"
        assert (train.memory_percent or 0) > 1
        assert job.threads in (2, 4)
    cpus = len(os.sched_getaffinity(0))
    marked = [cell.threads_words for cell in summary_of(run).cells if cell.threads == 4]
    assert marked == [f"4 threads on {cpus} CPUs" if cpus < 4 else "4 threads"], "more threads than CPUs are marked"


def test_texts_targets_and_perplexities_are_measured(registry: Path, data_dir: Path, tmp_path: Path) -> None:
    found: dict[str, tuple[Job, Result]] = {}
    for suite, options in ONCE.items():
        folder = tmp_path / suite
        folder.mkdir()
        pairs = results_of(run_of(suite, "torch", options, registry, data_dir, folder))
        found |= {job.workload: (job, result) for job, result in pairs}
    assert set(found) == {"lstm-imdb", "lstm-ptb-small", "cnn-mnist-to-accuracy"}
    job, result = found.pop("cnn-mnist-to-accuracy")
    assert (job.kind, result.status, result.epochs_to_target) == ("target", "missed_target", None)
    assert len(result.epochs) == 2, "the curve is kept"
    assert {result.status for _, result in found.values()} <= FINE
    assert found["lstm-imdb"][0].dataset.name == "imdb-ours", "a part of the original carries its own name"
    job, result = found["lstm-ptb-small"]
    assert (job.dataset.name, job.dataset.train_rows, job.recipe.loss.kind) == ("ptb", 200, "categorical_cross_entropy")
    assert all(epoch.perplexity is not None and epoch.perplexity < 10001 for epoch in result.epochs)
    assert result.epochs[1].train_loss < result.epochs[0].train_loss
