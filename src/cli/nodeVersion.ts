/** Checks that Node is new enough for the package, because modules that need a newer one fail with obscure errors. */
import { createRequire } from "node:module"

const { engines } = createRequire(import.meta.url)("../../package.json") as {
  readonly engines: { readonly node: string }
}

const numbers = (version: string): ReadonlyArray<number> => version.replace(/^\D*/, "").split(".").map(Number)

/** Why Node `version` does not satisfy `range` ("at least this version"); `undefined` if it does. */
export const refusal = (version: string = process.versions.node, range: string = engines.node): string | undefined => {
  const [have, need] = [numbers(version), numbers(range)]
  const first = need.findIndex((part, i) => part !== have[i])
  return first < 0 || have[first]! > need[first]!
    ? undefined
    : `Node ${version} is too old: ${need.join(".")} or later is needed`
}
