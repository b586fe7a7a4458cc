# Software bills of materials: what is in the images' Python environments, from the lock files that they are built from.
.PHONY: sbom

SBOM := dist/sbom

sbom: venv $(SBOM)/operator.cdx.json $(SBOM)/trainer.cdx.json $(SBOM)/sidecar.cdx.json ## bills of materials (CycloneDX)

# One list of both layers, each package once, without what the lock files say is never installed.
$(SBOM)/%.cdx.json: images/torch/requirements.lock %/requirements.lock %/pyproject.toml $(VENV)/.synced
	@mkdir -p $(@D)
	@awk '/^[^ #]/ { keep = !/sys_platform == .never./ && !seen[$$1]++ } keep' $(filter %.lock,$^) > $(@:.cdx.json=.txt)
	@$(PY) -W ignore -m cyclonedx_py requirements --output-reproducible --pyproject $*/pyproject.toml \
	  --output-file $@ $(@:.cdx.json=.txt)
	@rm $(@:.cdx.json=.txt)

$(SBOM)/sidecar.cdx.json: images/sidecar/requirements.lock trainer/pyproject.toml $(VENV)/.synced
	@mkdir -p $(@D)
	@$(PY) -W ignore -m cyclonedx_py requirements --output-reproducible --pyproject trainer/pyproject.toml \
	  --output-file $@ $<
