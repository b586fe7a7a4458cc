# The documentation's generated pages; `make unit` fails when one of them is out of date.
.PHONY: docs

docs: venv ## write docs/crd-reference.md anew from crds/
	@$(PY) docs/generate_crd_reference.py
