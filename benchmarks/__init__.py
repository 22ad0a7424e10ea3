"""Measurements of the tool itself; the pages quote what they print."""
