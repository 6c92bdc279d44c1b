/** Whether this Node is new enough, by the package's own word; modules that need a newer one fail in words of their own. */
import { createRequire } from "node:module"

const { engines } = createRequire(import.meta.url)("../../package.json") as {
  readonly engines: { readonly node: string }
}

const numbers = (version: string): ReadonlyArray<number> => version.replace(/^\D*/, "").split(".").map(Number)

/** What is wrong with Node `version` where `range` asks for one of at least its own; undefined where nothing is. */
export const refusal = (version: string = process.versions.node, range: string = engines.node): string | undefined => {
  const [have, need] = [numbers(version), numbers(range)]
  const first = need.findIndex((part, i) => part !== have[i])
  return first < 0 || have[first]! > need[first]!
    ? undefined
    : `Node ${version} is too old: ${need.join(".")} or later is needed`
}
