"""A pass over one job: observe, decide, commit, act."""
