/** tokenizer.json whose post-processor ends each text with one more token. */

type Json = Readonly<Record<string, unknown>>

/** The token to append. */
export interface Ending {
  readonly token: string
  readonly id: number
}

const piece = (token: string, type_id: number) => ({ SpecialToken: { id: token, type_id } })
const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } })

const plain = { type: "TemplateProcessing", single: [sequence("A", 0)], pair: [sequence("A", 0), sequence("B", 1)] }

/** A template with the token behind its last sequence. */
const longer = (template: Json, { id, token }: Ending): Json => ({
  ...template,
  single: [...template["single"] as ReadonlyArray<unknown>, piece(token, 0)],
  pair: [...template["pair"] as ReadonlyArray<unknown>, piece(token, 1)],
  special_tokens: {
    ...template["special_tokens"] as Json | undefined,
    [token]: { id: token, ids: [id], tokens: [token] }
  }
})

/** `undefined` for a post-processor that cannot take another token. */
const ended = (own: Json | undefined, ending: Ending): Json | undefined => {
  if (own === undefined) return longer(plain, ending)
  if (own["type"] === "TemplateProcessing") return longer(own, ending)
  if (own["type"] === "ByteLevel") return { type: "Sequence", processors: [own, longer(plain, ending)] }
  if (own["type"] !== "Sequence") return undefined
  const all = own["processors"] as ReadonlyArray<Json>
  const at = all.findIndex(({ type }) => type === "TemplateProcessing")
  const processors = at < 0 ? [...all, longer(plain, ending)] : all.with(at, longer(all[at]!, ending))
  return { ...own, processors }
}

/** The text of a valid `tokenizer.json` with the token appended; `undefined` if its post-processor takes no other. */
export const appendEos = (text: string, ending: Ending): string | undefined => {
  const json = JSON.parse(text) as Json
  const post_processor = ended((json["post_processor"] ?? undefined) as Json | undefined, ending)
  return post_processor && JSON.stringify({ ...json, post_processor })
}
