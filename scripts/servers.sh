#!/usr/bin/env bash
# Install the servers that some tests start: PostgreSQL, Prometheus. Idempotent; where they cannot be installed, say so: those tests are then
# skipped by name.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

install() { # NAME PACKAGE
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "$1 is not installed and this is not root on a Debian system: install it by hand, or let its tests be skipped." >&2
    return 1
  fi
  echo "Installing $1 …"
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" > /dev/null; } ||
    { echo "$1 could not be installed (the lines above say why); its tests are skipped." >&2; return 1; }
}

if ! compgen -G "/usr/lib/postgresql/*/bin/postgres" > /dev/null; then
  # Only the binaries: the tests make a cluster of their own.
  if [ -w /etc ]; then
    mkdir -p /etc/postgresql-common
    grep -qs create_main_cluster /etc/postgresql-common/createcluster.conf ||
      echo "create_main_cluster = false" >> /etc/postgresql-common/createcluster.conf
  fi
  install PostgreSQL postgresql || true
fi
if ! command -v prometheus > /dev/null || ! command -v promtool > /dev/null; then
  if install Prometheus prometheus; then
    # Only the binaries: the tests start a server of their own.
    if [ -d /run/systemd/system ]; then systemctl disable --now prometheus; else service prometheus stop > /dev/null 2>&1 || true; fi
  fi
fi
