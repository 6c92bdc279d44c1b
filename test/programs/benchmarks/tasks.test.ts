/** Tasks by what a user names: shipped groups and tasks, and files. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { tasksNamed } from "../../../src/programs/benchmarks/tasks.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const mine = (name: string) => `task: ${name}\noutput_type: retrieval\ndataset_path: mine\n`
const names = (given: ReadonlyArray<string>) => Effect.map(tasksNamed(given), (tasks) => tasks.map(({ task }) => task))

describe("tasks", () => {
  it.live("are shipped, alone or as a group, or are of a file, each once", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "mine.yaml": mine("Mine") })
      assert.strictEqual((yield* names(["stm"])).length, 12)
      const given = ["SciFact", join(folder, "mine.yaml"), "SciFact", "Quora-dev"]
      assert.deepStrictEqual(yield* names(given), ["SciFact", "Mine", "Quora-dev"])
    })))
  const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["SciFct"], /SciFct is neither a file nor a shipped task, did you mean SciFact\?; there are .*stm/],
    [["nothing.yaml"], /there is no file nothing\.yaml/],
    [["SciFact", "scifact.yaml"], /two different tasks are called SciFact, and their results would share a file/]
  ]
  for (const [given, why] of refusals) {
    it.live(`are refused: ${why.source}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folderOf({ "scifact.yaml": mine("SciFact") })
        const paths = given.map((name) => name === "scifact.yaml" ? join(folder, name) : name)
        assert.match((yield* Effect.flip(names(paths))).message, why)
      })))
  }
})
