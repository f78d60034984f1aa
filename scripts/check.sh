#!/usr/bin/env bash
# What `make check` and CI run: format, lint, strict types, layer contracts, generated files unchanged.
set -euo pipefail
bin="${BIN:-.venv/bin}"
"$bin/ruff" format --check .
"$bin/ruff" check .
"$bin/mypy"
"$bin/lint-imports" --no-cache
if [ -e operator/__init__.py ]; then
  echo "operator/__init__.py must not exist: it would shadow the standard library's operator. Remove it." >&2; exit 1
fi
for package in tests tests/operator; do
  if [ -e $package/__init__.py ]; then
    echo "$package must hold no __init__.py: a package tests/operator would shadow the standard library. Remove it." >&2; exit 1
  fi
done
generated=(crds dashboards docs/resources.md docs/architecture.md docs/pictures/architecture.png charts/pitwall/files images/notices)
state() { git status --porcelain -- "${generated[@]}"; git diff -- "${generated[@]}"; }
before=$(state)
BIN="$bin" bash scripts/generate.sh
after=$(state)
[ "$before" = "$after" ] || { echo "Generated files were out of date and have been remade. Commit them." >&2; exit 1; }
echo "check: all good"
