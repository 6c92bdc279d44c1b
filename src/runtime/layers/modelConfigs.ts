/** `config.json` of the two kinds of model, in Hugging Face's spelling; other keys are ignored. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))
const Epsilon = Schema.Finite.check(Schema.isGreaterThan(0))
const or = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefault(Effect.succeed(value)))

/** BERT with a ColBERT head; `dim` is the size of a token's vector. */
export const EncoderConfig = Schema.Struct({
  vocab_size: Count,
  hidden_size: Count,
  intermediate_size: Count,
  num_hidden_layers: Count,
  num_attention_heads: Count,
  max_position_embeddings: Count,
  type_vocab_size: or(Count, 2),
  layer_norm_eps: or(Epsilon, 1e-12),
  hidden_dropout_prob: or(Rate, 0.1),
  initializer_range: or(Epsilon, 0.02),
  dim: or(Count, 128)
})

const TokenId = Schema.Natural
export const DecoderConfig = Schema.Struct({
  vocab_size: Count,
  hidden_size: Count,
  intermediate_size: Count,
  num_hidden_layers: Count,
  num_attention_heads: Count,
  num_key_value_heads: Count,
  max_position_embeddings: Count,
  rms_norm_eps: or(Epsilon, 1e-6),
  rope_theta: or(Epsilon, 10000),
  tie_word_embeddings: or(Schema.Boolean, false),
  hidden_dropout_prob: or(Rate, 0),
  initializer_range: or(Epsilon, 0.02),
  bos_token_id: Schema.optionalKey(TokenId),
  eos_token_id: TokenId,
  pad_token_id: or(TokenId, 0)
})
