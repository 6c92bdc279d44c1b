# Only what flake.nix and nix/*.nix use, with the meaning it has in nixpkgs: another name is an evaluation error.
rec {
  genAttrs =
    names: f:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );
  toList = x: if builtins.isList x then x else [ x ];
  hasInfix = infix: s: builtins.length (builtins.split (escapeRegex infix) s) > 1;
  escapeRegex = builtins.replaceStrings [ "." "+" ] [ "\\." "\\+" ];
  optionalString = condition: s: if condition then s else "";
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  assertMsg = condition: message: condition || throw message;
  getLib = d: d.lib or d;
  getExe = d: "${d}/bin/${d.meta.mainProgram or (throw "getExe: ${d.name} has no meta.mainProgram")}";
  versions.major = v: builtins.head (builtins.match "([0-9]+).*" v);
  licenses.mit = {
    shortName = "mit";
    free = true;
  };
  recursiveUpdate =
    a: b:
    a
    // builtins.mapAttrs (
      name: value:
      if builtins.isAttrs value && builtins.isAttrs (a.${name} or null) && !(value ? drvPath) then
        recursiveUpdate a.${name} value
      else
        value
    ) b;
}
