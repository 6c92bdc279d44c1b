/** A better prompt by a model that reads how the present one did. */
import * as Effect from "effect/Effect"
import { spoken } from "../../domain/answers/reasoning.ts"
import type { Outcome } from "../../domain/gepa/gepa.ts"
import type { Texts } from "../../domain/gepa/merge.ts"
import * as Placeholders from "../../domain/settings/placeholders.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { aboutOf, type Fields } from "../../domain/settings/setting.ts"
import { ofOneRequest, Writer } from "../../runtime/ports/Writer.ts"
import type { Template } from "../writing/template.ts"
import { withTexts } from "./scoring.ts"
import { tunable } from "./tunable.ts"

/** The text between the first and the last fence, without a language behind the first; all of it, if there is none. */
export const proposed = (answer: string): string => {
  const own = spoken(answer)
  const [first, last] = [own.indexOf("```"), own.lastIndexOf("```")]
  if (first < 0) return own.trim()
  const inside = first === last ? own.slice(first + 3) : own.slice(first + 3, last)
  return inside.replace(/^[\w-]*\n/, "").trim()
}

/** What a prompt must have in it, for the model that writes it. */
const rulesOf = (fields: Fields, setting: string): string => {
  const { placeholder } = aboutOf(fields[setting]!)
  return typeof placeholder === "string"
    ? `It must contain {${placeholder}}, exactly so, once: the text is put there.`
    : "It must contain no placeholders."
}

/** A prompt with the blanks around it that the first one had, which separate it from its neighbours. */
const spaced = (text: string, like: string): string => {
  const [before = "", after = ""] = [/^\s*/.exec(like)?.[0], /\s*$/.exec(like)?.[0]]
  return like.trim() === "" ? text : `${before}${text}${after}`
}

/** How proposals ended that were not used. */
export interface Proposals {
  asked: number
  unanswered: number
  /** Without the placeholder that the setting needs, or with others. */
  malformed: number
}

/** Reflection on settings that hold prompts; `counts` is kept up to date. */
export const reflecting = (
  c: RunConfig,
  fields: Fields,
  seed: Texts,
  { turns }: Template,
  max_tokens: number,
  counts: Proposals
) =>
  Effect.fnUntraced(
    function*(setting: string, texts: Texts, outcomes: ReadonlyArray<Outcome>, iteration: number) {
      const { write } = yield* Writer
      const examples = outcomes.map(({ feedback }, i) => `# Example ${i + 1}\n${feedback}`).join("\n\n")
      const { purpose } = tunable[setting]!
      const dialogue = turns({ purpose, instruction: texts[setting]!, examples, rules: rulesOf(fields, setting) })
      counts.asked++
      const written = yield* Effect.result(
        write({ turns: dialogue, max_tokens, sample: iteration })
      )
      if (written._tag === "Failure") {
        if (ofOneRequest(written.failure) === undefined) return yield* written.failure
        counts.unanswered++
        return undefined
      }
      const own = proposed(written.success.text)
      if (written.success.end !== "stop" || own === "") {
        counts.unanswered++
        return undefined
      }
      const found = spaced(own, seed[setting]!)
      if (Placeholders.problems({ [setting]: fields[setting]! }, withTexts(c, { [setting]: found })).length === 0) {
        return found
      }
      counts.malformed++
      return undefined
    }
  )
