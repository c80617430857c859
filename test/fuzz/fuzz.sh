#!/usr/bin/env bash
# fuzz.sh SECONDS: fuzzes, each for so long: the engine's parsers with libFuzzer under ASan, UBSan and LSan, the
# TypeScript ones with fast-check, the two chunk decoders against each other, and the engine's relays over loopback. Ends
# with 1 when anything was found; the inputs are then in .cache/fuzz/findings. Put them into test/fuzz/corpus, named for
# what they are, once it is fixed.
set -u
seconds=${1:-60}
cd "$(dirname "$0")/../.." || exit 1
node=$(ls node_modules/node-linux-*/bin/node 2> /dev/null | head -1)
node=${node:-node}
work=.cache/fuzz findings=.cache/fuzz/findings
mkdir -p "$findings"

has_libfuzzer() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address,undefined - -o "$work/probe" 2> "$work/probe.log"
}

if ! has_libfuzzer && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo 'fuzz: installing clang'
  { apt-get update && apt-get install -y --no-install-recommends clang &&
    apt-get install -y --no-install-recommends "libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev"; } \
    > "$work/apt.log" 2>&1
fi

common=(-std=c++20 -O1 -g -Wall -Wextra -Wshadow -Werror -fno-sanitize-recover=undefined -Iengine/src)
if has_libfuzzer; then
  tool=libFuzzer compile=(clang++ "${common[@]}" -fsanitize=fuzzer,address,undefined)
elif command -v g++ > /dev/null; then
  echo 'fuzz: no clang with libFuzzer here; a plain mutation driver, built by g++, takes its place'
  tool=driver compile=(g++ "${common[@]}" -fsanitize=address,undefined test/fuzz/driver.cc)
else
  echo 'fuzz: neither clang nor g++ is here; the engine'"'"'s parsers are not fuzzed'
  tool=none
fi

# Limits memory: the targets' own use is a few MB, and the rest is quarantine.
export ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

# native TARGET MAX_BYTES FOLDER...: the folders hold what it starts from.
native() {
  local target=$1 longest=$2 log=$work/$1.log
  shift 2
  "${compile[@]}" "test/fuzz/$target.cc" -o "$work/$target" || return 1
  if [ $tool = libFuzzer ]; then
    mkdir -p "$work/corpus/$target"
    "$work/$target" -max_total_time="$seconds" -max_len="$longest" -timeout=10 -dict=test/fuzz/http.dict \
      -print_final_stats=1 -artifact_prefix="$findings/$target-" "$work/corpus/$target" "$@" > "$log" 2>&1
  else
    "$work/$target" "$seconds" "$findings/$target-input" "$@" > "$log" 2>&1
  fi
  local result=$?
  echo "fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions ($tool)"
  [ $result = 0 ] && return 0
  tail -n 40 "$log"
  echo "fuzz $target: a finding, see $findings/$target-*"
  return 1
}

failed=0
if [ $tool != none ]; then
  heads=test/fixtures/heads
  native head 8192 test/fuzz/corpus/head $heads/request $heads/response || failed=1
  native chunk-decoder 20000 test/fuzz/corpus/chunk-decoder || failed=1
fi
"$node" test/fuzz/heads.fuzz.ts "$seconds" "$findings" || failed=1
"$node" test/fuzz/differential.fuzz.ts "$seconds" "$findings" || failed=1
"$node" test/fuzz/relays.fuzz.ts "$seconds" "$findings" || failed=1
exit $failed
