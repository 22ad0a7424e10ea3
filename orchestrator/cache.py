"""Where what outlives a run lies on this machine."""

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Return the folder for what outlives a run: environments, datasets, compile caches, gate verdicts."""
    return Path(os.environ.get("BENCH_CACHE_DIR") or platformdirs.user_cache_path("bakeoff"))
