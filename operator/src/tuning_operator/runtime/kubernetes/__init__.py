"""The API server: requests, the kinds of its refusals, Events."""
