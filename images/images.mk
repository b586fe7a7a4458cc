# The container images; images/README.md says how to build them with docker or podman.
.PHONY: images images-build images-check images-lightning images-lock

IMAGES := $(addprefix localhost/tuning-operator/,$(addsuffix :dev,operator trainer sidecar console prometheus))

images: images-build cluster ## build the images and load them into the test cluster, started if need be
	@$(PYTHON) -m cluster load $(IMAGES)

# BASE=IMAGE builds on that image; TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu takes torch without GPU support.
images-build: packages
	@BASE="$(BASE)" TORCH_INDEX_URL="$(TORCH_INDEX_URL)" $(PYTHON) images/build.py

# A user's image, which the tests need and the demo doesn't.
images-lightning: images
	@TORCH_INDEX_URL="$(TORCH_INDEX_URL)" BASE="$(BASE)" $(PYTHON) images/build.py lightning
	@$(PYTHON) -m cluster load localhost/tuning-operator/lightning:dev

images-check: venv images-build ## the operator's image suggests what the development environment does; what each costs
	@$(PY) images/checks/compare.py

IMAGES_COMPILE = $(VENV)/bin/uv pip compile -q --universal --python-version 3.13 --generate-hashes \
  --no-emit-index-url --no-header -c requirements.lock

images-lock: venv ## resolve the images' dependencies, to the versions of `make lock`
	$(IMAGES_COMPILE) images/torch/tools.in -o images/torch/tools.lock
	$(IMAGES_COMPILE) images/torch/requirements.in -o images/torch/requirements.lock
	$(IMAGES_COMPILE) -c images/torch/requirements.lock --override images/torch/provided.txt \
	  operator/pyproject.toml --extra run -o operator/requirements.lock
	$(IMAGES_COMPILE) -c images/torch/requirements.lock --override images/torch/provided.txt \
	  trainer/pyproject.toml --extra image-classification --extra prometheus -o trainer/requirements.lock
	$(IMAGES_COMPILE) -c images/torch/requirements.lock -c trainer/adapters.lock --override images/torch/provided.txt \
	  images/lightning/requirements.in -o images/lightning/requirements.lock
	$(IMAGES_COMPILE) trainer/pyproject.toml --extra sidecar -o images/sidecar/requirements.lock
	$(IMAGES_COMPILE) console/pyproject.toml operator/pyproject.toml -o console/requirements.lock
