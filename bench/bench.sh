#!/usr/bin/env bash
# bench.sh [--quick] [--cc reno|default|both] [--peers a,b] [--scenarios x,y] [--rounds N]
# Installs the peers, builds the generators, measures, and writes bench/results, the table and the plots.
# The run has a network namespace of its own, where reno can be chosen without touching the machine (its default,
# bbr on many, has pacing timers that cost more than a proxy does). `both`, the default without any flag, measures
# under reno and then, fewer scenarios, under the machine's own default.
# A run with --quick, --peers, --scenarios or fewer than 3 rounds leaves its results in the cache only.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
results=$root/bench/results
cache=$root/.cache/bench
export SLUICE_BENCH_COMMAND="make bench"
[ $# -eq 0 ] || SLUICE_BENCH_COMMAND="bash bench/bench.sh $*"
congestion=
flags=()
while [ $# -gt 0 ]; do
  if [ "$1" = --cc ]; then congestion=$2 && shift; else flags+=("$1"); fi
  shift
done
if [ -z "$congestion" ]; then
  if [ ${#flags[@]} -eq 0 ]; then congestion=both; else congestion=reno; fi
fi

say() { echo "bench: $*" >&2; }

[ "$(uname -s)" = Linux ] || { say "the measurements need Linux (namespaces, splice, /proc)" && exit 1; }
for tool in flock g++ make python3 setpriv unshare; do
  command -v "$tool" > /dev/null || { say "needs $tool" && exit 1; }
done
# Two runs at once would measure each other, and share the users that their peers run as.
exec 9> "${TMPDIR:-/tmp}/sluice-bench-$(id -u).lock"
flock --nonblock 9 || { say "another run is going on" && exit 1; }
make -s -C "$root/bench/native"
ulimit -n "$(ulimit -Hn)"

# Peers run as users of their own, who must be able to read what they run.
home=$root
other=61000
if [ "$(id -u)" = 0 ] && ! setpriv --reuid $other --regid $other --clear-groups test -x "$root/sluice"; then
  home=/tmp/sluice-bench-checkout
  cache=/tmp/sluice-bench-cache
  say "other users cannot read $root: measuring a copy in $home"
  rm -rf "$home" && mkdir -p "$home"
  tar -C "$root" --exclude=./.git --exclude=./.cache -cf - . | tar -C "$home" -xf -
fi
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=none ;; esac
node=$home/node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || node=$(command -v node)

"$node" "$home/bench/install.ts" "$cache" "${flags[@]}"

if unshare --net true 2> /dev/null; then namespace=(unshare --net)
elif unshare --map-root-user --net true 2> /dev/null; then namespace=(unshare --map-root-user --net)
else namespace=()
fi

# In the namespace: loopback up, many ports, the congestion control asked for, and proof that it was taken.
inside='
  python3 -c "import fcntl,socket,struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sH14x\", b\"lo\", 0x41))"
  echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range
  if [ "$1" != default ]; then
    echo "$1" > /proc/sys/net/ipv4/tcp_congestion_control
    [ "$(cat /proc/sys/net/ipv4/tcp_congestion_control)" = "$1" ] || { echo "bench: $1 was refused" >&2; exit 1; }
  fi
  shift
  exec "$@"'

measure() {
  local run=("$node" "$home/bench/run.ts" "$cache" "$results" --cc "$1" "${flags[@]}")
  if [ ${#namespace[@]} -gt 0 ]; then
    SLUICE_BENCH_NAMESPACE=own timeout --foreground 45m "${namespace[@]}" bash -ec "$inside" inside "$1" "${run[@]}"
  else
    timeout --foreground 45m "${run[@]}"
  fi
}

if [ ${#namespace[@]} -eq 0 ]; then
  say "no network namespace can be made here: measuring once, under $(cat /proc/sys/net/ipv4/tcp_congestion_control)"
  congestion=default
fi
case $congestion in
  both) measure reno && measure default ;;
  *) measure "$congestion" ;;
esac
if [ ${#flags[@]} -eq 0 ]; then "$node" "$root/bench/table.ts" --write
else
  "$node" "$root/bench/table.ts" --in "$cache/results"
  say "not a full run: README and bench/results are as they were; see $cache/results/table.md"
fi
