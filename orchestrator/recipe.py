"""The recipe of a catalogue's entry; ``workers/recipe.py`` says what a recipe is, here and in every image."""

from pathlib import Path

from orchestrator.catalogue import ROOT, FrameworkEntry, every_entry
from workers import recipe


def recipe_files(entry: FrameworkEntry) -> list[Path]:
    """Return the files that make a framework's environment, relative to the project's root."""
    return recipe.recipe_files(entry.folder, ROOT)


def recipe_hash(entry: FrameworkEntry, device: str) -> str:
    """Return the hash of the recipe's files and of the image variant chosen by the device."""
    return recipe.recipe_hash(entry.folder, entry.requirements[device], ROOT)


def current_recipes() -> dict[tuple[str, str], str]:
    """Return {(label, device): hash} of every environment as its files are now."""
    return {(entry.label, device): recipe_hash(entry, device) for entry in every_entry() for device in entry.devices}
