#!/bin/sh
# Installs Debian's torch without what the operator never opens, and makes /opt/venv, which sees that torch, and sympy,
# and otherwise nothing of Debian's.
set -eu
if command -v python3 >/dev/null; then
  echo "this base has its own Python, and Debian's torch is built for Debian's: take debian:trixie-slim, or build" \
    "images/torch with TORCH_INDEX_URL and name it with --build-arg TORCH" >&2
  exit 1
fi
apt-get update
# The reference BLAS, with which torch is content, is many times slower than OpenBLAS.
apt-get install --yes --no-install-recommends ca-certificates python3 python3-torch libopenblas0-pthread
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

# Tests, and AMD's GPU runtime with its compiler, which a plug-in of the message-passing library loads on such GPUs.
rm -rf /usr/lib/libtorch-test /usr/lib/llvm-*
find /usr/lib -name 'libLLVM*' -o -name 'libamd_comgr*' -o -name 'libamdhip64*' -o -name 'libhsa-runtime64*' \
  -o -path '*/ucx/*_rocm*' | xargs rm -f
# The other Python packages are in the operator's lock file, or are not imported.
cd /usr/lib/python3/dist-packages
find . -mindepth 1 -maxdepth 1 ! -name 'torch*' ! -name 'sympy*' -exec rm -r {} +
rm -r torch/testing/_internal
find torch/bin -type f ! -name torch_shm_manager -delete

python3 -m venv --without-pip /opt/venv
cd "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
ln -s /usr/lib/python3/dist-packages/* .

# Nothing that is left is linked to what is gone.
if find torch/ /usr/lib/*/libtorch* /usr/lib/*/ucx -name '*.so*' -type f -exec ldd {} + | grep 'not found'; then
  exit 1
fi
