# To be sourced in the checkout's root: Node and CUDA's libraries on their paths, the packages where Node looks for them.
root=${GPU_ROOT:-/tmp/gpu}
export PATH=$root/bin:$PATH CUDA_MODULE_LOADING=LAZY
ln -sfn "$root/node_modules" node_modules
libraries=$(python3 - <<'P'
import glob, os, site, sys

wanted = ["libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13", "libcudnn.so.9", "libcuda.so.1"]
folders = [folder for place in sys.path + site.getsitepackages() for folder in glob.glob(place + "/nvidia/*/lib")]
folders += glob.glob("/usr/local/cuda*/lib64") + glob.glob("/usr/local/cuda*/targets/x86_64-linux/lib")
folders += ["/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"]
found = []
for library in wanted:
    folder = next((f for f in folders if os.path.exists(f + "/" + library)), None)
    print(library, folder or "NOT FOUND", file=sys.stderr)
    if folder and folder not in found and not folder.startswith(("/usr/lib/x86", "/lib/x86")):
        found.append(folder)
print(":".join(found))
P
)
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
