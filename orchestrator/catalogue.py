"""The frameworks, one entry each: data only. Adding one: a worker module, a docker folder, an entry here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKER_DIR = ROOT / "docker"
WORKERS_DIR = ROOT / "workers"


@dataclass(frozen=True)
class Mode:
    """Another way to run a framework with the same worker; ``requirements`` None: in the framework's environment.

    ``python``: for packages that need another Python, in a folder of their own: ``docker/NAME/MODE/``.
    """

    title: str
    requirements: Mapping[str, str] | None = None
    compile_cache: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None
    no_gpu: str | None = None
    local_files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """Another pinned version for the same worker, with a folder of its own: ``docker/NAME/VERSION/``.

    ``modes``: those of the framework's that it has too. None: as the framework has it.
    """

    python: str
    no_gpu: str | None = None
    modes: tuple[str, ...] = ()
    requirements: Mapping[str, str] = field(default_factory=lambda: {"cpu": "requirements.txt"})
    title: str | None = None
    package: str | None = None
    compile_cache: Mapping[str, str] | None = None


@dataclass(frozen=True)
class FrameworkEntry:
    """What the host knows of a framework, or of one mode or version of it, before it has run.

    ``requirements``: device -> pinned, hashed file in ``docker/NAME/``, one image variant each.
    ``no_gpu``: where there is no variant for it, why not.
    ``compile_cache``: {environment variable: value} with which its compiler keeps its cache in ``{folder}``.
    ``local_files``: what it loads from outside its packages -> the command that puts it there, for the local engine.
    ``modes``: name -> what it changes; ``mode``: which of them this entry is, None for the framework's own way.
    ``versions``: the same for other versions than the framework's own, and ``chosen_version``.
    ``pinned_in``: the file in ``docker/NAME/`` that pins the package where the requirements do not: Maven's pom.xml, or
    a Dockerfile that installs Debian's package.
    ``commands``: what must be on PATH in the local engine -> how to get it; ``complete``: the commands that finish an
    environment there, run in its folder, of ``{docker}`` (the framework's docker folder) and ``{environment}``.
    ``no_local``: why the local engine cannot run it, where it cannot.
    ``only_version``: that of a framework which never had another, and pins none.
    ``base_argument``: the build argument that names the image with the framework itself, where only the user has one;
    ``base``: that image, where it was named for this build, else that of ``$BENCH_`` and the argument, if any.
    """

    name: str
    title: str
    package: str
    python: str
    requirements: Mapping[str, str]
    no_gpu: str | None = None
    aliases: tuple[str, ...] = ()
    compile_cache: Mapping[str, str] = field(default_factory=dict)
    local_files: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    mode: str | None = None
    versions: Mapping[str, Version] = field(default_factory=dict)
    chosen_version: str | None = None
    pinned_in: str | None = None
    commands: Mapping[str, str] = field(default_factory=dict)
    complete: tuple[tuple[str, ...], ...] = ()
    no_local: str | None = None
    only_version: str | None = None
    base_argument: str | None = None
    base: str | None = None

    @property
    def label(self) -> str:
        """``name``, ``name:mode``, ``name@version`` or ``name@version:mode``."""
        version = f"@{self.chosen_version}" if self.chosen_version else ""
        return self.name + version + (f":{self.mode}" if self.mode else "")

    @property
    def folder(self) -> str:
        """Return where the files of its environment lie, below ``docker/``."""
        if self.mode and self.modes[self.mode].python:
            return f"{self.name}/{self.mode}"
        return f"{self.name}/{self.chosen_version}" if self.chosen_version else self.name

    def at_version(self, number: str) -> "FrameworkEntry":
        """Return this framework at another version."""
        version = self.versions[number]
        return replace(
            self,
            chosen_version=number,
            title=version.title or f"{self.title} {number}",
            python=version.python,
            requirements=version.requirements,
            package=version.package or self.package,
            compile_cache=self.compile_cache if version.compile_cache is None else version.compile_cache,
            modes={name: replace(self.modes[name], title=f"{self.modes[name].title} {number}")
                   for name in version.modes},
            no_gpu=None if "gpu" in version.requirements else version.no_gpu or self.no_gpu,
        )  # fmt: skip

    def in_mode(self, name: str) -> "FrameworkEntry":
        mode = self.modes[name]
        return replace(
            self,
            mode=name,
            title=mode.title,
            requirements=mode.requirements or self.requirements,
            compile_cache=mode.compile_cache or self.compile_cache,
            python=mode.python or self.python,
            no_gpu=mode.no_gpu or self.no_gpu,
            local_files=mode.local_files or self.local_files,
        )

    def rows(self) -> "list[FrameworkEntry]":
        """Return this framework, in its own way and in each mode, and so at each of its other versions."""
        versions = [self, *map(self.at_version, self.versions)]
        return [row for entry in versions for row in (entry, *map(entry.in_mode, entry.modes))]

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self.requirements)

    @property
    def version(self) -> str:
        """Return the framework's version as its pinned file states it; that file is the one place for it."""
        if self.only_version is not None:
            return self.only_version
        file = self.pinned_in or self.requirements["cpu"]
        text = (DOCKER_DIR / self.folder / file).read_text(encoding="utf-8")
        package = re.escape(self.package)
        # Debian's versions go on with what is Debian's own: 1.0.0+git20180821-8.
        patterns = {"pom.xml": rf"<{package}\.version>([^<]+)<", "Dockerfile": rf"^ +{package}=([\d.]+)"}
        found = re.search(patterns.get(file, rf"^{package}==(\S+)"), text, re.MULTILINE)
        if found is None:
            raise LookupError(f"docker/{self.folder}/{file} does not pin {self.package}")
        return found.group(1)


# Without a fixed hash seed every process compiles one module anew: its cache key hashes strings.
THEANO_CACHE = {"THEANO_FLAGS": "base_compiledir={folder}", "PYTHONHASHSEED": "0"}
# CNTK is linked to Open MPI 1.10, and looks for it here first; in one process, 4.1 does under that name.
CNTK_FILES = {
    f"/usr/local/mpi/lib/{old}": "sudo apt-get install libopenmpi3 && sudo mkdir -p /usr/local/mpi/lib && "
    f"sudo ln -sf /usr/lib/x86_64-linux-gnu/{new} /usr/local/mpi/lib/{old}"
    for old, new in (("libmpi.so.12", "libmpi.so.40"), ("libmpi_cxx.so.1", "libmpi_cxx.so.40"))
}

FRAMEWORKS: dict[str, FrameworkEntry] = {
    entry.name: entry
    for entry in (
        FrameworkEntry(
            name="numpy",
            title="NumPy (the readable reference)",
            package="numpy",
            python="3.11",
            requirements={"cpu": "requirements.txt"},
            no_gpu="NumPy computes on the CPU only",
        ),
        FrameworkEntry(
            name="tf",
            title="TensorFlow 2 (tf.function)",
            package="tensorflow-cpu",
            python="3.11",
            requirements={"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"},
            aliases=("tensorflow",),
            modes={
                "eager": Mode("TensorFlow 2 (eager)"),
                "xla": Mode("TensorFlow 2 (XLA)"),
            },
            versions={
                "2.2.0": Version(
                    "3.8", "TensorFlow 2.2 was built for CUDA 10.1, which no present GPU runs", ("eager",)
                ),
            },
        ),
        FrameworkEntry(
            name="torch",
            title="PyTorch",
            package="torch",
            python="3.11",
            # The index's build carries CUDA and runs without a GPU, so one file serves both devices.
            requirements={"cpu": "requirements.txt", "gpu": "requirements.txt"},
            aliases=("pytorch",),
            modes={
                "compile": Mode(
                    "PyTorch (torch.compile)",
                    compile_cache={"TORCHINDUCTOR_CACHE_DIR": "{folder}", "TRITON_CACHE_DIR": "{folder}/triton"},
                ),
            },
            versions={
                "1.6.0": Version("3.8", "PyTorch 1.6 is built for CUDA 10.2, which no new GPU runs"),
            },
        ),
        FrameworkEntry(
            name="jax",
            title="JAX (with Optax)",
            package="jax",
            python="3.11",
            requirements={"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"},
        ),
        FrameworkEntry(
            name="keras",
            title="Keras 3 (on TensorFlow)",
            package="keras",
            python="3.11",
            requirements={"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"},
            modes={
                "torch": Mode(
                    title="Keras 3 (on PyTorch)",
                    requirements={"cpu": "requirements-torch.txt", "gpu": "requirements-torch.txt"},
                ),
                "jax": Mode(
                    title="Keras 3 (on JAX)",
                    requirements={"cpu": "requirements-jax.txt", "gpu": "requirements-jax-gpu.txt"},
                ),
                "theano": Mode(
                    title="Keras 2.3 (on Theano 1.0)",
                    requirements={"cpu": "requirements.txt"},
                    compile_cache=THEANO_CACHE,
                    python="3.9",
                    no_gpu="Theano reaches a GPU only through libgpuarray, which no package index carries",
                ),
                "cntk": Mode(
                    title="Keras 2.3 (on CNTK 2.7)",
                    requirements={"cpu": "requirements.txt"},
                    python="3.6",
                    no_gpu="of Keras 2.3 on CNTK this project has an image for the CPU only",
                    local_files=CNTK_FILES,
                ),
                "tf2.2": Mode(
                    title="Keras 2.3 (on TensorFlow 2.2)",
                    requirements={"cpu": "requirements.txt"},
                    python="3.8",
                    no_gpu="TensorFlow 2.2 was built for CUDA 10.1, which no present GPU runs",
                ),
            },
        ),
        FrameworkEntry(
            name="theano",
            title="Theano-PyMC",
            package="theano-pymc",
            python="3.9",
            requirements={"cpu": "requirements.txt"},
            no_gpu="Theano-PyMC reaches a GPU only through libgpuarray, which no package index carries",
            compile_cache=THEANO_CACHE,
            versions={
                "1.0.5": Version("3.6", title="Theano 1.0.5", package="theano"),
                "0.9.0": Version("3.6", title="Theano 0.9.0", package="theano"),
            },
        ),
        FrameworkEntry(
            name="mxnet",
            title="MXNet (Gluon, hybridised)",
            package="mxnet",
            python="3.11",
            requirements={"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"},
            modes={"imperative": Mode("MXNet (Gluon, imperative)")},
        ),
        FrameworkEntry(
            name="chainer",
            title="Chainer",
            package="chainer",
            python="3.9",
            requirements={"cpu": "requirements.txt"},
            no_gpu="Chainer 7.8.1 asks for CuPy 7, whose builds are for Python 3.8 and CUDA 10.2 at most",
        ),
        FrameworkEntry(
            name="caffe",
            title="Caffe",
            package="caffe",
            python="3.9",
            requirements={"cpu": "requirements.txt"},
            no_gpu="Debian's Caffe is built for the CPU only",
            no_local="Caffe is in no package index, only in Debian 11, for Debian's own Python",
            pinned_in="Dockerfile",
        ),
        FrameworkEntry(
            name="cntk",
            title="CNTK (Microsoft Cognitive Toolkit)",
            package="cntk",
            python="3.6",
            requirements={"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"},
            local_files=CNTK_FILES,
        ),
        FrameworkEntry(
            name="dl4j",
            title="Deeplearning4j",
            package="deeplearning4j",
            python="3.11",
            requirements={"cpu": "requirements.txt"},
            no_gpu="Deeplearning4j 1.0.0-M2.1 computes on a GPU with CUDA 11.6 at the newest, and its image has none",
            aliases=("deeplearning4j",),
            pinned_in="pom.xml",
            commands={
                "java": "sudo apt-get install openjdk-17-jre-headless",
                "mvn": "sudo apt-get install maven",
            },
            complete=(
                (
                    *("mvn", "--batch-mode", "--quiet", "--file", "{docker}/pom.xml", "dependency:copy-dependencies"),
                    *("-DincludeScope=runtime", "-DoutputDirectory={environment}/share/java"),
                ),
                ("sha256sum", "--check", "--strict", "--quiet", "{docker}/jars.sha256"),
            ),
        ),
        FrameworkEntry(
            name="torch7",
            title="Torch7",
            package="torch",
            python="3.11",
            requirements={"cpu": "requirements.txt"},
            no_gpu="the worker's Torch7 computes on the CPU only",
            no_local="Torch7 is in no package index, and is taken from an image that has it",
            only_version="scm-1",  # LuaRocks' name for whatever is the newest
            base_argument="TORCH7_BASE",
        ),
    )
}


def find(label: str) -> FrameworkEntry:
    """Return the entry of ``name[@version][:mode]``. Raises KeyError."""
    rest, _, mode = label.partition(":")
    name, _, version = rest.partition("@")
    entry = FRAMEWORKS[name].at_version(version) if version else FRAMEWORKS[name]
    return entry.in_mode(mode) if mode else entry


def every_entry() -> list[FrameworkEntry]:
    """Return the entry of every label."""
    return [row for entry in FRAMEWORKS.values() for row in entry.rows()]


def spellings() -> dict[str, str]:
    """Return every accepted spelling -> the label: names, aliases, and each with its modes and versions."""
    return {
        spelling + row.label.removeprefix(entry.name): row.label
        for entry in FRAMEWORKS.values()
        for spelling in (entry.name, *entry.aliases)
        for row in entry.rows()
    }
