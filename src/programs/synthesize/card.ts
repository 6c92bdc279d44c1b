/** The data card of synthetic records: what they are, who wrote them from what, and what was dropped on the way. */
import { markdown } from "../../domain/textTable.ts"
import { table, text } from "../modelCard.ts"
import { funnelRows } from "./funnel.ts"
import type { Report } from "./pipeline.ts"

/** What records are made from, and what they are for. */
export interface About {
  /** What the records are, in a sentence or two. */
  readonly what: string
  /** What they were made from: names of files with their hashes, selections, settings. */
  readonly source: Readonly<Record<string, unknown>>
  /** The licence of the source, as given by whoever makes them; `undefined` if they do not say. */
  readonly licence: string | undefined
}

/** The card of records: Markdown with the front matter that the Hub reads. */
export const cardOf = (name: string, reports: ReadonlyArray<Report>, { licence, source, what }: About): string => {
  const [first] = reports
  const models = [...new Set(reports.flatMap(({ models }) => models))]
  const prompts = reports.filter(({ prompt }) => prompt !== "").map((own) =>
    [`prompt of ${own.task}`, `${own.prompt} (SHA-256 ${own.prompt_sha})`] as const
  )
  const by = prompts.length === 0 ? "rule" : "model"
  const counts = reports.map((own) => markdown([[own.task, "count"], ...funnelRows(own, true)]))
  return text({
    name,
    matter: {
      tags: "[synthetic, anamnesis]",
      ...(licence === undefined ? {} : { license_name: JSON.stringify(licence) })
    },
    sections: [
      ["Data", `${what} Synthetic, for research use only: a ${by} wrote it, and nobody has checked it.`],
      [
        "Writer",
        table(["what", "value"], {
          writer: first?.writer ?? "",
          ...(by === "model" ? { model: models.join(", ") || "(no answer was kept)" } : {}),
          seed: first?.seed ?? 0,
          ...Object.fromEntries(prompts)
        })
      ],
      ["Source", table(["what", "value"], { ...source, licence: licence ?? "not given" })],
      ["Counts", counts.join("\n\n")]
    ]
  })
}
