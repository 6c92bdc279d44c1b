# Makes the host's NVIDIA driver, and nothing else of the host, visible to the loader.
# NixOS has it in /run/opengl-driver/lib, where the provider looks by itself.
if [ ! -e /run/opengl-driver/lib/libcuda.so.1 ]; then
  _drv="${XDG_CACHE_HOME:-$HOME/.cache}/anamnesis/nvidia-driver"
  rm -rf "$_drv"
  mkdir -p "$_drv"
  for _dir in ${NVIDIA_LIB_DIR:-} /usr/lib/wsl/lib /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib \
    /usr/local/nvidia/lib64; do
    if [ -e "$_dir/libcuda.so.1" ]; then
      # The second line is what libcuda opens under WSL.
      for _file in "$_dir"/libcuda.so* "$_dir"/libnvidia-*.so* \
        "$_dir"/libdxcore.so* "$_dir"/libnvdxgdmal.so* "$_dir"/libd3d12*.so*; do
        if [ -e "$_file" ]; then ln -sfn "$_file" "$_drv/"; fi
      done
      break
    fi
  done
  if [ -e "$_drv/libcuda.so.1" ]; then
    export LD_LIBRARY_PATH="$_drv${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  else
    echo "No NVIDIA driver (libcuda.so.1) was found; NVIDIA_LIB_DIR may name its folder. The CPU provider works." >&2
  fi
  unset _drv _dir _file
fi
