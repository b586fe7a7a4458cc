# Releases; `python -m release --help` says what is made.
.PHONY: release release-login release-page release-test workflows

ORAS := $(TUNING_OPERATOR_CACHE)/bin/oras
ACTIONLINT := $(TUNING_OPERATOR_CACHE)/bin/actionlint
# Debian's package, unpacked: installed, it would start a service.
REGISTRY_PROGRAM := $(TUNING_OPERATOR_CACHE)/registry/usr/bin/docker-registry

release: venv images-build cluster-build console $(ORAS) ## make and push a release: VERSION=1.2.3 REGISTRY=registry.example.com/path
	@test -n "$(VERSION)" -a -n "$(REGISTRY)" || { echo "name both: make release VERSION=1.2.3 REGISTRY=registry.example.com/path" >&2; exit 2; }
	@$(PY) -m release "$(VERSION)" "$(REGISTRY)" --helm $(HELM) --oras $(ORAS)

# What helm, oras and buildah all read.
release-login: ## log in to REGISTRY as REGISTRY_USER with REGISTRY_PASSWORD
	@mkdir -p $(HOME)/.docker
	@printenv REGISTRY_PASSWORD | buildah login --authfile $(HOME)/.docker/config.json \
	  --username "$(REGISTRY_USER)" --password-stdin "$(firstword $(subst /, ,$(REGISTRY)))"

release-test: venv builds images console $(ORAS) $(REGISTRY_PROGRAM) ## a whole release, pushed to a registry here, installed from it and tried
	@ORAS=$(ORAS) REGISTRY_PROGRAM=$(REGISTRY_PROGRAM) $(PY) -m pytest -q tests/release -m release

workflows: $(ACTIONLINT) ## check the GitHub workflows
	@$(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml

$(ORAS): TOOL := oras.land/oras/cmd/oras
$(ACTIONLINT): TOOL := github.com/rhysd/actionlint/cmd/actionlint

$(ORAS) $(ACTIONLINT): $(TUNING_OPERATOR_CACHE)/bin/%: release/tools/%/go.mod release/tools/%/go.sum
	@mkdir -p $(@D)
	@cd release/tools/$* && go build -trimpath -ldflags=-s -o $@ $(TOOL)

$(REGISTRY_PROGRAM):
	@rm -rf $(TUNING_OPERATOR_CACHE)/registry && mkdir -p $(TUNING_OPERATOR_CACHE)/registry
	@cd $(TUNING_OPERATOR_CACHE)/registry && apt-get download -qq -o APT::Sandbox::User=root docker-registry && dpkg-deb -x docker-registry_*.deb . && rm *.deb

release-page: ## the release's page on GitHub, with its files: VERSION=1.2.3
	@gh release create "$(VERSION)" --verify-tag --title "$(VERSION)" --notes-file dist/release/NOTES.md dist/release/*
