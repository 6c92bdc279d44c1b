/** Plants a defect, before all else is loaded: in the file that ends in PLANT_FILE, what is PLANT_FROM becomes PLANT_TO. */
import { registerHooks } from "node:module"

const { PLANT_FILE: file, PLANT_FROM: from, PLANT_TO: to } = process.env as Readonly<Record<string, string>>

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context)
    if (!url.endsWith(file!)) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    if (source.split(from!).length !== 2) throw new Error(`${file} has no single ${from}`)
    return { ...loaded, source: source.replace(from!, () => to!) }
  }
})
