/** Steps that no machine could hold are refused by their settings. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { beyondMemory } from "../../src/programs/costs/limits.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"

const config = (settings: Raw) =>
  Effect.runSync(decode("x", {
    output_dir: "o",
    passages_file: "p",
    retriever_name_or_path: "a",
    reader_name_or_path: "b",
    ...settings
  }))
const [memory, heap] = [2 ** 34, 2 ** 32]
const outcome = (settings: Raw) => beyondMemory(config(settings), memory, heap)

describe("a step", () => {
  it("of the usual sizes is not beyond memory", () => {
    for (const preset of ["paper", "release"]) assert.isFalse(outcome({ preset, per_device_train_batch_size: 4096 }))
    assert.isFalse(outcome({ mode: "lexical", per_device_train_batch_size: 4096 }))
  })
  it("is beyond it with more questions than JavaScript has room for", () => {
    const told = outcome({ per_device_train_batch_size: 2 ** 31 })
    assert.match(
      String(told),
      /per_device_train_batch_size \(2147483648\) times .* takes at least 1\.95 TiB; .* 4 GiB for it/
    )
    const parts = outcome({ gradient_accumulation_steps: 2 ** 40 })
    assert.match(String(parts), /gradient_accumulation_steps \(1099511627776\)/)
  })
  it("is beyond it where each question is told from each other of the batch", () => {
    const told = outcome({ mode: "lexical", per_device_train_batch_size: 100_000 })
    assert.match(String(told), /takes at least 112 GiB; this machine has 16 GiB of memory/)
    assert.isFalse(outcome({ per_device_train_batch_size: 100_000 }))
  })
})
