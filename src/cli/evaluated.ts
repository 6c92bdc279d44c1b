/** Flags of commands about runs that have been evaluated. */
import * as Flag from "effect/cli/Flag"
import { splits } from "../programs/prepare.ts"
import { settings } from "./command.ts"

/** Which evaluation of a run is meant, and what wins over the run's settings. */
export const evaluated = {
  split: Flag.Literals("split", splits).pipe(
    Flag.withDescription("Questions of which split, as they were evaluated"),
    Flag.withDefault("test" as const)
  ),
  set: settings.set.pipe(
    Flag.withDescription("A setting that wins over the runs' own, as passages_file=F; repeat for more")
  )
}
