#!/usr/bin/env bash
# Builds kube-apiserver and etcd into the folder $1, unless they are there and were built from the same go.mod.
set -euo pipefail
cd "$(dirname "$0")/servers"
bin=$1
mkdir -p "$bin"

# build <name> <package> <linker flags>
build() {
  local recipe
  recipe=$(cat "$1/go.mod" "$1/go.sum" | sha256sum)
  [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.made-from" 2> /dev/null)" = "$recipe" ] && return
  command -v go > /dev/null || { echo "there is no Go to build $1 with" >&2; return 1; }
  echo "building $1, once" >&2
  (cd "$1" && CGO_ENABLED=0 nice -n 10 go build -mod=readonly -trimpath -ldflags "-s -w $3" -o "$bin/$1.new" "$2") &&
    mv "$bin/$1.new" "$bin/$1" &&
    echo "$recipe" > "$bin/$1.made-from"
}

# Its release is linked in: without one the server takes itself for version 0.
release=$(sed -n 's/^\tk8s.io\/kubernetes v\([0-9.]*\).*/\1/p' kube-apiserver/go.mod)
minor=${release#1.}
flags=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $package.gitVersion=v$release -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$flags" && build etcd . ''
