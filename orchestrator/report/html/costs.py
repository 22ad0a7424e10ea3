"""The sections on what a training takes, and whether its result is the same: resources, phases, code, agreement."""

from statistics import median
from typing import Any

from orchestrator.report.html.columns import CELL, plain, round_of, where
from orchestrator.report.html.parts import Part, Section
from orchestrator.report.html.views import Column, View, filled

SWITCHES = ("voluntary_switches", "involuntary_switches")


def resources(part: Part) -> Section:
    rows = part.tables["resources"]
    numbers = [
        ("seconds", "s"),
        ("cpu_percent", "CPU %"),
        ("mean_rss_bytes", "mean resident bytes"),
        ("peak_rss_bytes", "peak resident bytes"),
        ("memory_percent", "memory %"),
        ("throttled_seconds", "throttled s"),
        ("energy_joules", "energy J"),
        ("gpu_percent", "GPU %"),
        ("gpu_memory_bytes", "GPU memory, bytes"),
        ("gpu_watts", "GPU W"),
        ("gpu_celsius", "GPU °C"),
        ("gpu_clock_mhz", "GPU MHz"),
    ]
    columns = [
        *where(part, rows),
        Column("phase", "phase"),
        *plain(numbers, rows),
        *filled([Column(name, name.replace("_", " "), "count") for name in SWITCHES], rows),
        Column("samples", "samples", "count"),
    ]
    table = View(part.id("resources"), "What each used in every phase, medians over the rounds", columns, rows)
    missing = (
        "Nothing was sampled in this run: `bench orchestrate` without `--sample-seconds 0`, not under compose, does."
    )
    return part.section("resources", "Resources per phase", [table], rows, missing)


def phases(part: Part) -> Section:
    found: dict[tuple[Any, ...], list[float]] = {}
    for row in part.tables["phases"]:
        found.setdefault(tuple(row[name] for name in (*CELL, "phase")), []).append(row["seconds"])
    rows = [dict(zip((*CELL, "phase"), key, strict=True), seconds=median(seconds)) for key, seconds in found.items()]
    columns = [*where(part, rows), Column("phase", "phase"), Column("seconds", "s", "number")]
    table = View(part.id("phases"), "Seconds of a job in each of its phases, medians over the rounds", columns, rows)
    return part.section("phases", "Where the time goes", [table], rows, "No job has a result yet.")


def lines(part: Part) -> Section:
    rows = part.tables["lines"]
    columns = [
        *where(part, rows),
        Column("build_lines", "lines that build", "count"),
        Column("train_lines", "lines that train", "count"),
        Column("both_lines", "both, each once", "count"),
        *plain([("steady_epoch_seconds", "s of an epoch after the first")], rows),
    ]
    table = View(part.id("lines"), "Lines of code that a workload takes, beside its speed", columns, rows)
    missing = f"No lines were counted in this run: `bench lines --run {part.run.folder.name}` counts them."
    return part.section("lines", "Lines of code against speed", [table], rows, missing)


def agreement(part: Part) -> Section:
    rows = sorted(
        part.tables["agreement"], key=lambda row: (row["share_alike"] is None, row["share_alike"], row["workload"])
    )
    columns = [
        *where(part, rows),
        Column("other_framework", "and"),
        round_of(),
        *plain([("share_alike", "share in the same class")], rows),
        *filled([Column("outputs_alike", "alike", "count")], rows),
        Column("outputs", "of", "count"),
        Column("largest_difference", "largest difference of an output", "number"),
    ]
    table = View(part.id("agreement"), "How many test rows two frameworks put in the same class", columns, rows)
    missing = "No two frameworks kept predictions of the same workload, variant `matched`, in the same round."
    return part.section("agreement", "Agreement on the test rows", [table], rows, missing)
