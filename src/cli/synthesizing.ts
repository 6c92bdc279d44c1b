/** Flags that several kinds of synthetic data share. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { groundings } from "../domain/synthesis/grounding.ts"
import { formNames } from "../programs/synthesize/forms.ts"
import { literal } from "../runtime/files/settings.ts"
import { refuse, settings } from "./command.ts"

/** The licence of what the data is made from. */
export const licence = Flag.String("licence").pipe(
  Flag.withMetavar("name"),
  Flag.withDescription("Licence of the source, as the data card is to name it"),
  Flag.optional
)

/** Length of answers. */
export const maxTokens = Flag.Int("max-tokens").pipe(
  Flag.withDescription("Greatest length of an answer in tokens, reasoning included"),
  Flag.withDefault(1024)
)

/** How fields are asked for. */
export const form = Flag.Literals("form", formNames).pipe(
  Flag.withDescription("json, labelled lines of plain text (for small models), or auto: lines where JSON fails"),
  Flag.withDefault("auto" as const)
)

/** When texts are near-duplicates. */
export const nearDuplicate = (width: number, most: number) =>
  Flag.Finite("near-duplicate").pipe(
    Flag.withMetavar("share"),
    Flag.withDescription(
      `Greatest Jaccard index of the runs of ${width} words of two of them; 1 to drop only those of the same words`
    ),
    Flag.withDefault(most)
  )

/** How answers are checked against passages. */
export const grounding = Flag.Literals("grounding", groundings).pipe(
  Flag.withDescription(
    "The passage has to have the answer word for word (exact), .8 of its words (words), or is not looked at (off)"
  )
)

/** Which passages. */
export const passages = {
  passages: Flag.Path("passages").pipe(
    Flag.withDescription("Passages to write from: a file or folder as passages_file takes it (docs/data.md)")
  ),
  where: Flag.String("where").pipe(
    Flag.withMetavar("field=value"),
    Flag.withDescription("Only records whose field has this value; repeat for more"),
    Flag.atLeast(0)
  ),
  sampleSize: Flag.Int("sample-size").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("Draw so many of them under --seed (default: all)"),
    Flag.optional
  ),
  skipBadLines: settings.skipBadLines
}

/** The values of `field=value` pairs: numbers, and texts, which quotes keep from being read as numbers. */
export const whereOf = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const pairs = given.map((pair) => {
    const at = pair.indexOf("=")
    const text = pair.slice(at + 1)
    const value = literal(text)
    return [
      pair.slice(0, Math.max(0, at)).trim(),
      typeof value === "string" || typeof value === "number" ? value : text
    ]
  })
  const wrong = given.filter((_, i) => pairs[i]![0] === "")
  if (wrong.length > 0) return yield* refuse("--where", ...wrong.map((pair) => `${pair} is not field=value`))
  return Object.fromEntries(pairs) as Readonly<Record<string, string | number>>
})

/** What is wrong with numbers of these flags; `undefined` ones are not given. */
export const problemsOf = (own: {
  readonly samples?: number
  readonly maxTokens?: number
  readonly nearDuplicate?: number
  readonly sampleSize?: Option.Option<number>
}): ReadonlyArray<string> =>
  [
    (own.samples ?? 1) < 1 && "--samples must be at least 1",
    (own.maxTokens ?? 1) < 1 && "--max-tokens must be at least 1",
    !((own.nearDuplicate ?? 1) > 0 && (own.nearDuplicate ?? 1) <= 1) &&
    "--near-duplicate must be above 0, and at most 1",
    Option.getOrElse(own.sampleSize ?? Option.none(), () => 1) < 1 && "--sample-size must be at least 1"
  ].filter((problem) => problem !== false)

/** A passage selection out of its flags. */
export const selection = Effect.fnUntraced(function*(
  flags: {
    readonly passages: string
    readonly where: ReadonlyArray<string>
    readonly sampleSize: Option.Option<number>
    readonly skipBadLines: boolean
  }
) {
  return {
    passages: flags.passages,
    where: yield* whereOf(flags.where),
    sampleSize: Option.getOrUndefined(flags.sampleSize),
    skipBad: flags.skipBadLines
  }
})
