/** Rows of preferences: a prompt, the answer that is chosen and the one that is rejected, in TRL's forms. */
import * as Schema from "effect/Schema"
import {
  decoder,
  type Fields,
  Id,
  type Notes,
  optional,
  present,
  RecordError,
  silent,
  tellUnused,
  wellFormed
} from "../records/fields.ts"
import { type Turn, turnsOf } from "./turns.ts"

/** A prompt with two answers: texts, or messages. */
export type Preference =
  & { readonly id: string | undefined }
  & (
    | { readonly _tag: "Texts"; readonly prompt: string; readonly chosen: string; readonly rejected: string }
    | {
      readonly _tag: "Chats"
      readonly prompt: ReadonlyArray<Turn>
      readonly chosen: ReadonlyArray<Turn>
      readonly rejected: ReadonlyArray<Turn>
      readonly tools: ReadonlyArray<unknown> | undefined
    }
  )

const Side = Schema.Union([Schema.String, Schema.Array(Schema.Unknown)])
const shape = Schema.Struct({
  id: optional(Id),
  _id: optional(Id),
  prompt: optional(Side),
  chosen: Side,
  rejected: Side,
  tools: optional(Schema.Array(Schema.Unknown))
})
const decode = decoder(shape)

/** The fields of such rows. */
export const preferenceFields: ReadonlySet<string> = new Set(Object.keys(shape.fields))

const shared = (a: ArrayLike<unknown>, b: ArrayLike<unknown>, same: (i: number) => boolean): number => {
  const most = Math.min(a.length, b.length)
  let n = 0
  while (n < most && same(n)) n++
  return n
}

/** Where a prompt that is not given ends: after what both texts begin with, less a space at its end. */
const splitTexts = (chosen: string, rejected: string) => {
  const common = shared(chosen, rejected, (i) => chosen[i] === rejected[i])
  const at = chosen[common - 1] === " " ? common - 1 : common
  if (at === 0) throw new RecordError("prompt", "is not given, and chosen and rejected do not begin alike")
  return { prompt: chosen.slice(0, at), chosen: chosen.slice(at), rejected: rejected.slice(at) }
}

const splitTurns = (chosen: ReadonlyArray<Turn>, rejected: ReadonlyArray<Turn>) => {
  const at = shared(chosen, rejected, (i) => JSON.stringify(chosen[i]) === JSON.stringify(rejected[i]))
  if (at === 0) throw new RecordError("prompt", "is not given, and chosen and rejected do not begin alike")
  return { prompt: chosen.slice(0, at), chosen: chosen.slice(at), rejected: rejected.slice(at) }
}

/** The answers as messages: messages as they are; a text is the assistant's. */
const kindsOf = (fields: Fields): "Texts" | "Chats" => {
  const given = ["prompt", "chosen", "rejected"].filter((name) => name in fields)
  const lists = given.filter((name) => typeof fields[name] !== "string")
  if (lists.length !== 0 && lists.length !== given.length) {
    throw new RecordError(lists[0]!, `${given.join(", ")} are all texts, or all lists of messages`)
  }
  return lists.length === 0 ? "Texts" : "Chats"
}

/** Refuses pairs that teach nothing: the gradient of every loss is zero, whatever the model. */
const different = <A extends { readonly chosen: unknown; readonly rejected: unknown }>(pair: A): A => {
  if (JSON.stringify(pair.chosen) === JSON.stringify(pair.rejected)) {
    throw new RecordError("rejected", "equals chosen: there is nothing to prefer")
  }
  return pair
}

/**
 * A row with `chosen` and `rejected`, and a `prompt` or, without it, what both begin with.
 *
 * @throws RecordError if the answers are equal or empty, or of different kinds
 */
export const toPreference = (line: unknown, also: ReadonlySet<string>, notes: Notes = silent): Preference => {
  const fields = present(line)
  const { _id, chosen, id: own = _id, prompt, rejected, tools } = decode(fields)
  tellUnused(fields, (name) => preferenceFields.has(name) || also.has(name), notes)
  const id = own === undefined ? undefined : String(own)
  if (kindsOf(fields) === "Texts") {
    if (tools !== undefined) throw new RecordError("tools", "are for messages; chosen and rejected are texts")
    const [good, bad] = [wellFormed(String(chosen), notes), wellFormed(String(rejected), notes)]
    different({ chosen: good, rejected: bad })
    const pair = prompt === undefined
      ? splitTexts(good, bad)
      : { prompt: wellFormed(String(prompt), notes), chosen: good, rejected: bad }
    return { id, _tag: "Texts", ...pair }
  }
  const sides = { chosen: turnsOf("chosen", chosen, notes), rejected: turnsOf("rejected", rejected, notes) }
  different(sides)
  const pair = prompt === undefined
    ? splitTurns(sides.chosen, sides.rejected)
    : { prompt: turnsOf("prompt", prompt, notes), ...sides }
  for (const side of ["chosen", "rejected"] as const) {
    if (pair[side].length === 0) throw new RecordError(side, "has no message after what both begin with")
  }
  return { id, _tag: "Chats", ...pair, tools }
}
