/** Pictures among the tokens of a chat: each is one number below 0 until the chat fits, and then the tokens that stand for it. */
import * as Effect from "effect/Effect"
import { cut } from "../../domain/brief.ts"
import type { Shown } from "../pictures/reading.ts"
import type { ImageError } from "../ports/Images.ts"
import { ModelRefused } from "../ports/LanguageModel.ts"

/** Token ids, and pictures as numbers below 0. */
export type Mixed = ReadonlyArray<number>

/** A chat as tokens. */
export interface Prompted {
  readonly ids: ReadonlyArray<number>
  /** Pictures in the order in which they are read. */
  readonly pictures: ReadonlyArray<Shown>
  /** Of a chat with pictures, for each token: the row of their features, one after the other; -1 for none. */
  readonly places?: ReadonlyArray<number>
}

/** How a model reads pictures. */
export interface Sight {
  /** The token that stands for a row of a picture, and its id. */
  readonly token: string
  readonly id: number
  readonly show: (reference: string) => Effect.Effect<Shown, ImageError>
}

/** The model whose tokens these are. */
export interface Seer {
  /** How pictures are read; a model without refuses them. */
  readonly sight?: Sight | undefined
  /** The model's folder, for errors. */
  readonly folder?: string | undefined
}

/** The pictures of a model's chats. */
export interface Pictures {
  /** Has pictures at hand, by their references: to be called before any other function is given them. */
  readonly see: (references: ReadonlyArray<string>) => Effect.Effect<void, ModelRefused | ImageError>
  /** The number of a picture. */
  readonly number: (reference: string) => number
  /** The tokens of a text, which must not stand for a picture. */
  readonly check: (ids: ReadonlyArray<number>, text: string) => Effect.Effect<Mixed, ModelRefused>
  /** Tokens of a whole chat in which a single token stands for each of its pictures. */
  readonly replace: (
    ids: ReadonlyArray<number>,
    references: ReadonlyArray<string>
  ) => Effect.Effect<Mixed, ModelRefused>
  /** Number of tokens. */
  readonly cost: (ids: Mixed) => number
  /** The tokens, with those of pictures; `given` pictures were asked for. */
  readonly expanded: (ids: Mixed, given: number) => Effect.Effect<Prompted>
}

const blind = ({ folder = "the model" }: Seer): Pictures => ({
  see: (references) =>
    references.length === 0 ? Effect.void : new ModelRefused({
      path: folder,
      place: "",
      reason:
        "reads texts alone, and a prompt has a picture; take a model that reads pictures (LLaVA, Idefics3, SmolVLM), "
        + "or the mark <image> out of the prompts"
    }),
  number: () => -1,
  check: (ids) => Effect.succeed(ids),
  replace: (ids) => Effect.succeed(ids),
  cost: ({ length }) => length,
  expanded: (ids) => Effect.succeed({ ids, pictures: [] })
})

/** Tokens with those of pictures, and their places. */
const expansion = (ids: Mixed, pictures: ReadonlyArray<Shown>, id: number): Prompted => {
  const [all, places] = [new Array<number>(), new Array<number>()]
  const seen: Array<Shown> = []
  let row = 0
  for (const own of ids) {
    const picture = own < 0 ? pictures[-1 - own] : undefined
    if (picture) seen.push(picture)
    for (const one of picture?.ids ?? [own]) {
      all.push(one)
      places.push(picture && one === id ? row++ : -1)
    }
  }
  return seen.length === 0 ? { ids: all, pictures: [] } : { ids: all, pictures: seen, places }
}

/** The pictures of chats of a model, which refuses them if it reads none. */
export const make = (seer: Seer): Pictures => {
  const { folder = "the model", sight } = seer
  if (!sight) return blind(seer)
  const all: Array<Shown> = []
  const numbers = new Map<string, number>()
  const refuse = (reason: string) => new ModelRefused({ path: folder, place: "", reason })
  let told = false
  return {
    see: (references) =>
      Effect.forEach(
        references,
        (reference) =>
          numbers.has(reference) ?
            Effect.void :
            Effect.map(sight.show(reference), (shown) => void numbers.set(reference, -all.push(shown))),
        { discard: true }
      ),
    number: (reference) => numbers.get(reference)!,
    check: (ids, text) =>
      ids.includes(sight.id)
        ? refuse(`a text has the words ${sight.token}, which stand for a picture here: "${cut(text.trim(), 80)}"`)
        : Effect.succeed(ids),
    replace: (ids, references) => {
      const found = ids.filter((id) => id === sight.id).length
      if (found !== references.length) {
        const reason = `a chat with ${references.length} pictures has ${found} times ${sight.token} by its template: `
          + "either a text has these words, or the template leaves out pictures"
        return refuse(reason)
      }
      let next = 0
      return Effect.succeed(ids.map((id) => id === sight.id ? numbers.get(references[next++]!)! : id))
    },
    cost: (ids) => ids.reduce((sum, id) => sum + (id < 0 ? all[-1 - id]!.ids.length : 1), 0),
    expanded: Effect.fnUntraced(function*(ids, given) {
      const prompted = expansion(ids, all, sight.id)
      const left = given - prompted.pictures.length
      if (left > 0 && !told) {
        told = true
        const times = `${left} of a prompt's ${given} pictures are`
        yield* Effect.logWarning(
          `${folder}: ${times} left out, since it is longer than max_length; this is told of the first such prompt alone`
        )
      }
      return prompted
    })
  }
}

/** Tokens of a row of a file as a chat's; fails unless as many tokens stand for pictures as its pictures have rows. */
export const ofRow = Effect.fnUntraced(
  function*({ folder = "the model", sight }: Seer, ids: ArrayLike<number>, references: ReadonlyArray<string>) {
    if (!sight) {
      yield* blind({ folder }).see(references)
      return [] as ReadonlyArray<Shown>
    }
    const pictures = yield* Effect.forEach(references, sight.show)
    const rows = pictures.reduce((sum, own) => sum + own.rows, 0)
    const found = Array.from(ids).filter((id) => id === sight.id).length
    if (found === rows) return pictures
    const reason = `a row has ${found} times ${sight.token}, and its ${references.length} pictures have ${rows} rows`
    return yield* new ModelRefused({ path: folder, place: "", reason })
  }
)
