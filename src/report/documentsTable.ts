/** What became of documents, as lines. */
import type { ImportedDocuments } from "../programs/documents/importDocuments.ts"

const listed = (what: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.length === 0
    ? []
    : [`${what}: ${names.length}`, ...names.slice(0, 10).map((name) => `  ${name}`), ...more(names)]
const more = (names: ReadonlyArray<string>) => names.length > 10 ? [`  and ${names.length - 10} more`] : []

/** The counts, a line each, and the names of files without passages. */
export const documentsTable = (done: ImportedDocuments): string =>
  [
    `${done.documents} documents, ${done.passages} passages`,
    `left out: ${done.repeated} passages with the words of an earlier one, ${done.near_duplicates} near-duplicates`,
    ...Object.entries(done.counts).map(([what, count]) => `${what}: ${count}`),
    ...listed("documents without text", done.empty),
    ...listed("files that cannot be read", done.unreadable),
    ...Object.entries(done.other_files).map(([extension, count]) =>
      `files that are no documents, ${extension}: ${count}`
    )
  ].join("\n")
