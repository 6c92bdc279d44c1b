/** Weights of modules beside a model, each in a folder of its own: a parameter "2_Dense.x" is "x" in `2_Dense/`. */
import { basename, dirname } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Stored, Tensor, Tensors } from "../../ports/Checkpoints.ts"

const beside = /^(\d+_[^./]+)\.(.+)$/

/** The folder of a parameter's weights within a model's, "" for that itself, and its name there. */
export const placeOf = (path: string): { readonly folder: string; readonly name: string } => {
  const [, folder = "", name = path] = beside.exec(path) ?? []
  return { folder, name }
}

/** The weights by file: those of the model itself first, then those of each module. */
export const byFile = (weights: Tensors): ReadonlyMap<string, Tensors> => {
  const files = new Map<string, Map<string, Tensor>>([[modelFiles.weights, new Map()]])
  for (const [path, tensor] of weights) {
    const { folder, name } = placeOf(path)
    const file = folder === "" ? modelFiles.weights : `${folder}/${modelFiles.weights}`
    if (!files.has(file)) files.set(file, new Map())
    files.get(file)!.set(name, tensor)
  }
  return files
}

/** The files of modules among those of a part, which is a folder. */
export const filesOf = (part: string, files: ReadonlyArray<string>): ReadonlyArray<string> =>
  files.filter((file) =>
    file.startsWith(`${part}/`) && file.endsWith(`/${modelFiles.weights}`) && file.split("/").length === 3
  )

/** A module's tensors under the names of parameters. */
export const within = (file: string, stored: Stored): Stored => {
  const prefix = `${basename(dirname(file))}.`
  return {
    ...stored,
    names: stored.names.map((name) => prefix + name),
    read: (name) => stored.read(name.slice(prefix.length))
  }
}

/** The tensors of a model and of the modules beside it. */
export const together = (own: Stored, modules: ReadonlyArray<Stored>): Stored => ({
  ...own,
  names: [own, ...modules].flatMap(({ names }) => names),
  read: (name) => (modules.find(({ names }) => names.includes(name)) ?? own).read(name)
})
