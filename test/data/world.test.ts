import { assert, describe, it } from "@effect/vitest"
import { aliases, ambiguous, type Disease, loadDiseases, modes, values } from "../../data/facts.ts"
import { fillers } from "../../data/fillers.ts"
import { committed, seed, world } from "../../data/generate.ts"
import { overlap, type Passage } from "../../data/passages.ts"
import { type Question, splitOf, splits } from "../../data/questions.ts"
import { akin, contentStems, occurrences, related, words } from "../../data/text.ts"
import { type Facet, facets, subjects, wordings } from "../../data/wordings.ts"

const rows = <A>(name: string): ReadonlyArray<A> =>
  committed(name).trim().split("\n").map((line) => JSON.parse(line) as A)

const diseases = loadDiseases()
const byId = new Map(diseases.map((disease) => [disease.id, disease]))
const passages = rows<Passage>("passages.jsonl")
const texts = new Map(passages.map(({ _id, text }) => [_id, text]))
const bySplit = new Map(splits.map((split) => [split, rows<Question>(`questions.${split}.jsonl`)]))
const questions = [...bySplit.values()].flat()

const band = /^(?:(?:[1-9]|1\d|2[0-2]|[XY])[pq]\d\d(?:\.\d{1,2})?(?:-[pq]\d\d(?:\.\d{1,2})?)?|MT)$/
const genes = new Set(diseases.map(({ gene }) => gene))

/** The items that break a rule: an empty list, or the test names them. */
const none = <A>(items: ReadonlyArray<A>, breaks: (item: A) => boolean, label: (item: A) => string): void =>
  assert.deepStrictEqual(items.filter(breaks).map(label), [])

const repeated = (items: ReadonlyArray<string>): ReadonlyArray<string> =>
  items.filter((item, i) => items.indexOf(item) !== i)

const names = (disease: Disease): ReadonlyArray<string> => aliases(disease).map(({ text }) => text)

const wrong = ({ answer, options }: Question): ReadonlyArray<string> =>
  Object.entries(options).flatMap(([letter, text]) => letter === answer ? [] : [text])

const goldText = ({ gold }: Question): string => texts.get(gold[0]!) ?? ""

describe("facts table", () => {
  it("has at least 400 diseases, sorted by unique ids", () => {
    const ids = diseases.map(({ id }) => id)
    assert.isAtLeast(ids.length, 400)
    assert.deepStrictEqual(ids, [...new Set(ids)].sort())
    none(ids, (id) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id), String)
  })

  it("gives each disease a symbol, a band, a mode and three to five short findings", () => {
    const short = (finding: string): boolean => /^[\w :'-]+$/.test(finding) && finding.split(" ").length <= 6
    none(diseases, ({ gene }) => !/^[A-Z][A-Z0-9-]*(orf\d+)?$/.test(gene), ({ id }) => id)
    none(diseases, ({ chromosome }) => !band.test(chromosome), ({ id }) => id)
    none(
      diseases,
      ({ chromosome, inheritance }) => (chromosome === "MT") !== (inheritance === "mitochondrial"),
      ({ id }) => id
    )
    none(
      diseases,
      ({ chromosome, inheritance }) => chromosome.startsWith("X") !== (inheritance === "X-linked"),
      ({ id }) => id
    )
    none(diseases, ({ inheritance }) => !modes.includes(inheritance), ({ id }) => id)
    none(diseases, ({ findings }) => findings.length < 3 || findings.length > 5, ({ id }) => id)
    none(diseases, ({ findings }) => !findings.every(short) || repeated(findings).length > 0, ({ id }) => id)
  })

  it("has one band for each gene", () => {
    const bands = new Map(diseases.map(({ chromosome, gene }) => [gene, chromosome]))
    none(diseases, ({ chromosome, gene }) => bands.get(gene) !== chromosome, ({ id }) => id)
  })

  it("names four of five diseases twice and no two diseases alike", () => {
    assert.isAtLeast(diseases.filter(({ synonyms }) => synonyms.length > 0).length, diseases.length * 0.8)
    assert.deepStrictEqual([...ambiguous(diseases)], [])
  })

  it("has no alias that states a fact or stands within another alias of its disease", () => {
    const states = (alias: string): boolean =>
      alias.split(/[^A-Za-z0-9-]+/).some((word) => genes.has(word) || band.test(word)) ||
      /x-linked|autosomal|dominant|recessive|mitochondrial/i.test(alias)
    none(diseases, (d) => names(d).some(states), ({ id }) => id)
    none(diseases, (d) => names(d).some((a) => d.findings.some((f) => occurrences(a, f) > 0)), ({ id }) => id)
    none(diseases, (d) => names(d).some((a) => names(d).some((b) => a !== b && occurrences(b, a) > 0)), ({ id }) => id)
  })
})

describe("wordings", () => {
  const stated = (facet: Facet): ReadonlyArray<string> =>
    [wordings[facet].openings, wordings[facet].facts, wordings[facet].details, fillers, subjects].flat()
  const bare = (text: string): string => text.replaceAll(/\{[A-Z]\}/g, " ")

  it("ask with words that the passages of the facet do not use", () => {
    for (const facet of facets) {
      const stems = (texts: ReadonlyArray<string>): ReadonlySet<string> => contentStems(texts.map(bare).join(" "))
      const used = stems(stated(facet))
      const shared = Array.from(stems(wordings[facet].questions)).filter((stem) => used.has(stem))
      assert.deepStrictEqual(shared, [], facet)
    }
  })

  it("offer at least eight of each kind, with their slots", () => {
    for (const { facts, openings, questions } of Object.values(wordings)) {
      assert.isAtLeast(facts.length, 8)
      assert.isAtLeast(questions.length, 8)
      none(facts, (text) => !/\{S\}/.test(text) || text.split("{A}").length !== 2, String)
      none(openings, (text) => text.split("{D}").length !== 2, String)
      none(questions, (text) => text.split("{M}").length !== 2, String)
    }
  })

  it("keep to a vocabulary that a small model can learn", () => {
    const all = facets.flatMap((facet) => [...stated(facet), ...wordings[facet].questions])
    const size = new Set(all.flatMap((text) => words(bare(text)))).size
    assert.isTrue(size >= 600 && size <= 900, `${size} words`)
  })
})

describe("passages", () => {
  const facetOf = ({ _id }: Passage): Facet => _id.split("#")[1] as Facet
  const diseaseOf = ({ _id }: Passage): Disease => byId.get(_id.split("#")[0]!)!

  it("are five a disease, of 35 to 70 words", () => {
    const ids = diseases.flatMap(({ id }) => facets.map((facet) => `${id}#${facet}`))
    assert.deepStrictEqual(passages.map(({ _id }) => _id), ids)
    const long = ({ text }: Passage): number => text.split(" ").length
    none(passages, (p) => long(p) < 35 || long(p) > 70, ({ _id }) => _id)
  })

  it("state the answer of their facet exactly once", () => {
    const once = (p: Passage): boolean => values(diseaseOf(p), facetOf(p)).every((v) => occurrences(p.text, v) === 1)
    none(passages, (p) => !once(p), ({ _id }) => _id)
  })

  it("state a gene, a band or a mode in their own facet alone", () => {
    const tokens = (p: Passage): ReadonlyArray<string> =>
      p.text.split(/[^A-Za-z0-9.-]+/).map((t) => t.replace(/\.$/, ""))
    none(passages, (p) => facetOf(p) !== "gene" && tokens(p).some((t) => genes.has(t)), ({ _id }) => _id)
    none(passages, (p) => facetOf(p) !== "location" && tokens(p).some((t) => band.test(t)), ({ _id }) => _id)
    none(
      passages,
      (p) => facetOf(p) !== "inheritance" && modes.some((m) => occurrences(p.text, m) > 0),
      ({ _id }) => _id
    )
  })

  it("state the findings in their own facet alone", () => {
    const states = (p: Passage): boolean => diseaseOf(p).findings.some((finding) => occurrences(p.text, finding) > 0)
    none(passages, (p) => facetOf(p) !== "findings" && states(p), ({ _id }) => _id)
  })

  it("call the disease by one alias or two", () => {
    const called = (p: Passage): number => names(diseaseOf(p)).filter((alias) => occurrences(p.text, alias) > 0).length
    const other = passages.filter((p) => facetOf(p) !== "names")
    none(other, (p) => ![1, 2].includes(called(p)), ({ _id }) => _id)
    const double = other.filter((p) => called(p) === 2).length / other.length
    assert.isTrue(double > 0.4 && double < 0.6, `${double} with two`)
  })
})

describe("questions", () => {
  it("have unique ids, a gold passage that exists and their mention in them", () => {
    assert.deepStrictEqual(repeated(questions.map(({ id }) => id)), [])
    none(questions, (q) => !texts.has(q.gold[0]!) || q.gold[0] !== `${q.group}#${q.type}`, ({ id }) => id)
    none(questions, ({ mention, question }) => occurrences(question, mention) === 0, ({ id }) => id)
    none(questions, (q) => q.mention_in_gold !== overlap(q.mention, goldText(q)), ({ id }) => id)
  })

  it("mention one disease by an alias of its own", () => {
    const shared = ambiguous(diseases)
    const fits = ({ group, mention, mention_kind }: Question): boolean =>
      aliases(byId.get(group)!).some(({ kind, text }) => kind === mention_kind && text === mention)
    none(questions, (q) => !fits(q) || shared.has(q.mention.toLowerCase()), ({ id }) => id)
  })

  it("have their answer, and no other option, in the gold passage", () => {
    none(questions, (q) => occurrences(goldText(q), q.options[q.answer]) !== 1, ({ id }) => id)
    none(questions, (q) => wrong(q).some((text) => occurrences(goldText(q), text) > 0), ({ id }) => id)
  })

  it("have four options of which one is right", () => {
    const right = ({ group, type }: Question): ReadonlyArray<string> => values(byId.get(group)!, type)
    none(questions, (q) => new Set(Object.values(q.options).map((o) => o.toLowerCase())).size !== 4, ({ id }) => id)
    none(questions, (q) => !right(q).includes(q.options[q.answer]), ({ id }) => id)
    none(questions, (q) => wrong(q).some((text) => right(q).includes(text)), ({ id }) => id)
    const inheritance = questions.filter(({ type }) => type === "inheritance")
    none(inheritance, (q) => !modes.every((mode) => Object.values(q.options).includes(mode)), ({ id }) => id)
  })

  it("do not give their answer away", () => {
    const telling = ({ answer, mention, options, type }: Question): boolean =>
      occurrences(mention, options[answer]) > 0 ||
      (type === "names" && Object.values(options).some((text) => akin(text, mention))) ||
      (type === "findings" && Object.values(options).some((text) => related(text, mention)))
    none(questions, telling, ({ id }) => id)
  })

  it("have wrong findings unlike every finding of the disease", () => {
    const like = (q: Question): boolean =>
      wrong(q).some((text) => byId.get(q.group)!.findings.some((finding) => related(finding, text)))
    none(questions.filter(({ type }) => type === "findings"), like, ({ id }) => id)
  })

  it("put the answer at every letter alike", () => {
    for (const letter of ["A", "B", "C", "D"]) {
      const share = questions.filter(({ answer }) => answer === letter).length / questions.length
      assert.isTrue(share > 0.23 && share < 0.27, `${letter}: ${share}`)
    }
  })
})

describe("splits", () => {
  const groups = new Map([...bySplit].map(([split, asked]) => [split, new Set(asked.map(({ group }) => group))]))

  it("share no disease", () => {
    assert.deepStrictEqual(repeated(Array.from(groups.values()).flatMap((ids) => Array.from(ids))), [])
    for (const [split, ids] of groups) none([...ids], (id) => splitOf(seed, id) !== split, String)
  })

  it("hold about 70, 10 and 20 of a hundred diseases", () => {
    const share = splits.map((split) => groups.get(split)!.size / diseases.length)
    for (const [i, expected] of [0.7, 0.1, 0.2].entries()) assert.closeTo(share[i]!, expected, 0.03)
  })
})

describe("generator", () => {
  it("writes the committed files", () => {
    none([...world(diseases)], ([name, text]) => committed(name) !== text, ([name]) => name)
  })

  it("writes the passages of a disease from its own row alone", () => {
    const [first, ...others] = diseases
    const edited = world([{ ...first!, gene: "EDITED1" }, ...others]).get("passages.jsonl")!.split("\n")
    const before = committed("passages.jsonl").split("\n")
    const changed = before.flatMap((line, i) => line === edited[i] ? [] : [i])
    assert.deepStrictEqual(changed, [facets.indexOf("gene")])
  })
})
