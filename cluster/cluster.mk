# The test cluster; `python3 -m cluster --help` has more commands.
.PHONY: cluster cluster-down cluster-status cluster-build packages kubectl

# The API server has an address that is not localhost, and nobody may look for it behind a proxy.
export NO_PROXY := $(NO_PROXY),10.213.0.0/16,10.187.0.0/16
export no_proxy := $(NO_PROXY)

cluster: ## start the test cluster (builds what is missing, as root)
	@$(PYTHON) -m cluster up

cluster-down: ## stop the test cluster and put the host back as it was
	@$(PYTHON) -m cluster down

cluster-status: ## which parts of the test cluster run
	@$(PYTHON) -m cluster status

cluster-build: packages ## build Kubernetes, kubectl and helm (10 minutes, once)
	@$(PYTHON) -m cluster build

kubectl: ## kubectl for the test cluster: make kubectl ARGS="get pods -A"
	@cluster/kubectl $(ARGS)

packages: ## the operating system's packages that are missing (apt, as root)
	@$(PYTHON) -m cluster packages
