/** What the settings of a system are: those that all share, its own, its presets and its modes. */
import * as Schema from "effect/Schema"
import { type Raw, type RunConfig, shared } from "./RunConfig.ts"
import { aboutOf, defaultsOf, type Fields, setting } from "./setting.ts"
import type { Modes } from "./uses.ts"

/** What a system states of its settings. */
export interface Own<F extends Fields = Fields> {
  readonly name: string
  /** Settings of this system alone. */
  readonly fields: F
  /** Values that win over the defaults, by the name of the preset; the first is the one that holds by itself. */
  readonly presets: Readonly<Record<string, Raw>>
  /** What the modes do with the models; the first is the one that holds by itself. */
  readonly modes: Modes
  /** What of its own settings must hold together and does not: a line each. */
  readonly conflicts: (c: RunConfig & Schema.Struct.Type<F>) => ReadonlyArray<string>
}

/** What there is to know of a system's settings. */
export interface Spec {
  readonly name: string
  readonly fields: Fields
  readonly defaults: Raw
  /** Names by their other spellings. */
  readonly aliases: ReadonlyMap<string, string>
  readonly presets: Readonly<Record<string, Raw>>
  readonly modes: Modes
  readonly conflicts: (c: RunConfig) => ReadonlyArray<string>
}

const oneOf = (names: ReadonlyArray<string>, description: string) =>
  setting(Schema.Literals(names), { description, affects: "learning", default: names[0]! })

/** The spec of a system with these settings of its own. */
export const make = <F extends Fields>({ conflicts, fields: own, modes, name, presets }: Own<F>): Spec => {
  const fields: Fields = {
    system: oneOf([name], "Which system is run."),
    preset: oneOf(Object.keys(presets), "The values that hold where the file says nothing."),
    mode: oneOf(Object.keys(modes), "What is trained, and on which passages."),
    ...shared,
    ...own
  }
  const aliases = Object.entries(fields).flatMap(([key, field]) =>
    (aboutOf(field).aliases ?? []).map((alias) => [alias, key] as const)
  )
  return {
    name,
    fields,
    defaults: defaultsOf(fields),
    aliases: new Map(aliases),
    presets,
    modes,
    conflicts: (c) => conflicts(c as RunConfig & Schema.Struct.Type<F>)
  }
}
