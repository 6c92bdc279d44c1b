#!/usr/bin/env bash
# Everything that is to be known of a machine with a GPU, in the order of its worth, each with a time limit; what one has
# found is written before the next begins. In the checkout's root, after `. bench/cuda/env.sh`:
#
#   bench/cuda/run.sh [SECONDS]      of all together, 300 by default: what there is no time for is left out, and said
#
# Writes to $OUT (/tmp/out by default): table.md, table.jsonl, summary.txt, log.txt.
# PROVIDER=cpu tries the scripts themselves on a machine without a GPU, on models of a layer.
out=${OUT:-/tmp/out}; mkdir -p "$out"
total=${1:-300} began=$SECONDS provider=${PROVIDER:-cuda}
here=bench/cuda work=$(mktemp -d)
small=; [ "$provider" = cuda ] || small="--layers 1 --runs 1"
unset PROVIDER

left() { echo $((total - (SECONDS - began))); }
# NAME SECONDS COMMAND...: left out where less than a third of its time is left.
item() {
  local name=$1 limit=$2 started=$SECONDS status; shift 2
  [ "$(left)" -lt "$limit" ] && limit=$(left)
  if [ "$limit" -lt "$(( ${least:-10} ))" ]; then echo "$name: left out, $(left) s left" | tee -a "$out/summary.txt"; return; fi
  timeout -k 2 "$limit" "$@" > "$work/$name" 2>&1; status=$?
  { echo "=== $name: $*"; tail -c 60000 "$work/$name"; } >> "$out/log.txt"
  echo "$name: status $status, $((SECONDS - started)) s" | tee -a "$out/summary.txt"
  grep -hE '^\{"' "$work/$name" | tail -1 | cut -c1-400
}
run() { node "$@"; }
joint() { item "$1" "$2" node $here/joint.ts "${@:3}" --out "$out/table.jsonl"; }
large() { item "$1" "$2" node $here/large.ts --provider "$provider" --out "$out/table.jsonl" $small "${@:3}"; }
torch() { [ "$provider" = cuda ] && item "$1" "$2" python3 $here/large.py "$out/table.jsonl" "${@:3}"; }

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader >> "$out/summary.txt" 2>/dev/null

# PyTorch compiles meanwhile, each part in a process of its own that waits to be measured.
compiled="reader retriever score" waiting=
if [ "$provider" = cuda ]; then
  for part in $compiled; do
    WAIT=$work timeout -k 2 "$(left)" python3 $here/large.py "$out/table.jsonl" bfloat16-compiled "$part" \
      > "$work/compiled-$part" 2>&1 &
    waiting="$waiting $!"
  done
fi

# Correctness, products in float32 as they are: operations and their gradients, and the losses of joint steps.
export NVIDIA_TF32_OVERRIDE=0
joint cpu1 90 --provider cpu --steps 1 --blocks 0 --save "$work/cpu1.json" & cpu1=$!
joint cpu8 90 --provider cpu --steps 8 --blocks 0 --save "$work/cpu8.json" & cpu8=$!
item suite 60 node node_modules/vitest/vitest.mjs run "test/runtime/engine/session.$provider.test.ts" & suite=$!
# Vulkan, where its loader is there: WebGPU is another way to the same GPU.
icd=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
vulkan() { PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q libvulkan.so.1; }
[ -f $icd ] && export VK_DRIVER_FILES=$icd
vulkan && item webgpu 60 node node_modules/vitest/vitest.mjs run test/runtime/engine/session.webgpu.test.ts \
  test/runtime/engine/repeat.test.ts
wait $cpu1 $cpu8 $suite
grep -hE 'Tests|passed|failed|FAIL|AssertionError|SessionError' "$work/suite" "$work/webgpu" 2>/dev/null | head -20
joint joint1 40 --provider "$provider" --steps 1 --against "$work/cpu1.json"
joint joint8 40 --provider "$provider" --steps 8 --against "$work/cpu8.json"
unset NVIDIA_TF32_OVERRIDE
PROVIDER=$provider item demo 120 node src/bin.ts demo
tail -c 1500 "$work/demo" 2>/dev/null
for part in $compiled; do
  until [ -z "$waiting" ] || [ -f "$work/$part.ready" ] || [ "$(left)" -lt $((total * 55 / 100)) ]; do sleep 0.2; done
done

# Speed: the programs of large models, here and in PyTorch.
large reader-bf16-8 60 --part reader --steps 8 --products bfloat16 --stored bfloat16
large reader-bf16-1 40 --part reader --steps 1 --runs 6 --products bfloat16 --stored bfloat16
large retriever-bf16-8 45 --part retriever --steps 8 --products bfloat16
large score-bf16 40 --part score --products bfloat16 --stored bfloat16
large write-bf16 50 --part write --products bfloat16 --stored bfloat16
torch torch-bf16 90 bfloat16 reader retriever score write
for part in $compiled; do
  if [ -f "$work/$part.ready" ]; then
    lines=$(wc -l < "$out/table.jsonl"); touch "$work/$part.go"
    until [ "$(wc -l < "$out/table.jsonl")" -gt "$lines" ] || [ "$(left)" -lt 10 ]; do sleep 0.2; done
    echo "compiled $part: measured" | tee -a "$out/summary.txt"
  elif [ -n "$waiting" ]; then echo "compiled $part: not compiled in time" | tee -a "$out/summary.txt"; fi
done
[ -n "$waiting" ] && kill $waiting 2>/dev/null
large reader-f16-8 60 --part reader --steps 8 --products float16 --stored float16
large retriever-bf16-1 40 --part retriever --steps 1 --runs 6 --products bfloat16
large reader-f32-8 60 --part reader --steps 8
large retriever-f32-8 45 --part retriever --steps 8
torch torch-f32 45 float32 reader retriever
large retriever-dropout 40 --part retriever --steps 8 --products bfloat16 --dropout 0.1
vulkan && joint webgpu8 40 --provider webgpu --steps 8 --against "$work/cpu8.json"
joint wide8 40 --provider "$provider" --size wide --steps 8

node $here/table.ts "$out/table.jsonl" | tee "$out/table.md"
cat "$out/summary.txt"
