/** Chat templates: rendered to the texts that Python's Jinja made of them, or refused. */
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { limited } from "../../../src/runtime/files/timeLimit.ts"
import { render } from "../../../src/runtime/language/templates/jinja/render.ts"
import { compile } from "../../../src/runtime/language/templates/jinja/source.ts"
import { type Mutated, mutated } from "../edits/templates.ts"
import { chats, templates, tokens } from "../inputs/templates.ts"
import { expectSame, Fault, kind } from "../kind.ts"

/** Of test/golden/templateMutations.py: a text for each of `chats`, null for an error; the first ones are not mutated. */
interface Golden extends Mutated {
  readonly texts: ReadonlyArray<string | null>
}
const path = join(import.meta.dirname, "..", "..", "golden", "templates.json.gz")
const goldens = JSON.parse(gunzipSync(readFileSync(path)).toString()) as ReadonlyArray<Golden>
const whole = Object.keys(templates).length * tokens.length

/** Of a golden by its number, or any. */
type Case = { readonly golden: number } | Mutated

const [PATIENCE, LONGEST] = [4000, 2000]

/** What each text becomes, or why it becomes nothing. */
const texts = ({ template, tokens: own }: Mutated): ReadonlyArray<string | Error> => {
  const attempt = (run: () => string): string | Error => {
    try {
      return limited(PATIENCE, run)
    } catch (error) {
      return error as Error
    }
  }
  const variables = { add_generation_prompt: true, tools: null, documents: null, ...own }
  return chats.map((chat) => attempt(() => render(compile(template), variables, chat)))
}

/** Errors of the program rather than of the template. */
const checkReason = ({ message, name }: Error): void => {
  if (name === "TypeError" || message === "") throw new Fault(`is no reason: ${name}: ${message}`)
}

export default kind<Case>({
  examples: Array.from({ length: whole }, (_, golden) => ({ golden })),
  cases: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.noBias(fc.integer({ min: whole, max: goldens.length - 1 })).map((golden): Case => ({ golden }))
    },
    { weight: 1, arbitrary: mutated }
  ),
  judge: (c) => {
    const golden = "golden" in c ? goldens[c.golden]! : undefined
    const found = texts(golden ?? c as Mutated)
    const refused = found.filter((own) => typeof own !== "string")
    refused.forEach(checkReason)
    if (golden) {
      found.forEach((own, i) => {
        if (typeof own === "string") expectSame(own, golden.texts[i], `the text of ${JSON.stringify(chats[i])}`)
        else if ((c as { readonly golden: number }).golden < whole && golden.texts[i] !== null) {
          throw new Fault(`refused: ${own.message}`)
        }
      })
    }
    if (found.some((own) => typeof own === "string" && own.length > LONGEST)) throw new Fault("a long text")
    return Promise.resolve(refused.length > 0 ? "refused" : "changed")
  }
})
