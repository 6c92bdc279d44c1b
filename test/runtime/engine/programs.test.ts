/** Programs under many fibers, on a session that notices what must not happen to them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { add, div, sub } from "../../../src/kernels/op/elementwise.ts"
import { input, scalar } from "../../../src/kernels/Tensor.ts"
import { isOutOfMemory } from "../../../src/runtime/engine/outOfMemory.ts"
import { cached, lazily } from "../../../src/runtime/engine/Programs.ts"
import { reference } from "../../../src/runtime/engine/providers.ts"
import { CompileFailed, onHost, Session, SessionError } from "../../../src/runtime/engine/Session.ts"
import { smallDevice } from "../../support/smallDevice.ts"

/** Lets others run so many times. */
const pause = (turns: number) => Effect.repeat(Effect.yieldNow, { times: turns })

const graph = ([key]: [number]) => ({ name: `program ${key}`, inputs: {}, outputs: { y: scalar(key) } })

/** A session whose programs are counted while they compile, are there, and run. */
const watched = (options: { readonly turns: number; readonly fails: (program: string, time: number) => boolean }) => {
  const [compiling, open, running] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  const faults: Array<string> = []
  let [compiled, most] = [0, 0]
  const count = (map: Map<string, number>, name: string, by: number) => {
    map.set(name, (map.get(name) ?? 0) + by)
    return map.get(name)!
  }
  const times = new Map<string, number>()
  const total = (map: Map<string, number>) => [...map.values()].reduce((a, b) => a + b, 0)
  const compile = Effect.fnUntraced(function*(name: string) {
    if (count(compiling, name, 1) > 1) faults.push(`${name} is compiled twice at a time`)
    yield* pause(options.turns)
    count(compiling, name, -1)
    compiled++
    if (options.fails(name, count(times, name, 1))) {
      return yield* new SessionError({ reason: new CompileFailed({ program: name, cause: "refused" }) })
    }
    if (count(open, name, 1) > 1) faults.push(`${name} is there twice`)
    most = Math.max(most, total(open))
    return name
  })
  const release = (name: string) =>
    Effect.sync(() => {
      if ((running.get(name) ?? 0) > 0) faults.push(`${name} is released while it runs`)
      if (count(open, name, -1) < 0) faults.push(`${name} is released twice`)
    })
  const run = (name: string, turns: number) =>
    Effect.uninterruptible(Effect.gen(function*() {
      if ((open.get(name) ?? 0) < 1) faults.push(`${name} runs after its release`)
      count(running, name, 1)
      yield* pause(turns)
      count(running, name, -1)
      if ((open.get(name) ?? 0) < 1) faults.push(`${name} was released under its run`)
      return { y: Float32Array.of(Number(name.split(" ")[1])) } as any
    }))
  const session = Session.of({
    provider: "reference",
    device: false,
    kept: onHost,
    precision: "float32",
    threads: 1,
    compile: (graph) =>
      Effect.map(
        Effect.acquireRelease(compile(graph.name), release),
        (name) => ({ graph, run: (feeds: any) => run(name, feeds.turns[0]) })
      ),
    open: () => Effect.die("is not opened")
  })
  return { session, faults, open: () => total(open), compiled: () => compiled, most: () => most }
}

const turns = (n: number) => ({ turns: Int32Array.of(n) })

describe("programs under 50 fibers", () => {
  const task = fc.record({
    key: fc.nat(5),
    start: fc.nat(8),
    turns: fc.nat(6),
    /** Interrupted after so many turns; most are not. */
    leaves: fc.option(fc.nat(10), { freq: 4, nil: undefined })
  })
  const tasks = fc.array(task, { minLength: 50, maxLength: 50 })
  const failing = fc.uniqueArray(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 2 })), { maxLength: 6 })

  it.live("are compiled once at a time, never released in use, and leave nothing open", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(tasks, failing, fc.nat(5), async (tasks, failing, compileTurns) => {
          const fails = (program: string, time: number) =>
            failing.some(([key, when]) => program === `program ${key}` && when === time)
          const seen = watched({ turns: compileTurns, fails })
          const scope = Scope.makeUnsafe()
          const program = Effect.gen(function*() {
            const run = yield* cached(graph, { kept: 2 })
            const one = Effect.fnUntraced(function*({ key, start, turns: n }: (typeof tasks)[number]) {
              yield* pause(start)
              const result = yield* Effect.exit(run([key], turns(n)))
              if (Exit.isSuccess(result)) assert.deepStrictEqual([...result.value["y"]!], [key])
            })
            const fibers = yield* Effect.forEach(tasks, (t) => Effect.forkChild(one(t)))
            yield* Effect.forEach(tasks, ({ leaves }, i) =>
              leaves === undefined ? Effect.void : Effect.andThen(pause(leaves), Fiber.interrupt(fibers[i]!)), {
              concurrency: "unbounded"
            })
            yield* Effect.forEach(fibers, Fiber.await)
            assert.isAtMost(seen.open(), 2)
            /** What failed is tried again. */
            for (let key = 0; key < 6; key++) {
              yield* Effect.retry(run([key], turns(0)), { times: 2 })
            }
          }).pipe(Effect.provideService(Session, seen.session), Scope.provide(scope))
          await Effect.runPromise(program)
          await Effect.runPromise(Scope.close(scope, Exit.void))
          assert.deepStrictEqual(seen.faults, [])
          assert.strictEqual(seen.open(), 0)
        }),
        { numRuns: 200 }
      )
    ))
  it.live("are the last used, once they are idle", () =>
    Effect.gen(function*() {
      const seen = watched({ turns: 1, fails: () => false })
      yield* Effect.gen(function*() {
        const run = yield* cached(graph, { kept: 2 })
        const use = (key: number) => Effect.asVoid(run([key], turns(0)))
        yield* use(1)
        yield* use(2)
        yield* use(1)
        yield* use(3)
        assert.strictEqual(seen.compiled(), 3)
        yield* use(1)
        yield* use(3)
        assert.strictEqual(seen.compiled(), 3)
        yield* use(2)
        assert.strictEqual(seen.compiled(), 4)
      }).pipe(Effect.scoped, Effect.provideService(Session, seen.session))
      assert.deepStrictEqual([seen.open(), seen.faults], [0, []])
    }))
  it.live("share a failure, and the next run tries again", () =>
    Effect.gen(function*() {
      const seen = watched({ turns: 3, fails: (_, time) => time === 1 })
      yield* Effect.gen(function*() {
        const run = yield* cached(graph)
        const use = Effect.exit(run([7], turns(0)))
        const ends = yield* Effect.forEach(Array(9).keys(), () => use, { concurrency: "unbounded" })
        assert.isTrue(ends.every(Exit.isFailure))
        assert.deepStrictEqual([seen.compiled(), seen.open()], [1, 0])
        assert.isTrue(Exit.isSuccess(yield* use))
        assert.deepStrictEqual([seen.compiled(), seen.open()], [2, 1])
      }).pipe(Effect.scoped, Effect.provideService(Session, seen.session))
    }))
})

describe("a value that is acquired lazily", () => {
  it.live("is acquired once by many, kept for the scope, and asked for again after a failure", () =>
    Effect.gen(function*() {
      let [made, released] = [0, 0]
      const acquire = Effect.acquireRelease(
        Effect.andThen(pause(3), Effect.suspend(() => ++made === 1 ? Effect.fail("first") : Effect.succeed(made))),
        () => Effect.sync(() => released++)
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const value = yield* lazily(acquire)
        const all = () => Effect.forEach(Array(9).keys(), () => Effect.exit(value), { concurrency: "unbounded" })
        assert.isTrue((yield* all()).every(Exit.isFailure))
        assert.deepStrictEqual(yield* all(), Array(9).fill(Exit.succeed(2)))
        assert.strictEqual(yield* value, 2)
        assert.deepStrictEqual([made, released], [2, 0])
      }))
      assert.strictEqual(released, 1)
    }))
})

describe("a program's results", () => {
  const quotient = ([size]: [number]) => {
    const [a, b] = [input("a", [size]), input("b", [size])]
    return { name: "quotient", inputs: { a, b }, outputs: { sum: add(a, b), quotient: div(a, b) } }
  }
  const feeds = { a: Float32Array.of(1, 0, 3), b: Float32Array.of(1, 0, 1) }
  it.effect("are refused where they are no numbers, by program, output and element", () =>
    Effect.gen(function*() {
      const run = yield* cached(quotient)
      const error = yield* Effect.flip(run([3], feeds))
      assert.match(error.message, /^Program quotient: element 1 of quotient is NaN\. .*another checkpoint/)
      const into = { quotient: new Float32Array(3) }
      assert.strictEqual((yield* Effect.flip(run([3], feeds, into))).message, error.message)
    }).pipe(Effect.scoped, Effect.provide(reference)))
  it.effect("are left to a caller who tells more of them", () =>
    Effect.gen(function*() {
      const run = yield* cached(quotient, { unchecked: true })
      assert.deepStrictEqual([...(yield* run([3], feeds))["quotient"]!], [1, NaN, 3])
    }).pipe(Effect.scoped, Effect.provide(reference)))
})

describe("programs on a device whose memory is full", () => {
  /** Each takes 80 bytes: two inputs and two results, of 5 numbers of 4 bytes. */
  const sums = ([name]: [string]) => {
    const [a, b] = [input("a", [5]), input("b", [5])]
    return { name, inputs: { a, b }, outputs: { sum: add(a, b), difference: sub(a, b) } }
  }
  const feeds = { a: Float32Array.of(1, 2, 3, 4, 5), b: new Float32Array(5) }
  const onDevice = <A, E>(
    capacity: number,
    use: (device: ReturnType<typeof smallDevice>) => Effect.Effect<A, E, Session | Scope.Scope>
  ) =>
    Effect.suspend(() => {
      const device = smallDevice(capacity, { arenas: true })
      return use(device).pipe(Effect.scoped, Effect.provide(device.layer))
    })

  it.live("give way to one that runs, whichever cache they are of", () =>
    onDevice(200, ({ seen, taken }) =>
      Effect.gen(function*() {
        const [one, other] = [yield* cached(sums), yield* cached(sums)]
        yield* one(["first"], feeds)
        yield* one(["second"], feeds)
        assert.strictEqual(taken(), 160)
        const { sum } = yield* other(["third"], feeds)
        assert.deepStrictEqual([...sum!], [1, 2, 3, 4, 5])
        assert.deepStrictEqual(seen.map(({ fits, program }) => [program, fits]), [
          ["first", true],
          ["second", true],
          ["third", false],
          ["third", true]
        ])
        assert.strictEqual(taken(), 80)
      })))
  it.live("that have none to give way to them fail at once", () =>
    onDevice(70, ({ seen, taken }) =>
      Effect.gen(function*() {
        const run = yield* cached(sums)
        const error = yield* Effect.flip(run(["only"], feeds))
        assert.match(error.message, /^Program only ran out of memory for 0\.0 MiB: .*Available memory of 70 is smaller/)
        assert.deepStrictEqual([seen.length, taken()], [1, 0])
      })))
  it.live("give way, but nothing is run again over what it may have written", () =>
    onDevice(100, ({ seen, taken }) =>
      Effect.gen(function*() {
        const run = yield* cached(sums, { inPlace: true })
        yield* run(["first"], feeds)
        assert.isTrue(isOutOfMemory(yield* Effect.flip(run(["second"], feeds))))
        assert.deepStrictEqual([seen.length, taken()], [2, 0])
        yield* run(["second"], feeds)
      })))
})
