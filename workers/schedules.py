"""The learning rate of every step, as numbers, so that no worker has a schedule of its own."""

import numpy as np

from .spec import Recipe


def learning_rates(recipe: Recipe, first_step: int, steps: int, steps_per_epoch: int) -> np.ndarray:
    """Return the float64 rates of ``steps`` steps, ``first_step`` counted from 0 at the start of training."""
    rates = np.full(steps, recipe.optimiser.learning_rate)
    schedule, step = recipe.schedule, first_step + np.arange(steps)
    if schedule.kind == "step":
        rates *= schedule.factor ** (step // schedule.every_steps)
    if schedule.kind == "inv":
        rates *= (1 + schedule.gamma * step) ** -schedule.power
    if schedule.kind == "epoch":
        rates *= schedule.factor ** np.maximum(step // steps_per_epoch + 1 - schedule.after_epochs, 0)
    return rates
