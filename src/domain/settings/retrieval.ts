/** Settings of the retriever's inputs and its index. */
import * as Schema from "effect/Schema"
import { MaybePath, Natural } from "./kinds.ts"
import { setting } from "./setting.ts"
import { encodes, indexes, ranks, trainsRetriever } from "./uses.ts"
import { vectors } from "./vectors.ts"

/** The section's settings by name. */
export const retrieval = {
  ...vectors,
  query_max_len: setting(Natural, {
    description: "Length of a query in tokens, markers and masks included; 0 for the checkpoint's own.",
    affects: "learning",
    default: 0,
    aliases: ["query_maxlen", "retrieval_query_max_length"],
    matters: encodes
  }),
  passage_max_len: setting(Natural, {
    description: "Greatest length of a passage in tokens, markers included; 0 for the checkpoint's own.",
    affects: "learning",
    default: 0,
    aliases: ["doc_maxlen"],
    matters: encodes
  }),
  dim: setting(Natural, {
    description:
      "Size of token vectors where the retriever's folder has no head: a random one is added; 0 for plain hidden states.",
    affects: "learning",
    default: 128,
    matters: encodes
  }),
  options_in_query: setting(Schema.Boolean, {
    description: "Whether the retriever is asked with the options.",
    affects: "learning",
    default: true,
    matters: ranks
  }),
  refresh_index: setting(Schema.Union([Schema.Int, Schema.String]), {
    description:
      "\"never\", every N steps, or Atlas's ranges \"0-100:10,100-1000:500\". \"25 probe 64\" also measures on 64 training "
      + "questions how stale the index has become; \"25 probe 64 below 0.9\" rebuilds it only if the rank correlation of stale and "
      + "fresh scores is below 0.9 (docs/guide.md).",
    affects: "learning",
    default: "never",
    matters: trainsRetriever
  }),
  index_path: setting(MaybePath, {
    description:
      "Folder of an index that `embed` wrote for the same corpus and weights; empty to build one when needed.",
    affects: "output",
    default: "",
    matters: indexes
  }),
  index_in_memory: setting(Natural, {
    description:
      "MiB of an index's vectors that stay in memory; the others are read in every search, from `index_path` or, "
      + "where the index is built, from a file in the temporary folder (`TMPDIR`).",
    affects: "output",
    default: 512,
    matters: indexes
  })
}
/** The section's settings, each with a value. */
export type Retrieval = Schema.Struct.Type<typeof retrieval>
