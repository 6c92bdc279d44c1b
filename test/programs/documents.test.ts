/** Documents to passages: what is read of each kind, what is left out, and what is refused. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { read } from "../../src/datasets/documents/read.ts"
import { type DocumentOptions, importDocuments } from "../../src/programs/documents/importDocuments.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { folderOf } from "../support/files.ts"
import { pdfOf } from "../support/pdf.ts"

const usual: Omit<DocumentOptions, "out"> = {
  by: "headings",
  size: 64,
  overlap: 0,
  tokenizer: undefined,
  near: 0.8,
  skip: false
}
type Line = Readonly<Record<string, unknown>> & { readonly id: string; readonly text: string }

const inFolder = <A, E>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Effect.Effect<A, E, any>
) =>
  Effect.gen(function*() {
    const folder = yield* folderOf({})
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    return yield* use(folder)
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, silent))) as Effect.Effect<A, E>

const imported = (files: Readonly<Record<string, string | Uint8Array>>, options: Partial<DocumentOptions> = {}) =>
  inFolder(
    { "in/.hidden": "", ...Object.fromEntries(Object.entries(files).map(([name, own]) => [`in/${name}`, own])) },
    (folder) =>
      Effect.gen(function*() {
        const out = join(folder, "out.jsonl")
        const told = yield* importDocuments([join(folder, "in")], { ...usual, out, ...options })
        const lines = readFileSync(out, "utf8").split("\n").filter((line) => line !== "").map((line) =>
          JSON.parse(line) as Line
        )
        return { told, lines }
      })
  )
const problem = (files: Readonly<Record<string, string | Uint8Array>>, options: Partial<DocumentOptions> = {}) =>
  Effect.map(Effect.flip(imported(files, options)), (error) => (error as Error).message)

const long = (own: string) => Array.from({ length: 40 }, (_, i) => `${own}${i}`).join(" ")

describe("a document", () => {
  it.effect("in HTML is its text in blocks, without scripts, with its tables", () =>
    Effect.gen(function*() {
      const page = `<html><head><title>Wilson &amp; copper</title><style>p{}</style></head><body><nav>Home</nav>
<h1>Wilson disease</h1><p>Copper   builds up.<br>In the <b>liver</b>.</p>
<h2>Treatment</h2><table><tr><th>Drug</th><th>Dose</th></tr><tr><td>Zinc</td><td>50 mg</td></tr></table><script>x<y</script>
<pre>a
  b</pre><img alt="a picture"></body></html>`
      const { lines, told } = yield* imported({ "a.html": page })
      assert.deepStrictEqual(lines.map(({ line, text, title }) => [title, text, line]), [
        ["Wilson & copper: Wilson disease", "Copper builds up.\nIn the liver.", 2],
        ["Wilson & copper: Wilson disease: Treatment", "Drug | Dose\nZinc | 50 mg\n\na\nb\n\na picture", 3]
      ])
      assert.deepStrictEqual(told.counts, { "navigation left out": 1 })
    }))
  it.effect("in Markdown is its text without marks, under its title", () =>
    Effect.gen(function*() {
      const { lines, told } = yield* imported({
        "a.md":
          "---\ntitle: \"Genes\"\n---\n\n## ATP7B\n\nA *gene* of [copper](x).\n\n- one\n- two\n\n<b>no</b>\n\n```\ncode\n```\n"
      })
      assert.deepStrictEqual(lines.map(({ line, text, title }) => [title, text, line]), [
        ["Genes: ATP7B", "A gene of copper.\n\none\n\ntwo\n\nno\n\ncode", 7]
      ])
      assert.deepStrictEqual(told.counts, {})
    }))
  it.effect("in PDF has paragraphs and pages; running titles are left out and cut words joined", () =>
    Effect.gen(function*() {
      const page = (i: number, ...lines: ReadonlyArray<string>) => ["Journal of Copper", "", ...lines, "", `Page ${i}`]
      const file = pdfOf([
        page(1, "Wilson disease is inher-", "ited (always)."),
        page(2, "The eye shows it.", "", "", "Zinc treats it."),
        page(3, "The end.")
      ], "Copper")
      const { lines, told } = yield* imported({ "a.pdf": file, "scan.pdf": pdfOf([[]]) }, { by: "tokens", size: 6 })
      assert.deepStrictEqual(lines.map(({ page, text, title }) => [title, text, page]), [
        ["Copper", "Wilson disease is inherited (always).", 1],
        ["Copper", "The eye shows it.", 2],
        ["Copper", "Zinc treats it.\n\nThe end.", 2]
      ])
      assert.deepStrictEqual(told.empty, ["scan.pdf"])
      assert.deepStrictEqual(told.counts, {
        "running titles left out": 6,
        "words joined that were cut at the end of a line": 1,
        "pages without text": 1
      })
    }))
  it.effect("is decoded as the page says, or refused", () =>
    inFolder({
      "latin.html": Uint8Array.from([...new TextEncoder().encode("<meta charset=iso-8859-1><p>caf"), 0xe9]),
      "wrong.html": Uint8Array.from([0x3c, 0x70, 0x3e, 0xe9]),
      "what.html": "<meta charset=klingon><p>a",
      "wrong.txt": Uint8Array.from([0x61, 0xff]),
      "deep.html": "<div>".repeat(60_000),
      "deep.md": "> ".repeat(20_000),
      "cut.pdf": pdfOf([["a"]]).subarray(0, 300),
      "no.pdf": "no pdf"
    }, (folder) =>
      Effect.gen(function*() {
        const of = (name: string) => read(join(folder, name))
        const why = (name: string) => Effect.map(Effect.flip(of(name)), (error) => error.reason)
        assert.strictEqual((yield* of("latin.html")).text, "café")
        assert.strictEqual(yield* why("wrong.html"), "is not utf-8")
        assert.strictEqual(yield* why("what.html"), "its encoding klingon is not known")
        assert.strictEqual(yield* why("wrong.txt"), "is not UTF-8")
        assert.strictEqual(yield* why("deep.html"), "its parts are nested too deeply")
        assert.strictEqual(yield* why("deep.md"), "its parts are nested too deeply")
        assert.strictEqual(yield* why("no.pdf"), "is no PDF, or is damaged")
        assert.strictEqual(yield* why("cut.pdf"), "is no PDF, or is damaged")
      })))
})

describe("passages of documents", () => {
  it.effect("are there once, and counted where they are again, or almost", () =>
    Effect.gen(function*() {
      const files = { "a.txt": long("w"), "b.txt": long("W"), "c.txt": `${long("w")} more`, "d.txt": long("v") }
      const { lines, told } = yield* imported(files)
      assert.deepStrictEqual(lines.map(({ source }) => source), ["a.txt", "d.txt"])
      assert.deepStrictEqual([told.repeated, told.near_duplicates], [1, 1])
      const { lines: kept } = yield* imported(files, { near: 1 })
      assert.deepStrictEqual(kept.map(({ source }) => source), ["a.txt", "c.txt", "d.txt"])
    }))
  it.effect("keep their ids when text is added elsewhere, and are told apart where texts are equal", () =>
    Effect.gen(function*() {
      const ids = (text: string) =>
        Effect.map(
          imported({ "sub/a.txt": text, "b.txt": "b" }, { size: 2 }),
          ({ lines }) => lines.filter(({ source }) => source === "sub/a.txt").map(({ id }) => id)
        )
      const before = yield* ids("One two. Three four.")
      const after = yield* ids("New text. One two. Three four.")
      assert.deepStrictEqual(after.slice(1), before)
      assert.match(before[0]!, /^sub\/a\.txt#[0-9a-f]{12}$/)
    }))
  it.effect("are refused before anything is written", () =>
    Effect.gen(function*() {
      assert.match(yield* problem({ "a.csv": "a" }), /no document in it/)
      assert.match(
        yield* problem({ "a.txt": "a" }, { size: 4, overlap: 4 }),
        /--chunk-overlap \(4\) has to be below --chunk-size \(4\)/
      )
      assert.match(yield* problem({ "a.txt": "a" }, { near: 0 }), /--near-duplicate \(0\) is a share/)
      assert.match(yield* problem({ "a.txt": "a", "b.pdf": "x" }), /b\.pdf: is no PDF, or is damaged/)
    }))
  it.effect("leave out a link to nothing where the others may be, and are refused else", () =>
    inFolder({ "in/a.txt": "a" }, (folder) =>
      Effect.gen(function*() {
        symlinkSync("gone.txt", join(folder, "in", "b.txt"))
        const run = (skip: boolean) =>
          importDocuments([join(folder, "in")], { ...usual, out: join(folder, "out"), skip })
        assert.match((yield* Effect.flip(run(false))).message, /b\.txt: there is no such file/)
        const { passages, unreadable } = yield* run(true)
        assert.deepStrictEqual([passages, unreadable.length], [1, 1])
      })))
  it.effect("are those of the files that can be read, where the others may be left out", () =>
    Effect.gen(function*() {
      const { lines, told } = yield* imported({ "a.txt": "a", "b.pdf": "x", "c.csv": "" }, { skip: true })
      assert.deepStrictEqual(lines.map(({ text }) => text), ["a"])
      assert.match(told.unreadable.join(), /b\.pdf: is no PDF, or is damaged/)
      assert.deepStrictEqual([told.documents, told.other_files], [1, { ".csv": 1 }])
    }))
})
