/** What a report has to stand in a real browser. */
import { assert } from "@effect/vitest"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"

const { source: axe } = createRequire(import.meta.url)("axe-core") as { readonly source: string }

interface Violation {
  readonly id: string
  readonly impact: string
}

/** Opens the page; what it says to the console, or asks of a network, is collected. */
const opened = async (browser: Browser, path: string, width: number, colorScheme: "light" | "dark") => {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
  const page = await context.newPage()
  const said: Array<string> = []
  page.on("console", (message) => void said.push(message.text()))
  page.on("pageerror", (error) => void said.push(error.message))
  page.on("request", (request) => void (request.url().startsWith("file:") || said.push(request.url())))
  await page.goto(pathToFileURL(path).href)
  return { context, page, said }
}

const grave = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  const found = await page.evaluate(
    "axe.run().then(({ violations }) => violations.map(({ id, impact }) => ({ id, impact })))"
  )
  return (found as ReadonlyArray<Violation>).filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id }) => id)
}

const background = (page: Page) => page.evaluate("getComputedStyle(document.body).backgroundColor") as Promise<string>

/** The first question opens by keyboard alone, and shows passages as text. */
const checkQuestions = async (page: Page) => {
  assert.strictEqual(await page.locator(".question").count(), 6)
  await page.locator(".question > summary").first().focus()
  await page.keyboard.press("Enter")
  assert.include(await page.locator(".question .passages").first().innerText(), "</script>")
  assert.isAbove(await page.locator(".badge.gold").count(), 0)
  assert.isUndefined(await page.evaluate("globalThis.harmed"))
  await checkMatches(page)
  await page.locator("input[name=text]").fill("KINKY")
  assert.isBelow(await page.locator(".question").count(), 7)
  assert.match(await page.locator("#count").innerText(), /^\d of 6 questions fit/)
  await page.locator("input[name=text]").fill("no such words")
  assert.strictEqual(await page.locator(".question").count(), 0)
  await page.locator("input[name=text]").fill("")
  await page.locator("select[name=wrong]").selectOption("0")
  await page.locator("select[name=right]").selectOption("0")
  assert.strictEqual(await page.locator(".question").count(), 0, "no arm is both right and wrong")
}

/** A token of the query, reached by keys alone, lights up with its match in the passage. */
const checkMatches = async (page: Page) => {
  const matches = page.locator(".question .matches").first()
  await matches.locator("summary").focus()
  await page.keyboard.press("Enter")
  await page.keyboard.press("Tab")
  await page.keyboard.press("ArrowRight")
  const lit = matches.locator(".token.lit")
  assert.strictEqual(await lit.count(), 2)
  assert.strictEqual(await matches.locator(".tokens").first().locator(".lit").count(), 1)
  assert.match(await matches.locator("[role=status]").innerText(), / → .* \(-?\d\.\d\d\)$/)
}

/** What a visitor of this theme and width gets; returns the background. */
const checkVisit = async (browser: Browser, path: string, [theme, width]: readonly ["light" | "dark", number]) => {
  const { context, page, said } = await opened(browser, path, width, theme)
  await page.locator(".question > summary").first().click()
  await page.locator(".question .matches > summary").first().click()
  assert.isAtMost(await page.evaluate("document.documentElement.scrollWidth") as number, width, "scrolls sideways")
  if ((theme === "light") === (width === 390)) assert.deepStrictEqual(await grave(page), [], `${theme}, ${width}`)
  assert.deepStrictEqual(said, [])
  const colour = await background(page)
  await context.close()
  return colour
}

const visits = [["light", 390], ["dark", 390], ["light", 1280], ["dark", 1280]] as const

/** Checks both themes at two widths, then the switch of themes, and print. */
export const checkPage = async (browser: Browser, path: string): Promise<void> => {
  const colours = new Set(await Promise.all(visits.map((visit) => checkVisit(browser, path, visit))))
  assert.strictEqual(colours.size, 2, "two themes")
  const { context, page, said } = await opened(browser, path, 800, "light")
  await checkQuestions(page)
  const light = await background(page)
  await page.locator("input[value=dark]").check()
  assert.notStrictEqual(await background(page), light)
  await page.emulateMedia({ media: "print" })
  assert.strictEqual(await background(page), "rgb(255, 255, 255)")
  assert.isFalse(await page.locator(".filters").isVisible())
  assert.deepStrictEqual(said, [])
  await context.close()
}

/** Pictures as one visitor gets them. */
const checkDrawn = async (browser: Browser, path: string, [theme, width]: typeof visits[number]) => {
  const { context, page, said } = await opened(browser, path, width, theme)
  await page.locator(".question > summary").first().click()
  const drawn = await page.evaluate(
    "Promise.all([...document.querySelectorAll('.pictured img')].map((own) => own.decode().then(() => [own.naturalWidth, own.alt])))"
  ) as ReadonlyArray<readonly [number, string]>
  assert.isAbove(drawn.length, 2)
  for (const [pixels, alt] of drawn) assert.isTrue(pixels > 0 && alt.startsWith("Picture of "), alt)
  assert.isAtMost(await page.evaluate("document.documentElement.scrollWidth") as number, width, "scrolls sideways")
  const box = async (selector: string) => (await page.locator(selector).first().boundingBox())!
  const [asked, found] = [await box(".pictured .asked"), await box(".pictured .found")]
  if (width === 390) assert.isAtLeast(found.y, asked.y + asked.height, "below each other")
  else assert.isAtLeast(found.x, asked.x + asked.width, "beside each other")
  assert.deepStrictEqual(await grave(page), [], `${theme}, ${width}`)
  assert.deepStrictEqual(said, [])
  await context.close()
}

/** Checks pictures: all are drawn, beside or below each other, without a request to anywhere, and have words for those who see none. */
export const checkPictures = async (browser: Browser, path: string): Promise<void> => {
  await Promise.all(visits.map((visit) => checkDrawn(browser, path, visit)))
}
