#!/usr/bin/env bash
# Checks flake.nix and flake.lock offline. It takes nix 2.8 or later: no daemon, no root, no /nix, no network.
# nixpkgs is replaced by nix/stub, so what is checked is this project's part of the flake.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$(mktemp -d)
trap 'chmod -R u+w "$base"; rm -rf "$base"' EXIT
export HOME=$base NIX_STORE_DIR=$base/store NIX_STATE_DIR=$base/var NIX_LOG_DIR=$base/log XDG_CACHE_HOME=$base/cache
export NIX_CONFIG='experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters =
warn-dirty = false'

# Nix complains of the override below at each call: what it says is shown where it fails.
nix() {
  command nix "$@" 2>"$base/messages" || {
    cat "$base/messages" >&2
    return 1
  }
}

# The flake's own files and no others: outside of git Nix would copy node_modules.
mkdir "$base/flake"
cp -r flake.nix flake.lock nix package-lock.json "$base/flake"
cd "$base/flake"

nix eval --raw --file nix/lock.nix
nix flake metadata --offline --no-update-lock-file >/dev/null
cmp -s flake.lock "$OLDPWD/flake.lock" || { echo "nix changed flake.lock" >&2 && exit 1; }

stub=(--override-input nixpkgs path:./nix/stub --no-write-lock-file)
nix flake show "${stub[@]}"
nix flake check --no-build "${stub[@]}"

paths='let path = v: v.drvPath or v.program or (builtins.mapAttrs (_: path) v); in path'
hooks='builtins.mapAttrs (_: builtins.mapAttrs (_: shell: shell.shellHook))'
for outputs in devShells packages formatter apps; do
  nix eval "${stub[@]}" ".#$outputs" --apply "$paths"
done
nix eval "${stub[@]}" .#devShells --apply "$hooks" --write-to "$base/hooks"

# What a shell's hook leaves in LD_LIBRARY_PATH and npm_config_script_shell, on a host without driver.
for hook in "$base"/hooks/*/*; do
  bash -n "$hook"
  found=$(LD_LIBRARY_PATH='' bash --norc -euc '. "$0" 2>/dev/null; echo "${LD_LIBRARY_PATH:-}|$npm_config_script_shell"' "$hook")
  case ${hook#"$base/hooks/"} in
    x86_64-linux/cuda*) expected="$NIX_STORE_DIR/*-onnxruntime-gpu-cuda*/lib:*-cc/lib*|*-npm-script-shell" ;;
    *-linux/*) expected="$NIX_STORE_DIR/*-cc/lib|*-npm-script-shell" ;;
    *) expected="|*-npm-script-shell" ;;
  esac
  # shellcheck disable=SC2254 # a pattern
  case $found in
    $expected) echo "${hook#"$base/hooks/"}: the hook sets what it should" ;;
    *) echo "${hook#"$base/hooks/"}: the hook leaves $found" >&2 && exit 1 ;;
  esac
done
