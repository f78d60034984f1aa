#!/usr/bin/env bash
# Copy into the chart what Helm can only read from inside it: CRDs, dashboard, rules.
set -euo pipefail
files=charts/pitwall/files
mkdir -p "$files/crds"
rm -f "$files"/crds/*.yaml
cp crds/*.yaml "$files/crds/"
cp dashboards/pitwall.json dashboards/rules.yaml "$files/"
