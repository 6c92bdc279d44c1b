/** The page's style and script, as they lie beside this module. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

const read = (url: URL): string => readFileSync(url, "utf8")

/** The style sheet: layout and colours of both themes, then questions and their pictures, then print. */
export const style = (): string =>
  [
    new URL("./assets/page.css", import.meta.url),
    new URL("./assets/questions.css", import.meta.url),
    new URL("./assets/pictures.css", import.meta.url),
    new URL("./assets/print.css", import.meta.url)
  ].map(read).join("\n")

/** The script: a theme switch, and the list of questions. */
export const script = (): string =>
  [
    new URL("./assets/theme.js", import.meta.url),
    new URL("./assets/questionView.js", import.meta.url),
    new URL("./assets/pictures.js", import.meta.url),
    new URL("./assets/matches.js", import.meta.url),
    new URL("./assets/questionList.js", import.meta.url)
  ].map(read).join("\n")

/** A source of a content security policy: this text and no other. */
export const sourceHash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
