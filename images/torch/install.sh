#!/bin/sh
# Makes /opt/venv with torch from the lock file and removes what neither `import torch` nor a GPU needs.
set -eu
lock=/opt/torch/requirements.lock
export UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy VIRTUAL_ENV=/opt/venv PYTHONDONTWRITEBYTECODE=1
uv=/opt/tools/bin/uv

"$uv" venv --quiet --python "$(command -v python3)" /opt/venv
if [ -z "${TORCH_INDEX_URL:-}" ]; then
  "$uv" pip install --no-deps --require-hashes -r "$lock"
else
  # Other builds of the same versions have other hashes: torch comes from that index, the rest from the lock file,
  # less the CUDA libraries, which such builds either do without or name otherwise.
  version=$(sed -n 's/^torch==\([^ ;]*\).*/\1/p' "$lock")
  awk '/^[^ ]/ { keep = !/^(torch|cuda-|nvidia-)/ } keep' "$lock" > /tmp/rest.lock
  "$uv" pip install --no-deps --require-hashes -r /tmp/rest.lock
  "$uv" pip install --index-url "$TORCH_INDEX_URL" "torch==$version"
  rm /tmp/rest.lock
fi

cd "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
# Build-time files, device code for compilers, a multi-GPU solver and the profiler's hardware counters: torch loads none of them.
rm -rf torch/include torch/share torch/bin/protoc* nvidia/*/include nvidia/cu13/cccl
find torch nvidia \( -name '*.a' -o -name '*.bc' -o -name 'libcusolverMg.so*' -o -name 'libcufftw.so*' \
  -o -name 'libnvblas.so*' -o -name 'libnvperf_*.so*' -o -name 'libpcsamplingutil.so*' \) -delete
# numpy.testing imports a module of numpy/_core/tests.
find . -depth -type d -name tests -not -path './numpy/_core/tests' -exec rm -r {} +
# Compiled here, since at run time nobody may write: without this every start compiles for seconds.
/opt/venv/bin/python -m compileall -q -j 0 .
/opt/venv/bin/python -c 'import torch; print("torch", torch.__version__)'
