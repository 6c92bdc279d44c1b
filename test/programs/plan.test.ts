/** The plan of a run, from outside: its figures against what a run leaves, and that it leaves nothing itself. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { copyFileSync, globSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Plan } from "../../src/programs/costs/plan.ts"
import { anamnesis, type Ended, type Options, prepare } from "../support/cli.ts"
import { onDisk } from "../support/files.ts"
import { fileOf } from "../support/ggufReader.ts"

let folder: string
const run = (command: string, args: ReadonlyArray<string> = [], options: Options = {}) =>
  anamnesis(folder, [command, "--config", "run.yaml", ...args], options)
const set = (...pairs: ReadonlyArray<string>) => pairs.flatMap((pair) => ["--set", pair])
const files = (...path: ReadonlyArray<string>) => globSync("**/*", { cwd: join(folder, ...path) }).toSorted()
const sizeOf = (...path: ReadonlyArray<string>): number =>
  files(...path).map((name) => statSync(join(folder, ...path, name))).filter((s) => s.isFile())
    .reduce((sum, { size }) => sum + size, 0)
const parse = ({ code, err, out }: Ended): Plan => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as Plan
}
const refused = ({ code, err, out }: Ended, why: RegExp): void => {
  assert.match(err, why)
  assert.deepStrictEqual([code, out], [1, ""])
}
const total = <A>(items: ReadonlyArray<A>, f: (item: A) => number) => items.reduce((sum, item) => sum + f(item), 0)

/** Elements of a file's tensors. */
const elements = (path: string): number => {
  const bytes = readFileSync(join(folder, path))
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUint64LE())).toString()) as Record<string, any>
  return total(
    Object.entries(header).filter(([name]) => name !== "__metadata__"),
    ([_, { shape }]) => shape.reduce((a: number, b: number) => a * b, 1)
  )
}

const own = set("output_dir=planned", "save_steps=2", "refresh_index=2", "gradient_accumulation_steps=2")
let ended: Ended
let planned: Plan
let lists: ReadonlyArray<ReadonlyArray<string>>

beforeAll(async () => {
  folder = await prepare()
  const before = files()
  ended = await run("plan", ["--json", ...own])
  lists = [before, files()]
  planned = parse(ended)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("plan", { timeout: 240_000 }, () => {
  it("leaves nothing, and tells on standard error how far it is", () => {
    assert.deepStrictEqual(lists[1], lists[0])
    const phases = ["index", "gate", "step 1", "step 2", "step 3"].map((phase) => `probe: ${phase}`)
    assert.deepStrictEqual([...ended.err.match(/probe: .*/g) ?? []], phases)
    assert.deepInclude(planned, { mode: "joint", provider: "cpu", threads: 1, steps: 4, stepSize: 4, questions: 6 })
    assert.deepInclude(planned.probe, { steps: 3, timed: 2 })
  })
  it("changes nothing of the run, and tells what it leaves", async () => {
    const runs = ["planned", "unplanned"].map((output) => run("train", [...own, ...set(`output_dir=${output}`)]))
    for (const { code, err } of await Promise.all(runs)) assert.strictEqual(code, 0, err)
    for (const file of files("planned/checkpoint-4").filter((name) => name.includes("."))) {
      const [a, b] = ["planned", "unplanned"].map((at) => readFileSync(join(folder, at, "checkpoint-4", file)))
      assert.isTrue(a!.equals(b!), file)
    }
    const { disk, groups } = planned
    for (const model of ["retriever", "reader"]) {
      const counted = total(groups.filter((group) => group.model === model), ({ parameters }) => parameters)
      assert.strictEqual(counted, elements(`planned/checkpoint-4/${model}/model.safetensors`))
    }
    assert.approximately(disk.checkpoint, sizeOf("planned/checkpoint-4"), 100)
    assert.strictEqual(disk.checkpoints, 2)
    const state = statSync(join(folder, "planned/checkpoint-4/reader/state.safetensors")).size
    assert.strictEqual(disk.models["reader"], sizeOf("planned/checkpoint-4/reader") - state)
    assert.approximately(disk.journal! / sizeOf("planned/journal"), 1, 0.3)
  })
  it("counts work, index, memory and time", () => {
    const { groups, memory, probe } = planned
    const bytes = total(groups, (g) => g.bytes)
    assert.deepInclude(memory, { weights: 2 * bytes, optimizer: 4 * bytes, sums: bytes })
    assert.strictEqual(total(groups, (g) => g.stateBytes), 2 * bytes)
    assert.isAbove(memory.estimated!, memory.process + memory.weights + memory.optimizer + memory.index!)
    assert.isAtLeast(memory.measured!, memory.process)
    const programs = ["retriever.encode", "retriever.search", "retriever.score", "reader.score", "retriever.learn"]
    assert.deepStrictEqual(probe!.work.map(({ program }) => program), [...programs, "reader.learn"])
    assert.isTrue(probe!.work.every(({ flops, seconds }) => flops > 0 && seconds > 0))
    /** At the start, and before step 2. */
    assert.strictEqual(probe!.index.times, 2)
    /** Vectors of 64 places, one chunk. */
    assert.strictEqual(probe!.index.bytes % (64 * 8 * 4), 0)
    assert.isAbove(probe!.runSeconds, probe!.compileSeconds + 4 * probe!.stepSeconds)
  })
  it("is a table to read", async () => {
    const { code, err, out } = await run("plan", set("mode=frozen_rag"))
    assert.strictEqual(code, 0, err)
    const told = [
      /^frozen_rag on cpu, 1 thread: 4 steps of 2 questions, 1\.3 epochs of 6$/m,
      /^reader +3,648 +3,648 +14\.3 KiB +28\.5 KiB$/m,
      /^retriever +6,440 +0 +25\.2 KiB +0 B$/m,
      /^read its passages +[\d.]+ MFLOP +[\d.]+ m?s$/m,
      /^index: .* made 1 time /m,
      /^ {2}peak of the probe, measured +\d+ MiB$/m,
      /^ {2}checkpoints, 1 of [\d.]+ KiB/m,
      /^run: [\d.]+ MFLOP and [\d.]+ m?s: 4 steps of /m
    ]
    for (const line of told) assert.match(out, line)
  })
  it("tells without a probe what needs none", async () => {
    const { disk, groups, memory, probe } = parse(await run("plan", ["--json", "--steps", "0", ...own]))
    assert.isNull(probe)
    assert.deepStrictEqual(groups, planned.groups)
    assert.deepInclude(memory, {
      index: null,
      largest: null,
      estimated: null,
      measured: null,
      sums: planned.memory.sums
    })
    assert.approximately(disk.checkpoint / planned.disk.checkpoint, 1, 0.01)
  })
  it("counts the reader's weights of some steps ago, where verdicts lag", async () => {
    const lagged = parse(await run("plan", ["--json", ...own, ...set("reader_lag=2")]))
    const reader = total(lagged.groups.filter(({ model }) => model === "reader"), (g) => g.bytes)
    const [now, then] = [planned.memory, lagged.memory]
    assert.deepStrictEqual([now.earlier, then.earlier], [0, reader])
    assert.strictEqual(then.estimated! - then.process - then.saving, now.estimated! - now.process - now.saving + reader)
    assert.approximately(lagged.disk.checkpoint - planned.disk.checkpoint, reader, 0.3 * reader)
    const unprobed = parse(await run("plan", ["--json", "--steps", "0", ...own, ...set("reader_lag=2")]))
    assert.strictEqual(unprobed.memory.earlier, reader)
    assert.approximately(unprobed.disk.checkpoint / lagged.disk.checkpoint, 1, 0.03)
    const { out } = await run("plan", [...own, ...set("reader_lag=2")])
    assert.match(out, /^ {2}reader's weights of some steps ago \(reader_lag\) +[\d.]+ KiB$/m)
  })
  it("counts what a mode lacks as nothing, and stored halves as such", async () => {
    const closed = set("mode=no_retrieval", "torch_dtype=bfloat16")
    const { disk, groups, memory, probe } = parse(await run("plan", ["--json", "--steps", "1", ...closed]))
    assert.deepStrictEqual(Object.keys(disk.models), ["reader"])
    assert.deepStrictEqual([memory.index, probe!.index.times, probe!.timed], [0, 0, 1])
    assert.deepStrictEqual([...new Set(groups.map(({ model }) => model))], ["reader"])
    const frozen = parse(
      await run("plan", ["--json", "--steps", "0", ...set("mode=frozen_rag", "torch_dtype=bfloat16")])
    )
    const stored = frozen.groups.filter(({ trainable }) => !trainable)
    assert.strictEqual(total(stored, (g) => g.bytes), 2 * total(stored, (g) => g.parameters))
  })
  it("knows the index that is read", async () => {
    assert.strictEqual((await run("embed", ["--out", "index"])).code, 0)
    const { disk, memory, probe } = parse(await run("plan", ["--json", "--steps", "1", ...set("index_path=index")]))
    assert.deepInclude(probe!.index, { times: 0, flops: 0 })
    assert.strictEqual(disk.index, statSync(join(folder, "index/vectors.safetensors")).size)
    assert.isAbove(memory.index!, disk.index!)
    assert.strictEqual(
      parse(await run("plan", ["--json", "--steps", "0", ...set("index_path=index")])).disk.checkpoint,
      disk.checkpoint
    )
  })
  it("knows a GGUF reader in 4 bits, and the copy that writing answers takes", async () => {
    const made = fileOf("Q4_0").pipe(Effect.map((path) => copyFileSync(path, join(folder, "m.gguf"))))
    await Effect.runPromise(onDisk(made))
    const reader = set("reader_name_or_path=m.gguf", "mode=no_retrieval", "max_length=400", "lora_r=2")
    const figures = async (...more: ReadonlyArray<string>) =>
      parse(await run("plan", ["--json", "--steps", "1", ...reader, ...set(...more)]))
    const [wide, narrow] = [await figures(), await figures("quantization=int4", "answer_by=generation")]
    const frozen = ({ groups }: Plan) => groups.filter(({ trainable }) => !trainable)
    const [parameters, bytes] = [total(frozen(wide), (g) => g.parameters), total(frozen(wide), (g) => g.bytes)]
    assert.strictEqual(total(frozen(narrow), (g) => g.parameters), parameters)
    assert.strictEqual(bytes, 4 * parameters)
    /** Most of them are the embedding, in 9.25 bits. */
    assert.isBelow(total(frozen(narrow), (g) => g.bytes), 9.5 / 32 * bytes)
    assert.strictEqual(wide.memory.weights - narrow.memory.weights, bytes - total(frozen(narrow), (g) => g.bytes))
    assert.deepStrictEqual([wide.memory.writing, narrow.memory.writing], [0, total(narrow.groups, (g) => g.bytes)])
    assert.strictEqual(narrow.disk.checkpoint - wide.disk.checkpoint, 0)
  })
  it("runs as many steps in a program as the run does", async () => {
    const runs = set("steps_per_run=2", "mode=no_retrieval")
    const ended = await run("plan", ["--json", "--steps", "3", ...runs])
    const { memory, probe, stepsPerRun } = parse(ended)
    assert.match(ended.err, /probe: steps 1 to 2\n(.*\n)*.*probe: steps 3 to 4\n/)
    assert.deepStrictEqual([stepsPerRun, probe!.steps, probe!.timed], [2, 4, 2])
    const one = parse(await run("plan", ["--json", "--steps", "4", ...set("mode=no_retrieval")]))
    assert.match(memory.largest!.program, /^reader\.learn .*2 steps/)
    assert.isAbove(memory.largest!.bytes, one.memory.largest!.bytes)
    const flops = ({ work }: NonNullable<Plan["probe"]>) => total(work, (own) => own.flops)
    assert.approximately(flops(probe!) / flops(one.probe!), 1, 0.1)
  })
  it("fails as the run would, and tells where", async () => {
    refused(await run("plan", set("rank_tie_margin=1000000")), /the probe failed \(gate\): No training: retriever/)
    refused(await run("plan", set("max_length=8")), /6 of 6 questions with options and answer exceed max_length \(8\)/)
    refused(await run("plan", set("passages_file=none.jsonl")), /^anamnesis: none\.jsonl/)
    refused(await run("plan", ["--steps", "-1"]), /^anamnesis: --steps: -1 is no number of steps/)
  })
  it("ends when it is interrupted", async () => {
    const { code, out } = await run("plan", ["--steps", "100000", ...set("max_steps=100000")], { until: /step 2/ })
    assert.deepStrictEqual([code, out], [130, ""])
  })
})
