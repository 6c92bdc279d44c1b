/** Modes are layers: the same pipelines with both models trained, with a frozen retriever, and with both frozen. */
// @effect-diagnostics missingEffectContext:off -- plain tsc refuses the same line, and is told to expect it
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Frame from "../src/domain/Frame.ts"
import { sha256 } from "../src/runtime/files/disk.ts"
import type { Part } from "../src/runtime/ports/Checkpoints.ts"
import { answerOne, llmRanked } from "../src/stages/pipelines.ts"
import * as modes from "../src/systems/jmlr/layers.ts"
import { studyOptions } from "../src/systems/jmlr/study.ts"
import { surroundings, type World, world } from "./world.ts"

/** A hash of each parameter of a model. */
const hashes = (part: Part): ReadonlyMap<string, string> =>
  new Map([...part.save().weights].map(([path, { data }]) => [path, sha256(new Uint8Array(data.buffer))]))

/** The number of correct answers to the training questions; says nothing about other questions. */
const answer = (here: World) =>
  Effect.map(answerOne(studyOptions(here.settings)).stage.run(here.questions), (rows) => {
    const [chosen, right] = [Frame.column(rows, "predictionIndex"), Frame.column(rows, "answerIndex")]
    return `${chosen.filter((option, i) => option === right[i]).length} of ${rows.rows} right`
  })

const STEPS = 20

/** Trains for some steps and reports which parameters changed. */
const study = Effect.fnUntraced(function*(here: World, parts: ReadonlyMap<string, Part>) {
  const before = new Map([...parts].map(([name, part]) => [name, hashes(part)]))
  const lesson = llmRanked(studyOptions(here.settings))
  const losses: Array<string> = []
  for (let step = 0; step < STEPS; step++) {
    const rows = yield* lesson.learn(here.questions)
    const [first] = Frame.column(rows, "readerLoss")
    if (step === 0 || step === STEPS - 1) losses.push(first!.toFixed(1))
  }
  const moved = [...parts].toSorted(([a], [b]) => a < b ? 1 : -1).map(([name, part]) => {
    const after = hashes(part)
    return `${name} ${[...after].filter(([path, hash]) => before.get(name)!.get(path) !== hash).length}/${after.size}`
  })
  const told = [`reader loss ${losses.join(" > ")}`, `parameters that moved: ${moved.join(", ")}`, yield* answer(here)]
  return told.join("\n  ")
})

const program = Effect.gen(function*() {
  const here = yield* world
  for (const [name, mode] of Object.entries({ joint: modes.joint, frozenRag: modes.frozenRag })) {
    const { layer, parts } = surroundings(here)
    const told = yield* study(here, parts).pipe(
      Effect.provide(mode(here.settings).pipe(Layer.provideMerge(layer)), { local: true })
    )
    yield* Console.log(`${name}\n  ${told}`)
  }
  const reading = modes.inference(here.settings).pipe(Layer.provideMerge(surroundings(here).layer))
  yield* Console.log(`inference\n  ${yield* answer(here).pipe(Effect.provide(reading, { local: true }))}`)
})

/** Does not compile, because neither learner is provided. */
export const refused = (here: World): Effect.Effect<unknown, unknown> =>
  // @ts-expect-error: Type 'LanguageModelLearner | RetrieverLearner' is not assignable to type 'never'.
  llmRanked(studyOptions(here.settings)).learn(here.questions).pipe(
    Effect.provide(modes.inference(here.settings).pipe(Layer.provide(surroundings(here).layer)))
  )

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
