#!/usr/bin/env bash
# build.sh NODE NODE_HOME: builds the native engine with that Node's own headers, so that nothing is downloaded.
# Where it can't be built (no compiler, not Linux) it says so and exits 0: Sluice then runs on node:net.
set -u
node=$(readlink -f "$1") headers=$(readlink -f "$2")
cd "$(dirname "$0")" || exit 1
if [ "$(uname -s)" != Linux ] || ! command -v g++ > /dev/null || ! command -v make > /dev/null || ! command -v python3 > /dev/null; then
  echo "engine: not built (needs Linux, g++, make and python3); Sluice will use node:net" >&2
  exit 0
fi
mkdir -p build
if ! "$node" ../node_modules/node-gyp/bin/node-gyp.js rebuild --nodedir="$headers" --loglevel=error > build.log 2>&1; then
  cat build.log >&2
  echo "engine: the build failed; Sluice will use node:net" >&2
  [ -z "${CI:-}" ] || exit 1
fi
rm -f build.log
