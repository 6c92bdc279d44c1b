/** An experiment killed at twenty places: each ends, once it is started again, as one that was not killed. */
import { describe, it } from "@effect/vitest"
import { kills } from "../support/experimentKills.ts"
import { onDisk } from "../support/files.ts"

describe("an experiment killed at twenty places", () => {
  it.live("ends in the same bytes, and runs no arm again that was done", () => onDisk(kills(20, "many")), 1_200_000)
})
