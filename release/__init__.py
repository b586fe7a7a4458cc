"""Makes releases; `make release` runs it."""
