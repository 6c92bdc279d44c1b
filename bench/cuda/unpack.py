"""Joins the parts that lie beside it, checks them, and lays out what they hold: GPU_ROOT/{bin/node,node_modules}."""
import concurrent.futures, glob, hashlib, io, lzma, os, tarfile, time

began = time.time()
here, root = os.path.dirname(os.path.abspath(__file__)), os.environ.get("GPU_ROOT", "/tmp/gpu")
whole = io.BytesIO(b"".join(open(part, "rb").read() for part in sorted(glob.glob(here + "/[0-9][0-9]"))))
tar = tarfile.open(fileobj=whole)
raw = {member.name[2:]: tar.extractfile(member).read() for member in tar.getmembers() if member.isfile()}
sums = dict(reversed(line.split()) for line in raw.pop("SHA256SUMS").decode().splitlines())
assert sorted(sums) == sorted(raw), "the parts are not whole: %s for %s" % (sorted(raw), sorted(sums))
binaries = root + "/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/"


def lay(name):
    assert hashlib.sha256(raw[name]).hexdigest() == sums[name], name + " is not as it was packed"
    data = lzma.decompress(raw[name])
    if name == "modules.tar.xz":
        tarfile.open(fileobj=io.BytesIO(data)).extractall(root, filter="data")
        return
    path = root + "/bin/node" if name == "node.xz" else binaries + name[:-3]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data)
    os.chmod(path, 0o755)


with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(lay, raw))
print("unpacked %d files in %.1f s" % (len(raw), time.time() - began))
