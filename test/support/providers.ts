/** Whether a provider can be had on this machine. */
import * as Effect from "effect/Effect"
import type { Layer } from "effect/Layer"
import { neg } from "../../src/kernels/op/elementwise.ts"
import { input } from "../../src/kernels/Tensor.ts"
import { Session, type SessionError } from "../../src/runtime/engine/Session.ts"

const x = input("x", [2])

/** Why no program can be had of it, where none can. */
export const unavailable = (provider: Layer<Session, SessionError>): Promise<string | undefined> =>
  Effect.flatMap(Session, (session) => session.compile({ name: "probe", inputs: { x }, outputs: { y: neg(x) } })).pipe(
    Effect.scoped,
    Effect.provide(provider),
    Effect.match({ onFailure: (error) => error.message, onSuccess: () => undefined }),
    Effect.runPromise
  )
