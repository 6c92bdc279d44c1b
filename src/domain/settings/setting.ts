/** A setting: what it may be, what it is for, and what a change of it changes. All of it stands in one place. */
import * as Schema from "effect/Schema"
import type { Use } from "./uses.ts"

/**
 * What another value changes: what is learned, which makes it another run; what trained models answer; or neither: where
 * results go, what is told, how fast.
 */
export type Affects = "learning" | "answers" | "output"

/** What is known of a setting beside what it may be. */
export interface About {
  readonly description: string
  readonly affects: Affects
  /** What holds where neither the user nor a preset says otherwise; without it one of them has to. */
  readonly default?: unknown
  /** Other spellings, of other libraries, that mean the same. */
  readonly aliases?: ReadonlyArray<string>
  /** Of a part of a prompt: the place in braces that it has for a text, or `null` where it has none. */
  readonly placeholder?: string | null
  /** When it matters; always, where it is left out. */
  readonly matters?: Use
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      readonly setting?: About | undefined
    }
  }
}

/** A schema with what there is to know about the setting that it is of. */
export const setting = <S extends Schema.Top>(
  schema: S,
  about: About & { readonly default?: S["Encoded"] }
): S["Rebuild"] => schema.annotate({ setting: about })

/** Settings by name. */
export type Fields = Readonly<Record<string, Schema.Codec<unknown>>>

/** What is known about a setting. */
export const aboutOf = (field: Schema.Top): About => {
  const about = Schema.resolveAnnotations(field)?.["setting"]
  if (about === undefined) throw new Error("a setting has no description")
  return about
}

/** What holds where nobody says otherwise. */
export const defaultsOf = (fields: Fields): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, aboutOf(field).default] as const)
      .filter(([, value]) => value !== undefined)
  )
