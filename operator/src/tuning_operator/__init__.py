"""A Kubernetes operator that tunes machine-learning models."""
