# ONNX Runtime and its CUDA provider, taken together from one release archive so that the two always match.
#
# onnxruntime-node imports one symbol, OrtGetApiBase@VERS_<version>, and ONNX Runtime loads its providers from the folder
# that its own libonnxruntime.so.1 came from. $out/lib first in LD_LIBRARY_PATH therefore moves both at once, and
# node_modules stays as npm made it.
{
  lib,
  stdenv,
  fetchurl,
  autoPatchelfHook,
  cudaPackages,
  cudaMajor,
  bindingVersion, # of onnxruntime-node in package-lock.json
}:
let
  pins = lib.importJSON ./ort-gpu.json;
  pin = pins.cuda.${cudaMajor};

  linked = [
    cudaPackages.cuda_cudart
    cudaPackages.libcublas
    cudaPackages.libcufft
    cudaPackages.libcurand
  ];
  # Found with dlopen, so that nothing in the ELF headers names them.
  opened = [
    cudaPackages.cudnn
    cudaPackages.cuda_nvrtc
    cudaPackages.libnvjitlink
  ];
in
assert lib.assertMsg (cudaMajor == lib.versions.major cudaPackages.cudaMajorMinorVersion)
  "ort-gpu: the archive wants CUDA ${cudaMajor}, cudaPackages is ${cudaPackages.cudaMajorMinorVersion}";
assert lib.assertMsg (pins.version == bindingVersion)
  "nix/ort-gpu.json pins ONNX Runtime ${pins.version}, package-lock.json has onnxruntime-node ${bindingVersion}";
assert lib.assertMsg (lib.hasInfix "/v${pins.version}/" pin.url)
  "nix/ort-gpu.json: the archive for CUDA ${cudaMajor} is not of version ${pins.version}";
stdenv.mkDerivation {
  pname = "onnxruntime-gpu-cuda${cudaMajor}";
  inherit (pins) version;

  src = fetchurl { inherit (pin) url hash; };

  nativeBuildInputs = [ autoPatchelfHook ];
  buildInputs = [ (lib.getLib stdenv.cc.cc) ] ++ map lib.getLib (linked ++ opened);

  dontConfigure = true;
  dontBuild = true;
  dontStrip = true;

  installPhase = ''
    runHook preInstall
    mkdir -p $out/lib
    cp -d lib/libonnxruntime.so* $out/lib/
    cp lib/libonnxruntime_providers_shared.so lib/libonnxruntime_providers_cuda.so $out/lib/
    runHook postInstall
  '';

  # The driver is the one thing that cannot come from the store.
  autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ];
  appendRunpaths = map (p: "${lib.getLib p}/lib") opened ++ [ "/run/opengl-driver/lib" ];

  doInstallCheck = true;
  installCheckPhase = ''
    test -e $out/lib/libonnxruntime.so.1
    readelf -V $out/lib/libonnxruntime.so.1 | grep -q 'VERS_${pins.version}'
  '';

  meta = {
    description = "Prebuilt ONNX Runtime with the CUDA execution provider";
    homepage = "https://onnxruntime.ai";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
  };
}
