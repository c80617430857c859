#!/usr/bin/env bash
# test-sanitized.sh NODE NODE_HOME: builds the engine with ASan and UBSan beside the normal build, in .cache/sanitized, and
# runs the tests that use it in their own process. Any report fails it. Node itself is not instrumented and never frees
# all it has, so leaks are looked for in the parsers alone, which run here without it, on the fuzzers' corpus.
set -u
node=$(readlink -f "$1") headers=$(readlink -f "$2")
cd "$(dirname "$0")/.." || exit 1
work=$PWD/.cache/sanitized
if [ "$(uname -s)" != Linux ] || ! command -v g++ > /dev/null || ! command -v make > /dev/null || ! command -v python3 > /dev/null; then
  echo 'test-sanitized: needs Linux, g++, make and python3' >&2
  exit 1
fi

# binding.gyp looks for node_modules beside the folder it is in.
mkdir -p "$work/engine"
rm -f "$work"/report.*
ln -sfn "$PWD/node_modules" "$work/node_modules"
ln -sfn "$PWD/engine/src" "$work/engine/src"
cp engine/binding.gyp "$work/engine/"
echo 'test-sanitized: building'
if ! (cd "$work/engine" && SLUICE_SANITIZE=1 "$node" ../node_modules/node-gyp/bin/node-gyp.js configure build \
  --nodedir="$headers" --loglevel=error > "$work/build.log" 2>&1); then
  cat "$work/build.log" >&2
  exit 1
fi

failed=0
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$work/report

for target in head chunk-decoder; do
  g++ -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Iengine/src \
    "test/fuzz/$target.cc" test/fuzz/driver.cc -o "$work/$target" &&
    ASAN_OPTIONS=detect_leaks=1:log_path=$work/report "$work/$target" 0 "$work/finding" "test/fuzz/corpus/$target" ||
    failed=1
done

tests=(src/net/engine.test.ts src/net/engine.worker.test.ts src/net/transports.test.ts)
# Of policies, those that move bodies: the others ask nothing of the engine that these do not.
judged='policy-(audit|clusters|headers|paths|principals|reload|secrets)'
while IFS= read -r file; do tests+=("$file"); done < <(grep -ls 'support/stand.ts' test/e2e/*.test.ts | grep -vE "$judged")

sanitized() {
  SLUICE_ENGINE=$work/engine/build/Release/sluice_engine.node \
    ASAN_OPTIONS=detect_leaks=0:log_path=$work/report \
    LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" \
    "$node" "$@"
}
sanitized --test --test-timeout=300000 --test-concurrency=2 "${tests[@]}" || failed=1
sanitized test/fuzz/relays.fuzz.ts 15 "$work" || failed=1

for report in "$work"/report.*; do
  [ -e "$report" ] || continue
  cat "$report" >&2
  failed=1
done
[ $failed = 0 ] && echo 'test-sanitized: no report'
exit $failed
