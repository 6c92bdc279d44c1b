/** The pages of `npm run docs:api`: TypeDoc reads every docstring, follows every link, and has nothing to warn of. */
import { assert, it } from "@effect/vitest"
import { join } from "node:path"
import { root } from "../../scripts/entryPoints.ts"
import { node } from "../support/project.ts"

it("TypeDoc has nothing to warn of", async () => {
  const { code, out } = await node(root, join("scripts", "apiDocs", "write.ts"), "--check")
  assert.strictEqual(code, 0, out)
}, 120_000)
