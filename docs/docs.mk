# The documentation: its generated pages, which `make unit` holds up to date, and its site.
.PHONY: docs dashboards site site-serve site-lock

SITE_VENV := .venv-site
MKDOCS := $(SITE_VENV)/bin/mkdocs

docs: venv ## write docs/crd-reference.md from crds/
	@$(PY) docs/generate_crd_reference.py

dashboards: venv ## write the chart's dashboards for Grafana
	@$(PY) docs/generate_dashboards.py

site: $(SITE_VENV)/.synced ## the documentation as a website in .site/html; a broken link is an error
	@$(PY) -m docs.website stage
	@NO_MKDOCS_2_WARNING=true $(MKDOCS) build --strict
	@$(PY) -m docs.website check

site-serve: site ## show the website at http://127.0.0.1:8000
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory .site/html 8000

site-lock: venv ## resolve the website's dependencies
	$(VENV)/bin/uv pip compile -q docs/requirements.in --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header -o docs/requirements.lock

# Apart from .venv, which nobody has to fill with a site generator to work on the code.
$(SITE_VENV)/.synced: venv docs/requirements.lock
	@test -x $(SITE_VENV)/bin/python || $(PYTHON) -m venv --without-pip $(SITE_VENV)
	@$(VENV)/bin/uv pip sync --python $(SITE_VENV)/bin/python --quiet --require-hashes docs/requirements.lock
	@touch $@
