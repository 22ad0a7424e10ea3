"""The host side of Bakeoff: plans jobs, runs each in its framework's own environment, and reports."""
