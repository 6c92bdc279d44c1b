{
  description = "Anamnesis: joint training of a retriever and a reader on ONNX Runtime";

  # One input on purpose: one revision and one hash to review in flake.lock.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      # The systems for which onnxruntime-node brings binaries and nixpkgs is maintained.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      eachSystem = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      # A second instance, forced by the CUDA outputs alone. nixpkgs calls its CUDA packages broken
      # without cudaSupport; of what is unfree, CUDA and cuDNN are allowed and nothing else.
      cudaPkgs = import nixpkgs {
        system = "x86_64-linux";
        config = {
          cudaSupport = true;
          allowUnfreePredicate =
            package:
            builtins.all (
              license:
              (license.free or true)
              || builtins.elem (license.shortName or "") [
                "CUDA EULA"
                "cuDNN EULA"
              ]
            ) (lib.toList (package.meta.license or [ ]));
        };
      };
      ortGpu =
        cudaMajor:
        cudaPkgs.callPackage ./nix/ort-gpu.nix {
          inherit cudaMajor;
          cudaPackages = cudaPkgs."cudaPackages_${cudaMajor}";
          bindingVersion =
            (lib.importJSON ./package-lock.json).packages."node_modules/onnxruntime-node".version;
        };

      toolsOf = pkgs: import ./nix/tools.nix { inherit pkgs; };
      cudaShell = cudaMajor: (toolsOf nixpkgs.legacyPackages.x86_64-linux).shell (ortGpu cudaMajor);
    in
    {
      packages.x86_64-linux = {
        ort-gpu-cuda12 = ortGpu "12";
        ort-gpu-cuda13 = ortGpu "13";
      };

      apps = eachSystem (pkgs: {
        default = {
          type = "app";
          program = lib.getExe (toolsOf pkgs).demo;
          meta.description = "Installs what package-lock.json asks for and runs the demo, in the checkout";
        };
      });

      devShells = lib.recursiveUpdate (eachSystem (pkgs: {
        default = (toolsOf pkgs).shell null;
      })) {
        x86_64-linux = {
          cuda = cudaShell "13";
          cuda12 = cudaShell "12";
        };
      };

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
