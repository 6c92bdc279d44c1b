/** MedQuAD's XML documents. */
import * as fc from "fast-check"
import { join } from "node:path"
import { type Document, read } from "../../../src/datasets/medquad/xml.ts"
import { after, type Damage, damages, type LineEdit, lineEdits, rewritten } from "../edits/damage.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded } from "../readings/json.ts"
import { type Element, rootOf } from "../readings/xml.ts"

const page = `<?xml version="1.0" encoding="UTF-8"?>
<Document id="7" source="GHR" url="https://example.org">
<!-- a comment -->
<Focus>Gaucher disease &amp; co.</Focus>
<FocusAnnotations><UMLS><CUIs><CUI>C1</CUI></CUIs></UMLS>
<Synonyms><Synonym>one</Synonym><Synonym>two</Synonym></Synonyms></FocusAnnotations>
<QAPairs>
<QAPair pid="1"><Question qid="q1" qtype="information">What is it ?</Question>
<Answer>It is <![CDATA[<b> & more]]> &#233;.</Answer></QAPair>
<QAPair pid="2"><Question qid="q2" qtype="symptoms">What are its signs?</Question><Answer></Answer></QAPair>
<QAPair pid="3"><Question qid="q3" qtype="outlook">And then?</Question><Answer>It is <![CDATA[<b> & more]]> é.</Answer></QAPair>
</QAPairs>
</Document>
`

const texts = [
  "<!DOCTYPE Document [<!ENTITY a \"haha\"><!ENTITY b \"&a;&a;&a;\">]>",
  "&b;",
  "&amp;",
  "&#0;",
  "&#xD800;",
  "&#x1F600;",
  "<Focus>Another</Focus>",
  "<Answer>Again</Answer>",
  "</Answer>",
  "<![CDATA[",
  "]]>",
  "<!--",
  "-->",
  "<?php ?>",
  "<QAPair pid=\"1\"><Question>Q</Question><Answer>A</Answer></QAPair>",
  "<QAPair><Question>Q</Question><Answer>A</Answer></QAPair>",
  "<QAPair pid=\"9\"><Answer>A</Answer></QAPair>",
  "<a b=\"1\" b=\"2\"/>",
  "<deep>".repeat(1100),
  `${"<d>".repeat(900)}x${"</d>".repeat(900)}`,
  "x".repeat(100_000),
  "<Synonym>three</Synonym>"
]

type Case = { readonly lines: ReadonlyArray<LineEdit> } | { readonly damages: ReadonlyArray<Damage> }

const bytesOf = (c: Case): Uint8Array => {
  const bytes = new TextEncoder().encode("lines" in c ? rewritten(page, c.lines) : page)
  return "damages" in c ? after(bytes, c.damages) : bytes
}

const named = (element: Element, ...names: ReadonlyArray<string>): ReadonlyArray<Element> =>
  element.children.flatMap((child) =>
    typeof child === "string" ? [] : names.includes(child.name.toLowerCase()) ? [child] : named(child, ...names)
  )
const content = (element: Element): string =>
  element.children.map((child) => typeof child === "string" ? child : content(child)).join("")
const plain = (element: Element | undefined): string => element ? content(element).replaceAll(/\s+/g, " ").trim() : ""
const firstOf = (element: Element, ...names: ReadonlyArray<string>): string =>
  named(element, ...names).map(plain).find((text) => text !== "") ?? ""

/** The document that the root is of; `undefined` where it is none, or has an answer without a question or a pid. */
const own = (root: Element): Document | undefined => {
  if (named(root, "focus", "doctitle-focus").length === 0) return undefined
  const focus = firstOf(root, "focus", "doctitle-focus")
  const answered = named(root, "qapair", "pair").map((pair) => ({
    pid: pair.attributes["pid"],
    question: firstOf(pair, "question"),
    type: named(pair, "question")[0]?.attributes["qtype"] ?? "",
    answer: firstOf(pair, "answer")
  })).filter(({ answer }) => answer !== "")
  if (answered.some(({ pid, question }) => !pid || question === "")) return undefined
  const pairs = answered.map(({ answer, pid, question, type }) => ({
    id: `1/x#${pid}`,
    type,
    question: question.replace(/( \?)+$/, "?"),
    answer,
    gold: `1/x#${answered.find((other) => other.answer === answer)!.pid}`
  }))
  return {
    id: "1/x",
    source: root.attributes["source"] ?? root.attributes["corpus"] ?? "",
    focus,
    synonyms: named(root, "synonym").map(plain).filter((text) => text !== ""),
    disease: firstOf(root, "cui") || focus.toLowerCase() || "1/x",
    pairs
  }
}

export default kind<Case>({
  cases: fc.oneof(
    lineEdits(14, texts).map((lines): Case => ({ lines })),
    damages.map((damages): Case => ({ damages }))
  ),
  judge: async (c, folder) => {
    const bytes = bytesOf(c)
    fill(folder, { "x.xml": bytes })
    const path = join(folder, "x.xml")
    const outcome = await attempt(read(path, "1/x"))
    const text = decoded(bytes)
    const root = text === undefined ? undefined : rootOf(text)
    const expected = root && own(root)
    if (outcome._tag === "Refused") {
      if (expected) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, path)
    }
    if (expected === undefined) throw new Fault("read, where the file is bad")
    expectSame(outcome.value, expected, "the document")
    return Buffer.compare(bytes, bytesOf({ damages: [] })) === 0 ? "same" : "changed"
  }
})
