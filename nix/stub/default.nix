# Stand-in for `import nixpkgs { ... }`: evaluation only. Attribute names, licences, `cudaSupport` and the syntax of hashes
# are checked as nixpkgs would; a name that is not listed here is an error. Nothing it makes can be built.
{
  system,
  config ? { },
}:
let
  lib = import ./lib.nix;

  derivation =
    name: meta: attrs:
    let
      free = builtins.all (l: l.free or true) (lib.toList (meta.license or [ ]));
    in
    if !free && !(config.allowUnfreePredicate or (_: false)) { inherit meta; } then
      throw "stub: ${name} is unfree and config.allowUnfreePredicate refuses it"
    else if (meta.broken or false) then
      throw "stub: ${name} is broken"
    else
      builtins.derivation (
        {
          inherit name system;
          builder = "/bin/sh";
          args = [
            "-c"
            "echo the stand-in for nixpkgs builds nothing; exit 1"
          ];
        }
        // attrs
      )
      // {
        inherit name meta;
      };

  tool = name: derivation name { mainProgram = name; } { };

  cudaPackage =
    shortName: name:
    derivation name {
      broken = !(config.cudaSupport or false);
      license = {
        inherit shortName;
        free = false;
      };
    } { };
  cudaSet =
    version:
    {
      cudaMajorMinorVersion = version;
      cudnn = cudaPackage "cuDNN EULA" "cudnn";
    }
    // lib.genAttrs [
      "cuda_cudart"
      "cuda_nvrtc"
      "libcublas"
      "libcufft"
      "libcurand"
      "libnvjitlink"
    ] (cudaPackage "CUDA EULA");

  mkDerivation =
    args:
    derivation (args.name or "${args.pname}-${args.version}") (args.meta or { }) (
      builtins.removeAttrs args [ "meta" ]
    );

  pkgs =
    lib.genAttrs [
      "autoPatchelfHook"
      "git"
      "nixfmt-tree"
      "nodejs_24"
    ] tool
    // {
      inherit lib;
      stdenv = {
        inherit mkDerivation;
        cc.cc = tool "cc";
        hostPlatform.isLinux = builtins.match ".*-linux" system != null;
      };
      runtimeShell = "/bin/bash";
      fetchurl = { url, hash }: import <nix/fetchurl.nix> { inherit url hash; };
      mkShell =
        { packages, shellHook }:
        mkDerivation {
          name = "nix-shell";
          inherit packages shellHook;
        };
      writeShellScript = name: text: derivation name { } { inherit text; };
      writeShellApplication =
        {
          name,
          runtimeInputs,
          text,
        }:
        derivation name { mainProgram = name; } { inherit runtimeInputs text; };
      cudaPackages_12 = cudaSet "12.9";
      cudaPackages_13 = cudaSet "13.0";
      callPackage =
        file: extra:
        let
          f = import file;
        in
        f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // extra);
    };
in
pkgs
