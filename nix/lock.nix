# What flake.lock pins, one line an input, or an error where it is not the lock of flake.nix. Needs no network, unlike
# Nix's own repair of a stale lock.
let
  inherit (builtins.fromJSON (builtins.readFile ../flake.lock)) nodes root;
  wanted = builtins.mapAttrs (_: input: input.url) (import ../flake.nix).inputs;
  address =
    {
      owner,
      repo,
      ref,
      ...
    }:
    "github:${owner}/${repo}/${ref}";
  line =
    name: node:
    let
      inherit (nodes.${node}) locked original;
    in
    if address original != (wanted.${name} or "nothing") then
      throw "flake.lock is stale: it pins ${address original} for ${name}, flake.nix wants ${wanted.${name} or "nothing"}"
    else if
      builtins.match "[0-9a-f]{40}" locked.rev == null
      || builtins.match "sha256-.{44}" locked.narHash == null
    then
      throw "flake.lock: ${name} has no revision or no hash"
    else
      "${name}: ${address original} at ${locked.rev}\n";
  pins = nodes.${root}.inputs;
in
if builtins.attrNames pins != builtins.attrNames wanted then
  throw "flake.lock is stale: it pins ${toString (builtins.attrNames pins)}, flake.nix has ${toString (builtins.attrNames wanted)}"
else
  builtins.concatStringsSep "" (builtins.attrValues (builtins.mapAttrs line pins))
