# The Helm chart; its tests on a real API server are part of `make api`.
CHART := charts/tuning-operator
HELM := $(TUNING_OPERATOR_CACHE)/bin/current/helm

.PHONY: chart

chart: cluster-build ## check the Helm chart, and package it into dist/
	@$(HELM) lint --strict $(CHART) --set prometheus.url=http://prometheus:9090
	@$(HELM) package $(CHART) --destination dist
