#!/usr/bin/env bash
# Policies from the cluster, against a real kube-apiserver and etcd. These are built once out of the Go module proxy
# into .cache (Go 1.26 or newer; five minutes on two cores) and then only started.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
  echo "test-kubernetes: not run, $1" >&2
  echo "0 passed, 0 failed, 1 skipped"
  [ "${CI:-}" != true ] || exit 1
  exit 0
}

bin=$(cd ../.. && realpath -m "${SLUICE_CACHE:-.cache}")/kubernetes
bash build.sh "$bin" || skip 'kube-apiserver and etcd could be neither found in the cache nor built'

case "$(uname -m)" in x86_64) arch=x64 ;; aarch64 | arm64) arch=arm64 ;; *) arch=none ;; esac
home=$PWD/../../node_modules/node-linux-$arch/bin
if [ -x "$home/node" ]; then PATH=$home:$PATH; fi

export SLUICE_TEST_CONTROL_PLANE=$bin
exec node --test --test-concurrency=1 --test-timeout=300000 "${@:-*.test.ts}"
