#!/usr/bin/env bash
# Install the servers that some tests start: PostgreSQL, Prometheus. Idempotent; needs root and apt-get, else those tests are skipped by name.
set -euo pipefail
if compgen -G "/usr/lib/postgresql/*/bin/postgres" > /dev/null; then
  echo "PostgreSQL is installed."
elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "PostgreSQL is not installed and this is not root on a Debian system: install it by hand, or let its tests be skipped." >&2
else
  export DEBIAN_FRONTEND=noninteractive
  # Only the binaries: the tests make a cluster of their own.
  mkdir -p /etc/postgresql-common
  grep -qs create_main_cluster /etc/postgresql-common/createcluster.conf ||
    echo "create_main_cluster = false" >> /etc/postgresql-common/createcluster.conf
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends postgresql
fi

if command -v prometheus > /dev/null && command -v promtool > /dev/null; then
  echo "Prometheus is installed."
elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Prometheus is not installed and this is not root on a Debian system: install it by hand, or let its tests be skipped." >&2
else
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends prometheus
  # Only the binaries: the tests start a server of their own.
  if [ -d /run/systemd/system ]; then systemctl disable --now prometheus; else service prometheus stop > /dev/null 2>&1 || true; fi
fi
