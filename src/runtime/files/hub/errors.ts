/** Why a model of the Hub cannot be had. */
import * as Schema from "effect/Schema"

/**
 * - `absent`: there is no such model, revision or file, as far as the token may see;
 * - `denied`: the token is invalid or does not suffice; `gated`: its terms have not been accepted;
 * - `unreachable`: no answer, or none but errors of the server, after several attempts;
 * - `offline`: the cache lacks it, and requests are forbidden (`HF_HUB_OFFLINE`);
 * - `corrupt`: the bytes that came are not those of the file;
 * - `unsuitable`: it has no files that can be loaded here;
 * - `space`: the disk has too little room for it;
 * - `environment`: a variable such as `HF_ENDPOINT` has an invalid value.
 */
export const kinds = [
  "absent",
  "denied",
  "gated",
  "unreachable",
  "offline",
  "corrupt",
  "unsuitable",
  "space",
  "environment"
] as const

/** A model of the Hub cannot be had. `model` is its id as given. */
export class HubError extends Schema.TaggedError<HubError>()("HubError", {
  model: Schema.String,
  kind: Schema.Literals(kinds),
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.model}: ${this.reason}`
  }
}
