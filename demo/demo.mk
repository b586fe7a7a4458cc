# The demo and the tests on the whole cluster. `python -m demo --help` has more about the first;
# DEMO_ARGS="--save-svg FILE" saves a picture, DEMO_ARGS=--pause pauses trials instead of stopping them.
.PHONY: builds demo demo-down e2e
DEMO_ARGS ?=
E2E_ARGS ?=

# The one waits for the processor, the other for the network.
builds: packages
	@$(MAKE) --no-print-directory -j2 cluster-build images-build

# With CONTEXT the demo runs in a cluster of yours, from images of REGISTRY and VERSION as `make release` pushes them.
ON_CLUSTER = $(if $(CONTEXT),--context "$(CONTEXT)" --registry "$(REGISTRY)" --version "$(VERSION)" \
  --prometheus-image "$(PROMETHEUS_IMAGE)" $(if $(YES),--yes))

demo: venv $(if $(CONTEXT),,builds images) ## tune a small network on Fashion-MNIST and watch it; CONTEXT=… REGISTRY=… VERSION=… for your cluster
	@$(PY) -m demo up $(DEMO_ARGS) $(ON_CLUSTER)

demo-down: venv ## remove what the demo installed (make cluster-down stops the cluster)
	@$(PY) -m demo down $(ON_CLUSTER)

e2e: venv builds images-lightning console-packages ## the tests on the whole cluster
	$(call pytest,$(call marked,e2e) -m e2e $(E2E_ARGS))
