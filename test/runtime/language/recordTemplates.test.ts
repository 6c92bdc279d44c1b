/** Templates over records: Jinja as lm-evaluation-harness sets it. */
import { assert, describe, it } from "@effect/vitest"
import { recordTemplate, TemplateError } from "../../../src/runtime/language/templates/jinja/records.ts"

const record = {
  question: "What?",
  options: { A: "x", B: "it's" },
  listed: ["a\n", "b"],
  mentions: [{ text: "A b" }, { text: "C" }],
  three: 3,
  half: 2.5,
  nothing: null,
  name: "one, two"
}

describe("a template over a record", () => {
  it("is rendered as Jinja does, blanks and the last line feed kept", () => {
    const rendered: ReadonlyArray<readonly [string, string]> = [
      ["{{question}}\n", "What?\n"],
      ["{% for k, v in options.items() %}{{k}}. {{v}}\n{% endfor %}", "A. x\nB. it's\n"],
      ["a\n  {% if three %}\nb\n  {% endif %}", "a\n  \nb\n  "],
      ["{{listed}} {{options}}", "['a\\n', 'b'] {'A': 'x', 'B': \"it's\"}"],
      ["{{ options.keys()|list }}", "['A', 'B']"],
      ["{{ mentions|map(attribute='text')|join('; ') }}", "A b; C"],
      ["{{three + 1}} {{half}} {{nothing}}", "4 2.5 None"],
      ["{{ name|regex_replace('(\\\\w+), (\\\\w+)', '\\\\2 \\\\1') }}", "two one"],
      ["{% if other is defined %}y{% else %}n{% endif %}{{ other|default('d') }}", "nd"]
    ]
    for (const [template, text] of rendered) assert.strictEqual(recordTemplate(template).render(record), text, template)
  })
  it("fails at what the record lacks, and at what is not known here", () => {
    assert.throws(() => recordTemplate("{{other}}").render(record), TemplateError, /other, which the record lacks/)
    assert.throws(() => recordTemplate("{{options.C}}").render(record), TemplateError, /C, which the record lacks/)
    assert.throws(() => recordTemplate("{% if other %}{% endif %}").render(record), TemplateError)
    assert.throws(() => recordTemplate("{{question|other}}"), TemplateError, /the filter other/)
    assert.throws(
      () => recordTemplate("{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}").render({}),
      TemplateError
    )
    assert.throws(() => recordTemplate("{{"), TemplateError)
  })
})
