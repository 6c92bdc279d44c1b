# What the tests and the demo need, as a shell and as an app. Packages come from `npm ci` in the checkout.
{ pkgs }:
let
  inherit (pkgs) lib;
  node = pkgs.nodejs_24;
  inherit (pkgs.stdenv.hostPlatform) isLinux;

  # npm puts node_modules/.bin first in the PATH of its scripts, and package-lock.json has a Node there that only
  # runs where glibc is in /lib64. Scripts started by this shell find Nix's first.
  scriptShell = pkgs.writeShellScript "npm-script-shell" ''
    export PATH="${node}/bin:$PATH"
    exec ${pkgs.runtimeShell} "$@"
  '';

  # onnxruntime-node is linked against libstdc++, which only Nix's own programs find by themselves.
  environment = ''
    export npm_config_script_shell="${scriptShell}"
    export ONNXRUNTIME_NODE_INSTALL=skip
  ''
  + lib.optionalString isLinux ''
    export LD_LIBRARY_PATH="${lib.getLib pkgs.stdenv.cc.cc}/lib''${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  '';
in
{
  # With the GPU build of ONNX Runtime in front, where there is one (see ort-gpu.nix), and the host's driver.
  shell =
    ortGpu:
    pkgs.mkShell {
      packages = [
        node
        pkgs.git
      ];
      shellHook =
        environment
        + lib.optionalString (ortGpu != null) ''
          ${builtins.readFile ./driver-hook.sh}
          export LD_LIBRARY_PATH="${ortGpu}/lib:$LD_LIBRARY_PATH"
        '';
    };

  demo = pkgs.writeShellApplication {
    name = "anamnesis-demo";
    runtimeInputs = [
      node
      pkgs.git
    ];
    text = ''
      if ! grep -qs '"name": "anamnesis"' package.json; then
        echo "Run this in a checkout of Anamnesis: the demo writes its runs there." >&2
        exit 1
      fi
      ${environment}
      exec npm run demo -- "$@"
    '';
  };
}
