/** A model that others have written as an ONNX file, run as it is by ONNX Runtime on the CPU. */
import * as Effect from "effect/Effect"
import type * as OrtModule from "onnxruntime-node"
import { load } from "../onnx.ts"
import { compileFailed, runFailed } from "../outOfMemory.ts"
import type { SessionError } from "../Session.ts"

/** An input or an output: its element type, "" if it is no tensor, and its sizes, by name where they are open. */
export interface Slot {
  readonly name: string
  readonly type: string
  readonly shape: ReadonlyArray<number | string>
}

/** A float32 array with its shape. */
export interface Floats {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

/** An open model file. */
export interface ModelFile {
  readonly inputs: ReadonlyArray<Slot>
  readonly outputs: ReadonlyArray<Slot>
  /** One output, of type float32, of one input. */
  readonly run: (input: string, value: Floats, output: string) => Effect.Effect<Floats, SessionError>
}

const slots = (all: ReadonlyArray<OrtModule.InferenceSession.ValueMetadata>): ReadonlyArray<Slot> =>
  all.map((own) => ({
    name: own.name,
    type: own.isTensor ? own.type : "",
    shape: own.isTensor ? own.shape : []
  }))

/** Opens a model file, with the files of weights that it names beside it, until the scope ends. */
export const open = Effect.fnUntraced(function*(path: string, threads: number) {
  const ort = yield* load
  const session = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        ort.InferenceSession.create(path, {
          executionProviders: ["cpu"],
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          enableCpuMemArena: false,
          enableMemPattern: false,
          logSeverityLevel: 3
        }),
      catch: (cause) => compileFailed(path, cause)
    }),
    (opened) => Effect.promise(() => opened.release())
  )
  return {
    inputs: slots(session.inputMetadata),
    outputs: slots(session.outputMetadata),
    /** As every run it cannot be interrupted: it would go on, on a session that may be released by then. */
    run: (input, { data, shape }, output) =>
      Effect.uninterruptible(Effect.tryPromise({
        try: async () => {
          const results = await session.run({ [input]: new ort.Tensor("float32", data, shape) }, [output])
          const found = results[output]!
          return { shape: found.dims, data: found.data as Float32Array }
        },
        catch: (cause) => runFailed(path, cause)
      }))
  } satisfies ModelFile as ModelFile
})
