/** Convert documents to passages. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { importDocuments } from "../../../programs/documents/importDocuments.ts"
import { documentsTable } from "../../../report/documentsTable.ts"
import { tell } from "../../command.ts"

const flags = {
  paths: Argument.Path("path").pipe(
    Argument.withDescription("Files, or folders with files: .txt, .md, .html, .pdf"),
    Argument.atLeast(1)
  ),
  out: Flag.Path("out").pipe(
    Flag.withDescription("JSON lines of passages to write"),
    Flag.withDefault("passages.jsonl")
  ),
  by: Flag.Literals("by", ["headings", "tokens"]).pipe(
    Flag.withDescription("headings: passages stay within the text under one heading; tokens: headings do not matter"),
    Flag.withDefault("headings" as const)
  ),
  size: Flag.Int("chunk-size").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("Greatest number of tokens of a passage"),
    Flag.withDefault(128)
  ),
  overlap: Flag.Int("chunk-overlap").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("Greatest number of tokens that a passage repeats of the one before it, in whole sentences"),
    Flag.withDefault(0)
  ),
  tokenizer: Flag.Path("tokenizer").pipe(
    Flag.withMetavar("model"),
    Flag.withDescription("Model whose tokens are counted (default: words, apart by white space)"),
    Flag.optional
  ),
  near: Flag.Finite("near-duplicate").pipe(
    Flag.withMetavar("share"),
    Flag.withDescription(
      "Greatest Jaccard index of the runs of five words of two passages; 1 to drop only those of the same words"
    ),
    Flag.withDefault(0.8)
  ),
  skip: Flag.Boolean("skip-bad-files").pipe(
    Flag.withDescription("Leave files out that cannot be read, and name them"),
    Flag.withDefault(false)
  )
}

export const documents = Command.make(
  "documents",
  flags,
  Effect.fnUntraced(function*({ paths, tokenizer, ...given }) {
    const options = { ...given, tokenizer: Option.getOrUndefined(tokenizer) }
    yield* tell(yield* importDocuments(paths, options), documentsTable)
  })
).pipe(Command.withDescription("Convert documents (text, Markdown, HTML, PDF) to JSON lines of passages"))
