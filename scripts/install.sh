#!/usr/bin/env bash
# Make a virtual environment from the committed locks: scripts/install.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Pitwall needs Python 3.11 or newer; '$python' is $("$python" --version). Try: make install PYTHON=python3.12" >&2; exit 1; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
locks=(-r requirements/dev.lock -r requirements/models.lock)
echo "Installing into $venv (about 5 GB, of which torch is most) …"
# uv installs in a tenth of pip's time; where it cannot reach the registry that pip is configured for, pip does the work.
export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-}}"
[ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/install.lock
if ! "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes "${locks[@]}"; then
  echo "uv could not install; using pip, which takes a few minutes longer …" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes "${locks[@]}"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
# Compiled once here rather than at the start of every process: a runtime starts in half the time. Files that no
# Python of today can compile are passed over.
"$venv/bin/python" -m compileall -q -j 0 "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" > /dev/null 2>&1 || true
