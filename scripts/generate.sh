#!/usr/bin/env bash
# Remake every generated file.
set -euo pipefail
python="${BIN:-.venv/bin}/python"
"$python" -m pitwall_runtime.plugins.describe --built-in crds/pitwall_crds/variant/samplers.json
"$python" -m pitwall_runtime.plugins.parameter_table docs/samplers.md
"$python" -m pitwall_crds.generate.render crds
"$python" -m pitwall_crds.generate.reference docs/resources.md
"$python" -m pitwall_dashboards.generate dashboards
"$python" scripts/architecture.py
"$python" scripts/notices.py images/notices
bash scripts/chart_files.sh
