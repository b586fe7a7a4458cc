"""A read-only web console of the tuning operator."""
