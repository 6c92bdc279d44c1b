/** A setting: its type, its purpose, and what it affects, all in one place. */
import * as Schema from "effect/Schema"
import type { Use } from "./uses.ts"

/**
 * What a change of the value affects: what is learned, which makes it a different run; how trained models answer; or
 * only output, such as paths, logs and speed.
 */
export type Affects = "learning" | "answers" | "output"

/** Metadata of a setting. */
export interface About {
  readonly description: string
  readonly affects: Affects
  /** The value if neither the user nor a preset gives one; settings without a default are required. */
  readonly default?: unknown
  /** The value with which runs are those of versions that did not have the setting: it is left out of their identities. */
  readonly neutral?: unknown
  /** Names for the same setting in other libraries. */
  readonly aliases?: ReadonlyArray<string>
  /** For a prompt template: the name of its placeholder, or `null` if it has none. */
  readonly placeholder?: string | null
  /** When the setting matters; always, if omitted. */
  readonly matters?: Use
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      readonly setting?: About | undefined
    }
  }
}

/** A schema annotated with the setting's metadata. */
export const setting = <S extends Schema.Top>(
  schema: S,
  about: About & { readonly default?: S["Encoded"] }
): S["Rebuild"] => schema.annotate({ setting: about })

/** Settings by name. */
export type Fields = Readonly<Record<string, Schema.Codec<unknown>>>

/** The metadata of a setting. */
export const aboutOf = (field: Schema.Top): About => {
  const about = Schema.resolveAnnotations(field)?.["setting"]
  if (about === undefined) throw new Error("a setting has no description")
  return about
}

/** The default values. */
export const defaultsOf = (fields: Fields): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, aboutOf(field).default] as const)
      .filter(([, value]) => value !== undefined)
  )
