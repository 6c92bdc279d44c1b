/** Settings of how a retriever makes vectors of texts. */
import * as Schema from "effect/Schema"
import { Natural } from "./kinds.ts"
import { setting } from "./setting.ts"
import { all, encodes, where } from "./uses.ts"

/** Prompts by the model that they were trained with; `{task}` is `retrieval_task`. */
export const templates = {
  /** BMRetriever (Xu et al. 2024), which STM's data come from. */
  bmretriever: {
    query: "{task}\nQuery: ",
    passage: "Represent this passage\npassage: ",
    appendEos: true
  },
  "e5-mistral": { query: "Instruct: {task}\nQuery: ", passage: "", appendEos: true },
  "qwen3-embedding": { query: "Instruct: {task}\nQuery:", passage: "", appendEos: false },
  none: { query: "", passage: "", appendEos: false }
} as const
/** The name of a template. */
export type TemplateName = keyof typeof templates

const pools = all(
  encodes,
  where("with retriever_type auto or single_vector", ({ retriever_type }) => retriever_type !== "colbert")
)

/** The settings by name. */
export const vectors = {
  retriever_type: setting(Schema.Literals(["auto", "colbert", "single_vector"]), {
    description:
      "What a text is to the retriever: a vector for each token, compared by late interaction (colbert), or one vector "
      + "(single_vector). auto: one vector for a decoder and for a sentence-transformers folder that pools, unless `dim` asks "
      + "for token vectors; late interaction otherwise.",
    affects: "learning",
    default: "auto",
    matters: encodes
  }),
  retriever_attention: setting(Schema.Literals(["auto", "bidirectional", "causal"]), {
    description:
      "Whether a decoder as retriever lets tokens see those after them; auto as its config says (`is_causal`, Gemma 3's "
      + "`use_bidirectional_attention`), else causal.",
    affects: "learning",
    default: "auto",
    matters: pools
  }),
  retriever_pooling: setting(
    Schema.Literals(["auto", "eos", "last", "mean", "cls", "max", "weightedmean", "mean_sqrt_len_tokens"]),
    {
      description:
        "How hidden states become one vector: that of the end token (eos, which is appended), of the last or the first (cls) "
        + "token, or their mean or maximum; auto as the folder's `1_Pooling` says, else last for causal decoders and mean.",
      affects: "learning",
      default: "auto",
      matters: pools
    }
  ),
  append_eos: setting(Schema.Union([Schema.Boolean, Schema.Literals(["auto"])]), {
    description:
      "Whether a text ends with the end token where the tokenizer puts none; auto if the pooling or the template asks for it.",
    affects: "learning",
    default: "auto",
    matters: pools
  }),
  retriever_template: setting(Schema.Literals(["folder", "none", "bmretriever", "e5-mistral", "qwen3-embedding"]), {
    description:
      "Prompts before queries and passages: those of the folder (`config_sentence_transformers.json`), none, or those of a "
      + "published model.",
    affects: "learning",
    default: "folder",
    matters: pools
  }),
  retrieval_task: setting(Schema.String, {
    description: "The task that a template's query prompt names.",
    affects: "learning",
    default: "Given a question, retrieve passages that answer it",
    matters: pools
  }),
  query_prompt: setting(Schema.String, {
    description: "Text before each query of a single-vector retriever, in place of the template's; `{task}` is "
      + "`retrieval_task`.",
    affects: "learning",
    default: "",
    matters: pools
  }),
  passage_prompt: setting(Schema.String, {
    description: "Text before each passage of a single-vector retriever, in place of the template's.",
    affects: "learning",
    default: "",
    matters: pools
  }),
  truncate_dim: setting(Natural, {
    description: "Keep only so many numbers of a text's vector; 0 for all, or as many as the folder says.",
    affects: "learning",
    default: 0,
    matters: pools
  })
}
/** The section's settings, each with a value. */
export type Vectors = Schema.Struct.Type<typeof vectors>
