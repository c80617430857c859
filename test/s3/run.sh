#!/usr/bin/env bash
# Policies from S3, against moto's server, which speaks S3's API. Needs Python 3; the rest is fetched from the
# registry into .cache, once.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! python3 -c 'import venv, ensurepip' 2> /dev/null; then
  echo 'test-s3: not run, this machine has no python3 with venv' >&2
  echo '0 passed, 0 failed, 1 skipped'
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi

case "$(uname -m)" in x86_64) arch=x64 ;; aarch64 | arm64) arch=arm64 ;; *) arch=none ;; esac
home=$PWD/node_modules/node-linux-$arch/bin
if [ -x "$home/node" ]; then PATH=$home:$PATH; fi

cache=$(realpath -m "${SLUICE_CACHE:-.cache}")/s3
venv=$cache/venv
requirements=test/s3/requirements.txt
if ! cmp -s "$requirements" "$venv/.made-from"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements"
  cp "$requirements" "$venv/.made-from"
fi
export MOTO_SERVER=$venv/bin/moto_server
exec node --test --test-timeout=300000 test/s3/*.test.ts
