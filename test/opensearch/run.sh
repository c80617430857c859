#!/usr/bin/env bash
# The official clients through Sluice to real OpenSearch and Elasticsearch servers. Needs Java (17 or newer; 25
# for all servers), Maven and Python 3; everything else it fetches from the registries into .cache, once.
set -euo pipefail
cd "$(dirname "$0")"

missing=
for tool in java mvn python3; do command -v "$tool" > /dev/null || missing+=" $tool"; done
python3 -c 'import venv, ensurepip' 2> /dev/null || missing+=" python3-venv"
if [ -n "$missing" ]; then
  echo "test-opensearch: not run, this machine has no$missing" >&2
  echo "0 passed, 0 failed, 1 skipped"
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi

case "$(uname -m)" in x86_64) arch=x64 ;; aarch64 | arm64) arch=arm64 ;; *) arch=none ;; esac
home=$PWD/../../node_modules/node-linux-$arch/bin
if [ -x "$home/node" ]; then PATH=$home:$PATH; fi

if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed
fi
node fetch.ts
exec node --test --test-concurrency=1 --test-timeout=300000 "${@:-*.test.ts}"
