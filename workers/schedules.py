"""The learning rate of every step, as numbers, so that no worker has a schedule of its own."""

import numpy as np

from .spec import Recipe


def learning_rates(recipe: Recipe, first_step: int, steps: int) -> np.ndarray:
    """Return the float64 rates of ``steps`` steps, ``first_step`` counted from 0 at the start of training."""
    rates = np.full(steps, recipe.optimiser.learning_rate)
    schedule = recipe.schedule
    if schedule.kind == "step":
        rates *= schedule.factor ** ((first_step + np.arange(steps)) // schedule.every_steps)
    return rates
