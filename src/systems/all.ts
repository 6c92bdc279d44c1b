/** All systems; add a new one here. */
import * as Effect from "effect/Effect"
import {
  COMMAND_LINE,
  type ConfigError,
  type Given,
  settingOf as named,
  settle as settleAmong,
  type Settled,
  type Specs
} from "../domain/settings/configure.ts"
import type { Raw, RunConfig } from "../domain/settings/RunConfig.ts"
import type { Fields } from "../domain/settings/setting.ts"
import { jmlr } from "./jmlr/jmlr.ts"
import { jomed } from "./jomed/jomed.ts"
import { mediphi } from "./mediphi/mediphi.ts"
import { stm } from "./stm/stm.ts"
import type { Mode, System } from "./System.ts"

/** The first is the default. */
const systems: readonly [System, ...ReadonlyArray<System>] = [jmlr, stm, mediphi, jomed]

/** The specs of all systems. */
export const specs = systems.map(({ spec }) => spec) as unknown as Specs

/** Decodes settings, see `configure.ts`. */
export const settle = (given: ReadonlyArray<Given>, main?: string): Effect.Effect<Settled, ConfigError> =>
  settleAmong(specs, given, main)

/** Decodes a file's settings with overrides. */
export const decode = (source: string, file: Raw, overrides: Raw = {}): Effect.Effect<RunConfig, ConfigError> =>
  Effect.map(
    settle([{ source, settings: file }, { source: COMMAND_LINE, settings: overrides }]),
    ({ config }) => config
  )

/** The setting that a key names, in any system. */
export const settingOf = (key: string): string | undefined =>
  specs.map((spec) => named(spec, key)).find((name) => name !== undefined)

/** The schema of the setting that a key names. */
export const fieldOf = (key: string): Fields[string] | undefined => {
  const name = settingOf(key)
  return name === undefined ? undefined : specs.find(({ fields }) => Object.hasOwn(fields, name))!.fields[name]
}

/** The system of decoded settings. */
export const systemOf = (c: RunConfig): System => systems.find(({ spec }) => spec.name === c.system)!

/** The mode of decoded settings. */
export const modeOf = (c: RunConfig): Mode => systemOf(c).mode(c)
