"""Results as pages, tables and figures."""
