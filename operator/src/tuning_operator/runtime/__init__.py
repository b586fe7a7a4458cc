"""The only place that waits: kopf's watches, the work queue, the API server, Prometheus and the suggestion pool."""
