/** Recipes: named steps, each a command line, files to write or a choice among others, in the order of their references. */
import * as Schema from "effect/Schema"
import { brief } from "../brief.ts"
import { didYouMean } from "../nearest.ts"
import { wordsOf } from "./words.ts"

const Attributes = Schema.Record(Schema.String, Schema.String)

/** A choice: candidates by name, each with the step whose `bench` scored it. */
const Pick = Schema.Struct({ pick: Schema.Record(Schema.String, Schema.String) })

/** Files to write, by name, with references in their texts. */
const Files = Schema.Struct({ write: Attributes })

/** A recipe's file. */
export const Recipe = Schema.Struct({
  /** Values for `${name}`. */
  values: Schema.optionalKey(Attributes),
  /** Lists: a step that names one in its key stands for a step for each item; `${list.attribute}` is an item's. */
  lists: Schema.optionalKey(Schema.Record(Schema.String, Schema.Record(Schema.String, Attributes))),
  steps: Schema.Record(Schema.String, Schema.Union([Schema.String, Pick, Files]))
})
/** The content of a recipe's file. */
export type Recipe = typeof Recipe.Type

/** A word with its references left open: texts, and names of steps. */
export type Word = ReadonlyArray<{ readonly text: string } | { readonly step: string } | { readonly own: true }>

/** A step that runs a command line of `anamnesis`. */
export interface Command {
  readonly name: string
  readonly kind: "command"
  readonly words: ReadonlyArray<Word>
}

/** A step that writes files, such as configs that name the folders of other steps. */
export interface Written {
  readonly name: string
  readonly kind: "files"
  readonly files: ReadonlyArray<{ readonly path: string; readonly text: Word }>
}

/** A step that stands for the best of others, by the scores of steps that evaluated them. */
export interface Choice {
  readonly name: string
  readonly kind: "choice"
  readonly candidates: ReadonlyArray<{ readonly step: string; readonly score: string }>
}

/** A step. */
export type Step = Command | Written | Choice

/** Names of steps become names of folders, and files lie in these. */
const named = /^[A-Za-z0-9][\w.+-]*$/
const reference = /\$\{([^${}]*)\}/g
const OUT = "out"

type Values = ReadonlyMap<string, string>

/** How deep references may stand within references. */
const DEEPEST = 8

/** Fills in the values that are known, innermost first; what else is in `${}` is left as it is. */
const fill = (text: string, values: Values): string => {
  let filled = text
  for (let depth = 0; depth < DEEPEST; depth++) {
    filled = filled.replaceAll(reference, (all, name: string) => values.get(name) ?? all)
  }
  return filled
}

/** The combinations of items of the lists that a key names, as values. */
const combinations = (key: string, { lists = {}, values = {} }: Recipe): ReadonlyArray<Values> => {
  const mentioned = Object.keys(lists).filter((list) => key.includes(`\${${list}}`))
  return mentioned.reduce<ReadonlyArray<Values>>(
    (all, list) =>
      all.flatMap((own) =>
        Object.entries(lists[list]!).map(([item, attributes]) =>
          new Map([
            ...own,
            [list, item],
            ...Object.entries(attributes).map(([name, value]) => [`${list}.${name}`, value] as const)
          ])
        )
      ),
    [new Map(Object.entries(values))]
  )
}

/** A word's texts and references. */
const wordOf = (text: string): Word =>
  text.split(/(\$\{[^${}]*\})/).filter((part) => part !== "").map((part) => {
    const [, name] = /^\$\{(.*)\}$/s.exec(part) ?? []
    if (name === undefined) return { text: part }
    return name === OUT ? { own: true } : { step: name }
  })

/** The steps that a step refers to. */
export const referencesOf = (step: Step): ReadonlyArray<string> => {
  if (step.kind === "choice") return step.candidates.flatMap(({ score, step }) => [step, score])
  const words = step.kind === "files" ? step.files.map(({ text }) => text) : step.words
  return words.flat().flatMap((part) => "step" in part ? [part.step] : [])
}

const filesOf = (name: string, files: typeof Files.Type["write"], values: Values): Step | string => {
  const bad = Object.keys(files).find((path) => !named.test(path))
  if (bad !== undefined) return `${name}: ${brief(bad)} is no name of a file`
  const all = Object.entries(files).map(([path, text]) => ({ path, text: wordOf(fill(text, values)) }))
  return { name, kind: "files", files: all }
}

/** A step under the values of one combination; texts say what is wrong. */
const stepOf = (name: string, body: Recipe["steps"][string], values: Values): Step | string => {
  if (!named.test(name)) return `${brief(name)}: a step's name has letters, digits, "_", ".", "-" and "+" only`
  if (typeof body === "string") {
    const words = wordsOf(body)
    if (typeof words === "string") return `${name}: ${words}`
    const [first] = words
    if (first === undefined) return `${name}: has no command`
    return { name, kind: "command", words: words.map((word) => wordOf(fill(word, values))) }
  }
  if ("write" in body) return filesOf(name, body.write, values)
  const candidates = Object.entries(body.pick).map(([step, score]) => ({
    step: fill(step, values),
    score: fill(score, values)
  }))
  return candidates.length === 0 ? `${name}: there is nothing to pick from` : { name, kind: "choice", candidates }
}

/** Steps after those that they refer to, otherwise in the given order; the names of a cycle, if there is one. */
const ordered = (steps: ReadonlyMap<string, Step>): ReadonlyArray<Step> | ReadonlyArray<string> => {
  const [done, path, order] = [new Set<string>(), new Set<string>(), new Array<Step>()]
  const visit = (name: string): ReadonlyArray<string> | undefined => {
    if (done.has(name)) return undefined
    if (path.has(name)) return [...path].slice([...path].indexOf(name)).concat(name)
    path.add(name)
    const step = steps.get(name)!
    for (const other of referencesOf(step)) {
      const cycle = visit(other)
      if (cycle) return cycle
    }
    path.delete(name)
    done.add(name)
    order.push(step)
    return undefined
  }
  for (const name of steps.keys()) {
    const cycle = visit(name)
    if (cycle) return cycle
  }
  return order
}

const isCycle = (order: ReadonlyArray<Step> | ReadonlyArray<string>): order is ReadonlyArray<string> =>
  typeof order[0] === "string"

/** What is unknown among the references of steps. */
const unknowns = (steps: ReadonlyMap<string, Step>, { lists = {}, values = {} }: Recipe): ReadonlyArray<string> => {
  const names = [...steps.keys(), ...Object.keys(values), ...Object.keys(lists)]
  return [...steps.values()].flatMap((step) =>
    referencesOf(step).filter((name) => !steps.has(name)).map((name) => {
      const near = didYouMean(name, names)
      const hint = near === undefined ? "" : `, did you mean ${near}?`
      const list = Object.keys(lists).find((own) => name === own || name.startsWith(`${own}.`))
      return list === undefined
        ? `${step.name}: there is no step or value ${brief(name)}${hint}`
        : `${step.name}: \${${name}} is of the list ${list}, which the step's name does not mention, or has no such attribute`
    })
  )
}

/** The steps of a recipe, each after those that it refers to; or everything that is wrong with it. */
export const stepsOf = (
  recipe: Recipe
): { readonly steps: ReadonlyArray<Step> } | { readonly problems: ReadonlyArray<string> } => {
  const [steps, problems] = [new Map<string, Step>(), new Array<string>()]
  for (const [key, body] of Object.entries(recipe.steps)) {
    for (const values of combinations(key, recipe)) {
      const name = fill(key, values)
      const step = stepOf(name, body, values)
      if (typeof step === "string") problems.push(step)
      else if (steps.has(name)) problems.push(`${name}: is given twice`)
      else if (values.has(name) || name === OUT) problems.push(`${name}: is the name of a value, too`)
      else steps.set(name, step)
    }
  }
  if (problems.length > 0) return { problems }
  if (steps.size === 0) return { problems: ["steps: there is none"] }
  const missing = unknowns(steps, recipe)
  if (missing.length > 0) return { problems: missing }
  const order = ordered(steps)
  return isCycle(order)
    ? { problems: [`the steps refer to each other in a circle: ${order.join(" → ")}`] }
    : { steps: order }
}

/** The steps that are needed for some: themselves and all that they refer to. */
export const needed = (steps: ReadonlyArray<Step>, wanted: ReadonlyArray<string>): ReadonlyArray<Step> => {
  const all = new Set(wanted)
  for (const step of steps.toReversed()) {
    if (all.has(step.name)) referencesOf(step).forEach((name) => all.add(name))
  }
  return steps.filter(({ name }) => all.has(name))
}
