/** What chat templates are refused for, by name; what they give is held against Python's in the fuzz of them. */
import { assert, describe, it } from "@effect/vitest"
import { render } from "../../../src/runtime/language/templates/jinja/render.ts"
import { compile } from "../../../src/runtime/language/templates/jinja/source.ts"

const rendered = (template: string): string =>
  render(compile(template), { tools: null, bos_token: "<s>" }, [
    { role: "user", content: "hi" }
  ])

describe("a template", () => {
  it("is rendered as Python renders it", () => {
    assert.strictEqual(rendered("{{ bos_token }}{{ tools }}{{ true }} {{ 1 ~ none }}"), "<s>NoneTrue 1None")
    assert.strictEqual(
      rendered("{{ '1' == 1 }}{{ none == eos_token }}{{ -7 % 3 }}{{ '\u{1f9ec}a' | length }}"),
      "FalseFalse22"
    )
    assert.strictEqual(
      rendered("{% for i in [1, 2] %}{{ x }}{% set x = i %}{% endfor %}|{{ 'xaxx'.strip('x') }}"),
      "|a"
    )
  })
  const refused = {
    "{{ messages | sort }}": "the filter sort is not supported here",
    "{{ 'a' | first }}": "the filter first of a string is not supported here",
    "{{ 1 is divisibleby }}": "the test divisibleby is not supported here",
    "{{ 'a'.zfill(3) }}": ".zfill of a string is not supported here",
    "{{ messages }}": "a list as a text is not supported here",
    "{{ lipsum }}": "lipsum is not supported here",
    "{{ eos_token + 'a' }}": "+ of what is not defined and a string is not supported here",
    "{% if false %}{{ 1 | nonsense }}{% endif %}": "the filter nonsense is not supported here",
    "{{ 1 < 2 < 3 }}": "a chain of comparisons is not supported here",
    "{{ ['a' 'b' 1] }}": "a list without commas is not supported here",
    "{% if true %}": "ends within a tag or a block",
    "{{ raise_exception('No.') }}": "No."
  }
  for (const [template, reason] of Object.entries(refused)) {
    it(`is refused: ${template}`, () => {
      assert.throws(() => rendered(template), reason)
    })
  }
})
