/** Failures as the command line tells them: a few lines, and no trace of the program's own. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import { explanation, short } from "../../src/cli/terminal.ts"
import { ConfigError } from "../../src/domain/settings/configure.ts"
import { FileError } from "../../src/runtime/files/disk.ts"

describe("a failure", () => {
  it("that was foreseen speaks for itself", () => {
    const file = new FileError({ path: "a.json", place: "line 3", reason: "is empty" })
    assert.strictEqual(explanation(Cause.fail(file)), "anamnesis: a.json, line 3: is empty")
    const settings = new ConfigError({ source: "run.yaml", problems: ["seed: x", "mode: y"] })
    assert.strictEqual(explanation(Cause.fail(settings)), "anamnesis: run.yaml:\n  seed: x\n  mode: y")
  })
  it("that was is told as such though it was not handled, or an interruption is beside it", () => {
    const error = new FileError({ path: "a", place: "", reason: "the disk is full" })
    assert.strictEqual(explanation(Cause.die(error)), "anamnesis: a: the disk is full")
    assert.strictEqual(
      explanation(Cause.combine(Cause.interrupt(1), Cause.die(error))),
      "anamnesis: a: the disk is full"
    )
  })
  it("that was not is a fault, told without its trace", () => {
    const told = explanation(Cause.die(new TypeError("Cannot read properties of undefined (reading 'x')")))
    assert.match(
      told,
      /^anamnesis: internal error: Cannot read properties of undefined \(reading 'x'\)\nthis is a fault/
    )
    assert.notMatch(told, /\bat \S+ \(|node_modules/)
    assert.match(explanation(Cause.die("just text")), /internal error: just text/)
    assert.match(explanation(Cause.die(null)), /internal error/)
  })
  it("of memory says so", () => {
    const message = (() => {
      try {
        return String(new ArrayBuffer(2 ** 52))
      } catch (error) {
        return explanation(Cause.die(error))
      }
    })()
    assert.match(message, /^anamnesis: out of memory \(Array buffer allocation failed\)/)
  })
})

describe("a message", () => {
  it("is of a few lines, whatever it quotes", () => {
    const long = short(`${"x".repeat(1e7)}\n`.repeat(3))
    assert.isBelow(long.length, 7000)
    const many = short(Array.from({ length: 1000 }, (_, i) => `line ${i}`).join("\n")).split("\n")
    assert.lengthOf(many, 12)
    assert.match(many.at(-1)!, /^\.\.\. \d+ more lines$/)
    assert.strictEqual(short("a\u001b[31mb\rc\n"), "a [31mb c")
  })
})
