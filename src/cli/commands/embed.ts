/** Write the passage index. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import { runFiles } from "../../domain/fileNames.ts"
import { embed } from "../../programs/buildIndex.ts"
import { indexing } from "../../programs/prepare.ts"
import { trained } from "../../programs/run.ts"
import { lines, runtime, settings, settle, tell } from "../command.ts"

export const embedCommand = Command.make(
  "embed",
  {
    ...settings,
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to (default: output_dir/index)"), Flag.optional)
  },
  Effect.fnUntraced(function*(flags) {
    const { config } = yield* trained(yield* settle(flags))
    const out = Option.getOrElse(flags.out, () => join(config.output_dir, runFiles.index))
    yield* tell(yield* embed(config, out).pipe(Effect.provide(yield* indexing(config))), lines)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Build the index of the passages and write it to disk, for index_path"),
  Command.provide(runtime)
)
