#!/usr/bin/env bash
# debs.sh SUITE DIR PACKAGE...: unpacks Debian packages of one suite into DIR/root without installing them, so
# that two releases of one program live side by side and the system is left as it was. DIR/run starts a program
# of that root with that root's own C library.
set -euo pipefail
suite=$1 dir=$2
shift 2
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
command -v apt-get > /dev/null && command -v dpkg > /dev/null || { echo "needs apt-get and dpkg" >&2; exit 1; }
[ -r "$keyring" ] || { echo "needs $keyring" >&2; exit 1; }

rm -rf "$dir"
mkdir -p "$dir"/{lists/partial,cache/archives/partial,debs,root}
echo "deb [signed-by=$keyring] http://deb.debian.org/debian $suite main" > "$dir/sources.list"
apt=(apt-get -q -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=-
  -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root
  -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
"${apt[@]}" update > "$dir/apt.log" 2>&1 || { tail -n 3 "$dir/apt.log" >&2; exit 1; }
(cd "$dir/debs" && "${apt[@]}" download "$@" > "$dir/apt.log" 2>&1) || { tail -n 3 "$dir/apt.log" >&2; exit 1; }
for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/root"; done

cat > "$dir/run" << 'END'
#!/bin/sh
# run PROGRAM ARGUMENT...: PROGRAM is a path inside the root beside this file.
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/root
program=$1
shift
triple=$(uname -m)-linux-gnu
for loader in "$root/lib/$triple"/ld-linux-*.so.* "$root/usr/lib/$triple"/ld-linux-*.so.*; do
  [ -x "$loader" ] && break
done
exec "$loader" --library-path "$root/lib/$triple:$root/usr/lib/$triple" "$root/$program" "$@"
END
chmod 755 "$dir/run"
rm -rf "$dir"/{lists,cache,debs}
