#!/bin/sh
# with-node.sh COMMAND [ARGUMENT]...
#
# Runs a command with Node 24 or newer, and the commands of node_modules, first on PATH: the Node that setup.sh put
# into .millrace/toolchain, else the one on PATH. Exits 127 with a sentence when there is neither.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

is_recent() {
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge 24 ] 2>/dev/null
}

node=
for candidate in "$root"/.millrace/toolchain/node_modules/node*/bin/node; do
  if [ -x "$candidate" ]; then node=$candidate; fi
done
if [ -z "$node" ] && on_path=$(command -v node) && is_recent "$on_path"; then node=$on_path; fi
if [ -z "$node" ]; then
  echo 'Node 24 or newer is needed and not there. Run: make setup' >&2
  exit 127
fi

PATH=$(dirname -- "$node"):$root/node_modules/.bin:$PATH
export PATH
exec "$@"
