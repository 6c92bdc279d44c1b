/** What may be wrong with a folder of files: some are gone, elsewhere, one in place of another, or no files at all. */
import * as fc from "fast-check"
import { mkdirSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { fill } from "../kind.ts"

/** What has a name in a folder: a file's bytes, a folder, or a link that leads nowhere. Names are paths within it. */
export type Entry = Uint8Array | "folder" | "link"
export type Files = Readonly<Record<string, Entry>>

export type FolderEdit =
  | { readonly does: "remove" | "empty" | "folder" | "link"; readonly file: string }
  | { readonly does: "move" | "copy" | "exchange"; readonly file: string; readonly to: string }

/** One edit of these files, some of which become others of these names. */
export const folderEdits = (
  files: ReadonlyArray<string>,
  others: ReadonlyArray<string> = files
): fc.Arbitrary<FolderEdit> => {
  const file = fc.constantFrom(...files)
  return fc.oneof(
    fc.record({ does: fc.constantFrom("remove" as const, "empty", "folder", "link"), file }, { noNullPrototype: true }),
    fc.record({
      does: fc.constantFrom("move" as const, "copy", "exchange"),
      file,
      to: fc.constantFrom(...new Set([...files, ...others]))
    }, { noNullPrototype: true })
  )
}

/** What lies within a folder of the name, by what it is called in it. */
const within = (name: string) => ([path]: readonly [string, Entry]): boolean =>
  path === name || path.startsWith(`${name}/`)

/** Without what lies in something else than a folder. */
const possible = (files: Files): Files => {
  const closed = Object.entries(files).filter(([, entry]) => entry !== "folder").map(([name]) => `${name}/`)
  return Object.fromEntries(Object.entries(files).filter(([path]) => !closed.some((name) => path.startsWith(name))))
}

/** Files and whole folders can be removed, moved and copied; what is not there stays so. */
const after = (files: Files, edit: FolderEdit): Files => {
  const own = Object.entries(files).filter(within(edit.file))
  if (own.length === 0) return files
  const without = (...names: ReadonlyArray<string>) =>
    Object.entries(files).filter((entry) => !names.some((name) => within(name)(entry)))
  const named = (from: ReadonlyArray<readonly [string, Entry]>, before: string, name: string) =>
    from.map(([path, entry]) => [name + path.slice(before.length), entry] as const)
  switch (edit.does) {
    case "remove":
      return Object.fromEntries(without(edit.file))
    case "empty":
      return Object.fromEntries([...without(edit.file), [edit.file, new Uint8Array(0)]])
    case "folder":
    case "link":
      return Object.fromEntries([...without(edit.file), [edit.file, edit.does]])
    case "move":
    case "copy": {
      if (edit.to === edit.file) return files
      const rest = edit.does === "move" ? without(edit.file, edit.to) : without(edit.to)
      return Object.fromEntries([...rest, ...named(own, edit.file, edit.to)])
    }
    case "exchange": {
      const others = Object.entries(files).filter(within(edit.to))
      const moved = [...named(own, edit.file, edit.to), ...named(others, edit.to, edit.file)]
      return Object.fromEntries([...without(edit.file, edit.to), ...moved])
    }
  }
}

/** The files after all edits. */
export const moved = (files: Files, all: ReadonlyArray<FolderEdit>): Files =>
  all.reduce((own, edit) => possible(after(own, edit)), files)

/** Only what is a file. */
export const plainFiles = (files: Files): Readonly<Record<string, Uint8Array>> =>
  Object.fromEntries(
    Object.entries(files).filter((entry): entry is [string, Uint8Array] => typeof entry[1] !== "string")
  )

/** A folder with nothing but these. */
export const lay = (folder: string, files: Files): void => {
  fill(folder, plainFiles(files))
  for (const [name, entry] of Object.entries(files)) {
    const path = join(folder, name)
    if (entry === "folder") mkdirSync(path, { recursive: true })
    if (entry !== "link") continue
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync("../nowhere/at all", path)
  }
}
