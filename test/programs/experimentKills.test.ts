/** An experiment that is killed and started again ends as one that was not; `experimentKills.nightly.ts` has more places. */
import { describe, it } from "@effect/vitest"
import { kills } from "../support/experimentKills.ts"
import { onDisk } from "../support/files.ts"

describe("an experiment killed at three places", () => {
  it.live("ends in the same bytes, and runs no arm again that was done", () => onDisk(kills(3, "few")), 240_000)
})
