/** The CPU with the memory of a small device. Results are the CPU's; what has no room is refused in ONNX Runtime's words. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Graph } from "../../src/kernels/onnx/encode.ts"
import { bytesOf, type Tensor } from "../../src/kernels/Tensor.ts"
import { transient } from "../../src/runtime/engine/Meter.ts"
import { runFailed } from "../../src/runtime/engine/outOfMemory.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { type Feeds, type Program, Session, type SessionError } from "../../src/runtime/engine/Session.ts"

/** What a run on the device was, and whether there was room for it. */
export interface Seen {
  readonly program: string
  readonly bytes: number
  readonly fits: boolean
}

/** Bytes of a run: inputs that are not fixed, and what is computed from them. */
const need = (graph: Graph, fixed: Feeds<string>): number =>
  transient(graph, () => false)
  + Object.entries<Tensor>(graph.inputs).reduce((sum, [name, t]) => sum + (name in fixed ? 0 : bytesOf(t.type)), 0)

const sizeOf = (fixed: Feeds<string>): number =>
  Object.values(fixed).reduce((sum, { byteLength }) => sum + byteLength, 0)

/** As the arena of ONNX Runtime's CUDA provider says it. */
const words = (left: number, bytes: number) =>
  new Error(
    "Non-zero status code returned while running MatMul node. Name:'t7' Status Message: "
      + "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:359 void* onnxruntime::BFCArena::AllocateRawInternal("
      + "size_t, bool, onnxruntime::Stream*) Available memory of " + left + " is smaller than requested bytes of " +
      bytes
  )

export interface DeviceOptions {
  /**
   * A program takes its fixed weights and the memory of its largest run for as long as it is compiled, as those of CUDA
   * do; else only while it runs.
   */
  readonly arenas?: boolean
  /** Programs that the limit is for, by name; others have room. */
  readonly only?: RegExp
  /** What computes; the CPU, with one thread, by default. */
  readonly provider?: Layer.Layer<Session, SessionError>
}

/** A device of so many bytes. */
export const smallDevice = (
  capacity: number,
  { arenas = false, only = /./, provider = cpu({ threads: 1 }) }: DeviceOptions = {}
) => {
  const held = new Map<object, number>()
  const seen: Array<Seen> = []
  let peak = 0
  const taken = () => [...held.values()].reduce((sum, bytes) => sum + bytes, 0)

  const limited = <I extends string, O extends string>(
    { graph, run }: Program<I, O>,
    fixed: Feeds<string>,
    owner: object
  ): Program<I, O> => {
    const bytes = need(graph as unknown as Graph, fixed)
    return {
      graph,
      run: (feeds, into) =>
        Effect.suspend(() => {
          const own = arenas ? Math.max(0, (held.get(owner) ?? 0) - sizeOf(fixed)) : 0
          const left = only.test(graph.name) ? capacity - taken() + own : Infinity
          seen.push({ program: graph.name, bytes, fits: bytes <= left })
          if (bytes > left) return Effect.fail(runFailed(graph.name, words(left, bytes)))
          peak = Math.max(peak, taken() - own + Math.max(own, bytes))
          if (arenas) held.set(owner, sizeOf(fixed) + Math.max(own, bytes))
          return run(feeds, into)
        })
    }
  }
  const owning = (fixed: Feeds<string>) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const owner = {}
        if (arenas) held.set(owner, sizeOf(fixed))
        return owner
      }),
      (owner) => Effect.sync(() => held.delete(owner))
    )
  const layer = Layer.effect(
    Session,
    Effect.map(Session, (session) =>
      Session.of({
        ...session,
        compile: Effect.fnUntraced(function*(graph, fixed = {}) {
          const owner = yield* owning(fixed)
          return limited(yield* session.compile(graph, fixed), fixed, owner)
        }),
        open: Effect.fnUntraced(function*(family, fixed, still) {
          const owner = yield* owning({ ...fixed, ...still })
          const open = yield* session.open(family, fixed, still)
          return (sizes) => limited(open(sizes), { ...fixed, ...still }, owner)
        })
      }))
  ).pipe(Layer.provide(provider))
  return { layer, seen: seen as ReadonlyArray<Seen>, taken, peak: () => peak }
}
