#!/bin/sh
# Makes /opt/tools with what builds images: uv and hatchling. For build stages, and for RUN lines that remove it again.
set -eu
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  apt-get update
  apt-get install --yes --no-install-recommends python3-venv
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*
fi
python3 -m venv /opt/tools
/opt/tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r /opt/torch/tools.lock
