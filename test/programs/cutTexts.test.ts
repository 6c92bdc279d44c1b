/** Which of many texts are looked at. */
import { assert, it } from "@effect/vitest"
import { spread } from "../../src/programs/cutTexts.ts"

it("places that are looked at are different ones of those there are, whatever their number", () => {
  for (let places = 0; places < 20_000; places += places < 100 ? 1 : 37) {
    const found = spread(places, 2000)
    assert.strictEqual(found.length, Math.min(places, 2000))
    assert.isTrue(found.every((place, i) => place < places && (i === 0 || place > found[i - 1]!)), String(places))
  }
})
