/** What a program that has a model write needs: a server of ours behind an endpoint, files, and nothing else. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { defaults, layer } from "../../src/runtime/language/endpoint/endpoint.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import type { Writer } from "../../src/runtime/ports/Writer.ts"
import * as Server from "./endpoint.ts"
import { folderOf } from "./files.ts"
import { warned } from "./warnings.ts"

/** A folder with files, a server, and programs with an endpoint there; each has a writer of its own. */
export const setting = Effect.fnUntraced(function*(mind: Server.Mind, files: Readonly<Record<string, string>>) {
  const server = yield* Server.start(mind)
  const folder = yield* folderOf(files)
  const writer = layer({ ...defaults, base_url: server.base, model: "small", cache: join(folder, "answers"), pause: 1 })
  const around = Layer.mergeAll(
    NodeFileSystem.layer,
    Reporter.silent,
    ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
  )
  const within = Layer.provideMerge(writer, around)
  const text = (name: string): string => readFileSync(join(folder, name), "utf8")
  return {
    server,
    folder,
    path: (name: string) => join(folder, name),
    text,
    lines: (name: string) =>
      text(name).split("\n").filter((line) => line !== "").map((line) =>
        JSON.parse(line) as Readonly<Record<string, any>>
      ),
    run: <A, E>(program: Effect.Effect<A, E, FileSystem | Writer | Reporter.Reporter>) =>
      warned(program).pipe(Effect.provide(within, { local: true }))
  }
})
/** What tests get. */
export type Setting = Effect.Success<ReturnType<typeof setting>>

/** The last message of a request. */
export const asked = ({ body }: Server.Seen): string => body.messages.at(-1)!.content
