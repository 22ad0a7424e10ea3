"""How datasets are read, verified, kept and registered; ``orchestrator.datasets`` is what others use."""
