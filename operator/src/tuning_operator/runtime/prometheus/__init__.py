"""Prometheus: questions, answers, and what is known from them."""
