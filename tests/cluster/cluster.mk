# The test cluster; `python -m tests.cluster --help` has the same and more.
.PHONY: packages cluster-build

packages: ## the operating system's packages that are missing (apt, as root)
	@$(PYTHON) -m tests.cluster packages

cluster-build: packages ## build Kubernetes, kubectl and helm (10 minutes, once)
	@$(PYTHON) -m tests.cluster build
