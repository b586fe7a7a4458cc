# Software bills of materials: what the images hold, read from the images themselves.
.PHONY: sbom

SBOM := dist/sbom

sbom: venv images-build ## bills of materials (CycloneDX) of the images, with licences
	@for image in operator trainer sidecar console; do \
	  $(PY) images/sbom.py localhost/tuning-operator/$$image:dev $(SBOM)/$$image.cdx.json; done
