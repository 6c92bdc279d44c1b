/** Programs compiled on first use, one a key (a bucket of lengths, say), for as long as the scope lasts. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Graph } from "../../kernels/encode.ts"
import { type Program, Session, type SessionError } from "./Session.ts"

export type Compile<K> = (key: K) => Effect.Effect<Program<string, string>, SessionError>

export const cached = Effect.fnUntraced(function*<K extends ReadonlyArray<number | string>>(
  graph: (key: K) => Graph<any, any>
) {
  const session = yield* Session
  const scope = yield* Effect.scope
  const known = new Map<string, Program<string, string>>()
  const compile: Compile<K> = Effect.fnUntraced(function*(key: K) {
    const name = key.join()
    const existing = known.get(name)
    if (existing) return existing
    const program = yield* session.compile<string, string>(graph(key)).pipe(Scope.provide(scope))
    known.set(name, program)
    return program
  })
  return compile
})

/** Lengths that programs are compiled for: within a quarter of any length, and few. */
export const bucket = (length: number, most: number): number => {
  let size = 8
  while (size < length) size += Math.max(8, 2 ** Math.floor(Math.log2(size)) / 4)
  return Math.min(size, Math.max(most, length))
}
