#!/usr/bin/env bash
# Install what some tests start: PostgreSQL, Prometheus, Redis, what a Kubernetes node needs, libfaketime, ffmpeg; for `servers.sh soak` a Kafka broker,
# too. Idempotent; where they cannot be installed, say so: those tests are then skipped by name.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive

install() { # NAME PACKAGE …
  local name=$1
  shift
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "$name is not installed and this is not root on a Debian system: install it by hand, or let its tests be skipped." >&2
    return 1
  fi
  echo "Installing $name …"
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" > /dev/null; } ||
    { echo "$name could not be installed (the lines above say why); its tests are skipped." >&2; return 1; }
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
if ! command -v ffmpeg > /dev/null; then
  # Writes the decoders' test films, and is what their frames are compared with.
  install ffmpeg ffmpeg || true
fi
if ! command -v redis-server > /dev/null; then
  # Only the binary: the tests start a server of their own.
  if install Redis redis-server; then
    if [ -d /run/systemd/system ]; then systemctl disable --now redis-server; else service redis-server stop > /dev/null 2>&1 || true; fi
  fi
fi
if ! compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" > /dev/null && [ "$(uname -s)" = Linux ]; then
  # Sets the clock of one process of a test.
  install libfaketime libfaketime || true
fi
if [ "$(uname -s)" = Linux ]; then
  # What a Kubernetes node runs on; kubelet and kube-proxy come from scripts/kube/binaries.py.
  missing=()
  for needed in containerd:containerd runc:runc iptables:iptables conntrack:conntrack; do
    command -v "${needed%%:*}" > /dev/null || missing+=("${needed##*:}")
  done
  compgen -G "/usr/lib/cni/bridge" > /dev/null || compgen -G "/opt/cni/bin/bridge" > /dev/null || missing+=(containernetworking-plugins)
  if [ "${#missing[@]}" -gt 0 ] && install "A Kubernetes node" "${missing[@]}"; then
    # Only the binaries: the tests start a containerd of their own. One that was there before is left alone.
    if [[ " ${missing[*]} " == *" containerd "* && -d /run/systemd/system ]]; then systemctl disable --now containerd > /dev/null 2>&1 || true; fi
  fi
fi
if [ "${1:-}" = soak ]; then
  # 43 MB of jars. A broker of Kafka 4 needs Java 17, which is Debian 12's.
  kafka=${PITWALL_KAFKA:-$HOME/.cache/pitwall/kafka}
  { command -v java && command -v mvn; } > /dev/null || install "Java and Maven, for Kafka," default-jre-headless maven || true
  if ! compgen -G "$kafka/kafka_*.jar" > /dev/null && command -v mvn > /dev/null; then
    echo "Installing Kafka …"
    mvn -q -B -f kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$kafka" ||
      echo "Kafka could not be installed (the lines above say why); its tests are skipped." >&2
  fi
fi
