# Releases; `python -m release --help` says what is made.
.PHONY: release release-test oras registry

ORAS := $(TUNING_OPERATOR_CACHE)/bin/oras
# Debian's package, unpacked: installed, it would start a service.
REGISTRY_PROGRAM := $(TUNING_OPERATOR_CACHE)/registry/usr/bin/docker-registry

release: venv images-build cluster-build oras ## make and push a release: VERSION=1.2.3 REGISTRY=registry.example.com/path
	@test -n "$(VERSION)" -a -n "$(REGISTRY)" || { echo "name both: make release VERSION=1.2.3 REGISTRY=registry.example.com/path" >&2; exit 2; }
	@$(PY) -m release "$(VERSION)" "$(REGISTRY)" --helm $(HELM) --oras $(ORAS)

release-test: venv builds images oras $(REGISTRY_PROGRAM) ## a whole release, pushed to a registry here, installed from it and tried
	@ORAS=$(ORAS) REGISTRY_PROGRAM=$(REGISTRY_PROGRAM) $(PY) -m pytest -q tests/release -m release

oras: $(ORAS)

$(ORAS): release/oras/go.mod release/oras/go.sum
	@mkdir -p $(@D)
	@cd release/oras && go build -trimpath -ldflags=-s -o $@ oras.land/oras/cmd/oras

$(REGISTRY_PROGRAM):
	@rm -rf $(TUNING_OPERATOR_CACHE)/registry && mkdir -p $(TUNING_OPERATOR_CACHE)/registry
	@cd $(TUNING_OPERATOR_CACHE)/registry && apt-get download -qq docker-registry && dpkg-deb -x docker-registry_*.deb . && rm *.deb
