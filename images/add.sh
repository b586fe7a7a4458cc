#!/bin/sh
# usage: add.sh FOLDER UV-PIP-INSTALL-ARGUMENTS
# For a build stage: installs into /opt/venv, and links what that adds in FOLDER, for the last stage to copy.
# Of tests that come along only those stay that libraries import (pyre_extensions does).
set -eu
added=$1
shift
touch /tmp/before
/opt/tools/bin/uv --no-cache pip install --python /opt/venv/bin/python --no-deps --compile-bytecode "$@"
mkdir -p "$added"
cd /opt/venv
find . \( -type f -o -type l \) -cnewer /tmp/before -not -path '*/tests/*test_*' -exec cp -al --parents -t "$added" {} +
