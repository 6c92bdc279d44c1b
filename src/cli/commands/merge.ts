/** Merge an adapter into its base model, or models by a config of mergekit's. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { merge, mergeGguf } from "../../programs/export.ts"
import { mergeModels } from "../../programs/mergeModels.ts"
import { searchMerge } from "../../programs/search/searchMerge.ts"
import { mergeSearch } from "../../report/mergeSearch.ts"
import { lines, refuse, runtime, tell } from "../command.ts"
import { format, gguf } from "../savedFormat.ts"

/** Whether an argument names a config. */
const isConfig = (name: string): boolean => /\.ya?ml$/i.test(name)

export const mergeCommand = Command.make(
  "merge",
  {
    ...format,
    gguf,
    randomSeed: Flag.Int("random-seed").pipe(
      Flag.withDescription("Of a config: seed of the random masks of DARE and DELLA"),
      Flag.withDefault(0)
    ),
    search: Flag.File("search").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription(
        "Of a config: search its numbers on development sets, as this file says, and merge with the best (docs/merging.md)"
      ),
      Flag.optional
    ),
    source: Argument.String("source").pipe(
      Argument.withDescription(
        "An adapter, ours or PEFT's: its folder, or its id at the Hub; or a merge config of mergekit (.yaml, .yml)"
      )
    ),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder, or GGUF file, to write to"))
  },
  Effect.fnUntraced(function*({ gguf: type, out, randomSeed: seed, search, source, ...flags }) {
    if (!isConfig(source)) {
      if (Option.isSome(search)) {
        return yield* refuse("--search", "it is of a merge config, and SOURCE is none (.yaml, .yml)")
      }
      if (Option.isSome(type)) return yield* tell(yield* mergeGguf(source, out, type.value), lines)
      return yield* tell(yield* merge(source, out, flags), lines)
    }
    if (Option.isSome(type)) return yield* refuse("--gguf", "a config is merged into a folder; leave this flag out")
    if (flags.dtype !== "auto") {
      return yield* refuse("--dtype", "the type of a merge is part of its config: write dtype or out_dtype there")
    }
    const options = { maxShardSize: flags.maxShardSize, seed }
    if (Option.isNone(search)) return yield* tell(yield* mergeModels(source, out, options), lines)
    yield* tell(yield* searchMerge(source, search.value, out, options), mergeSearch)
  })
).pipe(
  Command.withDescription(
    "Merge a LoRA adapter into its base model, as a Hugging Face folder or a GGUF file; or models by a config of mergekit"
  ),
  Command.provide(runtime)
)
