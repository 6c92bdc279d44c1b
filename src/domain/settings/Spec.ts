/** A system's settings: the shared ones, its own, its presets and its modes. */
import * as Schema from "effect/Schema"
import { type Raw, type RunConfig, shared } from "./RunConfig.ts"
import { aboutOf, defaultsOf, type Fields, setting } from "./setting.ts"
import type { Modes } from "./uses.ts"

/** A system's definition of its settings. */
export interface Own<F extends Fields = Fields> {
  readonly name: string
  /** Settings that only this system has. */
  readonly fields: F
  /** Presets by name, which override the defaults; the first is the default preset. */
  readonly presets: Readonly<Record<string, Raw>>
  /** The traits of each mode; the first is the default mode. */
  readonly modes: Modes
  /** Conflicts between the system's settings, one line each. */
  readonly conflicts: (c: RunConfig & Schema.Struct.Type<F>) => ReadonlyArray<string>
}

/** Everything known about a system's settings. */
export interface Spec {
  readonly name: string
  readonly fields: Fields
  readonly defaults: Raw
  /** Setting names by alias. */
  readonly aliases: ReadonlyMap<string, string>
  readonly presets: Readonly<Record<string, Raw>>
  readonly modes: Modes
  readonly conflicts: (c: RunConfig) => ReadonlyArray<string>
}

const oneOf = (names: ReadonlyArray<string>, description: string) =>
  setting(Schema.Literals(names), { description, affects: "learning", default: names[0]! })

/** The spec of a system with its own settings. */
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
