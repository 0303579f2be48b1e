#!/usr/bin/env bash
# setup.sh [--tests]
#
# Brings everything here that the project needs, and nothing that is there already: Node 24, the npm packages, the
# engines' jars. What cannot be installed from here is named with the command that does it.
# With --tests, a machine without Java or Maven is no failure: the tests that need them say that they did not run. The
# browser that tests need is then installed too, where root may do that with apt-get.
#
# Runs on the bash of macOS (3.2) too. Sourcing the file defines the functions and does nothing.
set -uo pipefail

NODE_VERSION=24.21.0
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TOOLCHAIN=$ROOT/.millrace/toolchain
LOG_DIR=$ROOT/.millrace/logs
MISSING=0
# Process group of the step under way.
STEP=

# --- what is said ---------------------------------------------------------------------------------------------

# seconds_since START
seconds_since() { echo "$((SECONDS - $1))"; }

# told STATE WHAT SECONDS: the one line of a step
told() { printf '  %-7s %s (%s s)\n' "$1" "$2" "$3"; }

# missing WHAT DEBIAN MACOS
missing() {
  MISSING=$((MISSING + 1))
  printf '  missing %s\n          Debian: %s\n          macOS:  %s\n' "$1" "$2" "$3"
}

# Addresses say nothing that helps and may be private.
without_addresses() {
  sed -E -e 's#[a-z+]+://[^[:space:]"'"'"']*#(address)#g' -e 's#(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET) [^[:space:]]+#\1 (address)#g'
}

# step WHAT FUNCTION [ARGUMENT]...: runs it with its output in a log, shows that time passes, ends in one line.
# The function may leave a sentence in $SAID, which then stands for WHAT.
step() {
  local what=$1 started=$SECONDS log status ticks=0 shown=0 said
  shift
  log=$LOG_DIR/setup-$(echo "$what" | tr -cs 'a-zA-Z0-9\n' '-' | tr 'A-Z' 'a-z').log
  said=$log.said
  mkdir -p "$LOG_DIR"
  rm -f "$said"
  # A process group of its own (-m), so that an interrupt ends everything that the step started.
  set -m
  (SAID=; "$@"; status=$?; [ -z "$SAID" ] || echo "$SAID" >"$said"; exit "$status") >"$log" 2>&1 </dev/null &
  STEP=$!
  set +m
  while kill -0 "$STEP" 2>/dev/null; do
    sleep 0.1
    ticks=$((ticks + 1))
    if [ "$ticks" -lt 10 ]; then continue; fi
    if [ -t 1 ]; then
      printf '\r  ...     %s: %s s ' "$what" "$(seconds_since "$started")"
      shown=1
    elif [ $((ticks % 150)) -eq 10 ]; then
      printf '  ...     %s: %s s\n' "$what" "$(seconds_since "$started")"
    fi
  done
  wait "$STEP"
  status=$?
  STEP=
  [ "$shown" -eq 0 ] || printf '\r\033[K'
  if [ "$status" -eq 0 ]; then
    told ok "$(cat "$said" 2>/dev/null || echo "$what")" "$(seconds_since "$started")"
  else
    told failed "$what" "$(seconds_since "$started")"
    tail -n 20 "$log" | without_addresses | sed 's/^/          /'
    echo "          (all of it: ${log#"$ROOT"/})"
  fi
  rm -f "$said"
  return "$status"
}

# --- what the machine has -------------------------------------------------------------------------------------

# major_of VERSION: 24 of v24.1.0, 17 of 17.0.15, 8 of 1.8.0_402
major_of() {
  local version=${1#v}
  version=${version#1.}
  echo "${version%%[!0-9]*}"
}

java_version() { java -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p' | head -n 1; }

check_java() {
  local version
  version=$(java_version)
  if [ -n "$version" ] && [ "$(major_of "$version")" -ge 17 ]; then
    told ok "Java $version" 0
    return 0
  fi
  missing "Java 17 or newer${version:+ (there is $version)}" \
    'apt-get install openjdk-17-jre-headless' 'brew install openjdk@17'
  return 1
}

check_maven() {
  if command -v mvn >/dev/null; then return 0; fi
  missing 'Maven, to fetch the engines' 'apt-get install maven' 'brew install maven'
  return 1
}

# node_platform: linux-x64, darwin-arm64, …
node_platform() {
  local cpu
  cpu=$(uname -m)
  case $cpu in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
  esac
  echo "$(uname -s | tr 'A-Z' 'a-z')-$cpu"
}

# --- Node and the npm packages --------------------------------------------------------------------------------

right_node() { "$ROOT/infra/with-node.sh" sh -c 'command -v node' 2>/dev/null; }

# node_package PLATFORM: Linux builds are packages of their own; elsewhere the package `node` picks the right one.
node_package() {
  case $1 in
    linux-x64 | linux-arm64) echo "node-$1@$NODE_VERSION" ;;
    *) echo "node@$NODE_VERSION" ;;
  esac
}

install_node() {
  mkdir -p "$TOOLCHAIN"
  npm install --prefix "$TOOLCHAIN" --no-save --no-audit --no-fund "$(node_package "$(node_platform)")" || return 1
  right_node >/dev/null && SAID="Node $("$(right_node)" --version) installed under .millrace/toolchain"
}

ensure_node() {
  local node
  if node=$(right_node); then
    told ok "Node $("$node" --version)" 0
    return 0
  fi
  if ! command -v npm >/dev/null; then
    missing 'npm, to fetch Node 24' 'apt-get install nodejs npm' 'brew install node@24'
    return 1
  fi
  step "Node $NODE_VERSION" install_node
}

npm_ci() {
  npm ci --ignore-scripts --no-audit --no-fund && SAID='npm packages installed'
}

ensure_packages() {
  if [ -L "$ROOT/node_modules" ]; then
    told ok 'npm packages: node_modules is a link and is left as it is' 0
  elif node "$ROOT/infra/packages-current.ts"; then
    told ok 'npm packages' 0
  else
    step 'npm packages' npm_ci
  fi
}

# --- the engines ----------------------------------------------------------------------------------------------

fetch_jars() { node "$ROOT/infra/engines/jars.ts" && SAID='jars of the engines fetched'; }

ensure_jars() {
  if node "$ROOT/infra/engines/jars.ts" --check; then
    told ok 'jars of the engines' 0
    return 0
  fi
  check_maven && step 'jars of the engines' fetch_jars
}

# --- what only tests need -------------------------------------------------------------------------------------

has_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  [ -x '/Applications/Chromium.app/Contents/MacOS/Chromium' ] ||
    [ -x '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' ]
}

# Waits for another apt-get no longer than a minute, for a server that is silent no longer than half of one.
install_chromium() {
  local patience='-o DPkg::Lock::Timeout=60 -o Acquire::http::Timeout=30 -o Acquire::Retries=2'
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  apt-get $patience update && apt-get $patience install -y --no-install-recommends chromium &&
    SAID='Chromium installed'
}

ensure_chromium() {
  if has_chromium; then
    told ok 'Chromium' 0
    return 0
  fi
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    step 'Chromium' install_chromium && return 0
  fi
  missing 'Chromium, for the tests that play recordings' \
    'apt-get install chromium' 'brew install --cask chromium'
  return 1
}

# --- all of it ------------------------------------------------------------------------------------------------

# Two set-ups of one checkout at a time would install over each other.
take_turn() {
  local lock=$ROOT/.millrace/setup.lock holder said=0
  mkdir -p "$ROOT/.millrace"
  until (set -o noclobber && echo $$ >"$lock") 2>/dev/null; do
    holder=$(cat "$lock" 2>/dev/null)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
      rm -f "$lock"
      continue
    fi
    [ "$said" -eq 1 ] || echo "  ...     another set-up of this checkout is under way (pid $holder); waiting for it"
    said=1
    sleep 0.5
  done
  trap 'rm -f "$ROOT/.millrace/setup.lock"; [ -z "$STEP" ] || kill -- "-$STEP" 2>/dev/null' EXIT
  trap 'exit 130' INT TERM
}

main() {
  local for_tests=0
  case ${1:-} in
    '') ;;
    --tests) for_tests=1 ;;
    *)
      echo 'Usage: infra/setup.sh [--tests]' >&2
      return 2
      ;;
  esac
  echo 'Setting up:'
  cd "$ROOT" || return 1
  take_turn
  check_java
  ensure_node || return 1
  PATH=$(dirname "$(right_node)"):$PATH
  export PATH
  ensure_packages || return 1
  ensure_jars || [ "$MISSING" -gt 0 ] || return 1
  [ "$for_tests" -eq 0 ] || ensure_chromium
  if [ "$MISSING" -gt 0 ] && [ "$for_tests" -eq 0 ]; then
    echo "  Install what is missing, then run this again: what is done is not done twice."
    return 1
  fi
  told done 'set-up' "$SECONDS"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
