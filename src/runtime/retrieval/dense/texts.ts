/** Queries and passages as token ids: what every dense retriever makes of texts. */

/** Token ids padded to a common length, with the attention mask and the tokens that count. */
export interface TokenRows {
  readonly rows: number
  readonly length: number
  /** [rows, length] */
  readonly ids: Int32Array
  /** Attention mask, [rows, length]: 1 if the token can be attended to. */
  readonly mask: Uint8Array
  /** [rows, length]: 1 if the token's vector takes part in MaxSim, or if the token is pooled. */
  readonly keep: Uint8Array
}

/** Tokenises texts. */
export interface Texts {
  /** Queries padded to a common length, at least the given one where queries differ in length. */
  readonly queries: (texts: ReadonlyArray<string>, least?: number) => TokenRows
  /** The tokens of a passage with all that is put around it, at most the passage length. */
  readonly passage: (text: string) => ReadonlyArray<number>
  /** Number of tokens of a text with all that is put around it, before truncation. */
  readonly tokens: (text: string, kind: "query" | "passage") => number
  /** Passages padded to `length`. */
  readonly passages: (tokens: ReadonlyArray<ArrayLike<number>>, length: number) => TokenRows
}

/** Maximum lengths in tokens, with all that is put around a text. */
export interface Lengths {
  readonly query: number
  readonly passage: number
}
