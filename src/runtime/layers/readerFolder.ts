/** The model folder of a reader: a decoder, and the tokens that begin, end and fill up its texts. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { RunConfig } from "../../domain/RunConfig.ts"
import { reach } from "../../kernels/nn/rope.ts"
import * as ChatTemplate from "./chatTemplate.ts"
import { decodeDecoder, type DecoderConfig } from "./decoderConfig.ts"
import { FileError } from "./files.ts"
import * as GenerationConfig from "./generationConfig.ts"
import * as ModelFolder from "./modelFolder.ts"
import { ofDecoder } from "./naming.ts"
import { special, type Tokenizer } from "./tokenizer.ts"

/** Tokens that end and fill up texts, by id. */
export interface Ends {
  /** After an answer. */
  readonly end: number
  /** All that end what is generated. */
  readonly stops: ReadonlySet<number>
  readonly padding: number
}

/**
 * Those of `generation_config.json`, else of `config.json`, else the tokenizer's `eos_token`; that one, where it is among
 * several, ends an answer.
 */
const endsOf = Effect.fnUntraced(function*(
  folder: string,
  config: DecoderConfig,
  tokenizer: Tokenizer,
  { eos_token_id }: GenerationConfig.GenerationConfig
) {
  const eos = special(tokenizer, "eos_token")
  const own = eos === undefined ? undefined : tokenizer.id(eos)
  const several = [[eos_token_id ?? []].flat(), config.eos_token_id, own === undefined ? [] : [own]]
  const stops = several.find((ids) => ids.length > 0)
  if (!stops) {
    const reason = "is not there, nor in generation_config.json, nor is an eos_token in tokenizer_config.json"
    return yield* new FileError({ path: join(folder, "config.json"), place: "eos_token_id", reason })
  }
  return {
    end: own !== undefined && stops.includes(own) ? own : stops[0]!,
    stops: new Set(stops),
    padding: config.pad_token_id
  } satisfies Ends as Ends
})

/** A prompt begins as the tokenizer's own post-processor has it, or else with `bos_token_id`. */
const plain = ({ bos_token_id }: DecoderConfig, { start }: Tokenizer): ChatTemplate.Turn => ({
  before: start ?? (bos_token_id === undefined ? [] : [bos_token_id]),
  after: []
})

/** The folder of the settings. */
export const open = Effect.fnUntraced(function*(settings: RunConfig) {
  const opened = yield* ModelFolder.open(settings.reader_name_or_path, decodeDecoder)
  const { config, folder, tokenizer } = opened
  const most = reach(config.rope_parameters, config.max_position_embeddings)
  yield* ModelFolder.fits(folder, { max_position_embeddings: most }, { max_length: settings.max_length })
  const generation = yield* GenerationConfig.read(folder)
  return {
    ...opened,
    generation,
    turn: settings.apply_chat_template ? yield* ChatTemplate.load(tokenizer) : plain(config, tokenizer),
    ends: yield* endsOf(folder, config, tokenizer, generation),
    loading: { naming: ofDecoder(config) }
  }
})
