"""The experiment: the same jobs with early stopping off and on, on the real cluster, and what the difference is."""
