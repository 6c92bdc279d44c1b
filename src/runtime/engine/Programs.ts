/** Programs compiled on first use, one a key (a bucket of lengths, say). The least recently used make room. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Graph } from "../../kernels/encode.ts"
import { type Program, Session, type SessionError } from "./Session.ts"

export type Compile<K> = (key: K) => Effect.Effect<Program<string, string>, SessionError>

/** Programs kept of each kind. */
const KEPT = 8

export const cached = Effect.fnUntraced(function*<K extends ReadonlyArray<number | string>>(
  graph: (key: K) => Graph<any, any>
) {
  const session = yield* Session
  const scope = yield* Effect.scope
  const known = new Map<string, { readonly program: Program<string, string>; readonly scope: Scope.Closeable }>()
  const makeRoom = Effect.suspend(() => {
    const [oldest] = known
    if (known.size < KEPT || !oldest) return Effect.void
    known.delete(oldest[0])
    return Scope.close(oldest[1].scope, Exit.void)
  })
  const compile: Compile<K> = Effect.fnUntraced(function*(key: K) {
    const name = key.join()
    const existing = known.get(name)
    known.delete(name)
    if (!existing) yield* makeRoom
    const own = existing?.scope ?? (yield* Scope.fork(scope))
    const program = existing?.program
      ?? (yield* session.compile<string, string>(graph(key)).pipe(Scope.provide(own)))
    known.set(name, { program, scope: own })
    return program
  })
  return compile
})

/** The next length is a quarter of a power of two away, but no more than 32 or a sixteenth. */
const stepAfter = (size: number): number => {
  const power = 2 ** Math.floor(Math.log2(size))
  return Math.max(8, Math.min(power / 4, 32), power / 16)
}

/** Lengths that programs are compiled for: near any length, and few. */
export const bucket = (length: number, most: number): number => {
  let size = 8
  while (size < length) size += stepAfter(size)
  return Math.min(size, Math.max(most, length))
}

/** The least power of two that is not below `n`. */
export const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n))
