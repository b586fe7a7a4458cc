#!/bin/sh
# Makes /opt/venv with torch from the lock file, without what neither `import torch` nor a GPU needs.
set -eu
lock=/opt/torch/requirements.lock
uv="/opt/tools/bin/uv --no-cache pip install --python /opt/venv/bin/python --no-deps"

sh /opt/torch/tools.sh
/opt/tools/bin/uv venv --python "$(command -v python3)" /opt/venv
if [ -z "${TORCH_INDEX_URL:-}" ]; then
  $uv --require-hashes -r "$lock"
else
  # Other builds of the same versions have other hashes: torch comes from that index, the rest from the lock file, less
  # the CUDA libraries, which a build for processors does without.
  version=$(sed -n 's/^torch==\([^ ;]*\).*/\1/p' "$lock")
  awk '/^[^ #]/ { keep = !/^(torch|cuda-|nvidia-)/ } keep' "$lock" > /tmp/rest.lock
  $uv --require-hashes -r /tmp/rest.lock
  $uv --index-url "$TORCH_INDEX_URL" "torch==$version"
  rm /tmp/rest.lock
fi
rm -rf /opt/tools "$HOME/.cache"
if dpkg --status python3-venv >/dev/null 2>&1; then
  apt-get purge --yes --auto-remove python3-venv
fi

cd "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
# Build-time files, device code for compilers, a multi-GPU solver and the profiler's hardware counters: torch loads none
# of them.
rm -rf torch/include torch/share torch/bin/protoc* nvidia/*/include nvidia/cu13/cccl
find . \( -name '*.a' -o -name '*.bc' -o -name 'libcusolverMg.so*' -o -name 'libcufftw.so*' \
  -o -name 'libnvblas.so*' -o -name 'libnvperf_*.so*' -o -name 'libpcsamplingutil.so*' \) -delete
# numpy.testing imports a module of numpy/_core/tests.
find . -depth -type d -name tests -not -path './numpy/_core/tests' -exec rm -r {} +
# Compiled here, since at run time nobody may write: without this every start compiles for seconds.
/opt/venv/bin/python -m compileall -q -j 0 .
/opt/venv/bin/python -c 'import torch; print("torch", torch.__version__)'
