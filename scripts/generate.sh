#!/usr/bin/env bash
# Remake every generated file.
set -euo pipefail
python="${BIN:-.venv/bin}/python"
"$python" -m pitwall_crds.render crds
"$python" -m pitwall_crds.reference docs/resources.md
"$python" -m pitwall_dashboards.generate dashboards
bash scripts/chart_files.sh
