/** A real browser: Debian's Chromium, where it is installed. */
import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const known = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** Path of the browser; `undefined` where there is none. */
export const browserPath = known.find((path) => path !== undefined && existsSync(path))

/** Starts the browser; root may not have its sandbox. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath!, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] })
