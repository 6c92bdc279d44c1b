/** A report as one page of HTML that needs nothing else: style, script, pictures and data are in it. */
import type { Report } from "../../programs/reporting/collect.ts"
import { MARK, type ReportFile } from "../../programs/reporting/files.ts"
import { script, sourceHash, style } from "./assets.ts"
import { type Chart, chartsOf } from "./charts.ts"
import { type Html, html, json, trusted } from "./html.ts"
import { type Lead, lead } from "./lead.ts"
import { count } from "./numbers.ts"
import { originTables, sourceOf } from "./origins.ts"
import { shownOf } from "./questions.ts"
import { chartHtml } from "./svg.ts"
import { csv, type Table, tableHtml } from "./table.ts"
import { averaged, resultTables } from "./tables.ts"

/** What stands at the top and at the bottom of every report. */
const USE = "For research use; not medical advice."

const top = (title: string, { headline, sentences }: Lead): Html =>
  html`<header>
<div class="top"><p class="kicker">Anamnesis report: ${title}</p>
<fieldset class="theme" hidden><legend>Theme</legend>
${
    ["system", "light", "dark"].map((theme) =>
      html`<label><input type="radio" name="theme" value="${theme}"${
        theme === "system" && html` checked`
      }> ${theme}</label> `
    )
  }</fieldset></div>
<h1>${headline}</h1>
${sentences.map((sentence) => html`<p class="answer">${sentence}</p>\n`)}
<p class="use">${USE}</p>
</header>
`

const unknownHtml = ({ unknown }: Lead): Html | false =>
  section("unknown", "What cannot be told", [html`<ul>${unknown.map((text) => html`<li>${text}</li>\n`)}</ul>`])

const section = (id: string, title: string, parts: ReadonlyArray<Html>): Html | false =>
  parts.length > 0 && html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>\n${parts}</section>\n`

const checks = [
  ["inconsistent", "answered now right, now wrong: under other seeds, or asked for the same in other words"],
  ["unsupported", "answered without a gold passage among those read"]
] as const

const armChoice = (name: string, label: string, { arms }: Report): Html =>
  html`<label>${label} <select name="${name}"><option value="">(no filter)</option>${
    arms.map(({ name }, i) => html`<option value="${i}">${name}</option>`)
  }</select></label>
`

/** The form that filters questions, and the list that the script fills. */
const questionsHtml = (report: Report, source: string): Html => {
  const { options, questions, shown, texts } = report
  const left = [
    shown.length < questions &&
    `${count(shown.length)} of ${
      count(questions)
    } questions are in this page, at even distances (--max-questions ${options.maxQuestions}).`,
    texts.passages.size === 0 && "Texts of passages are not in this page.",
    "Passages are cut at 800 characters; of each ranking, the first places are here, and all of them in the files beside the page.",
    report.matches.length === 0
      ? "Matches of single tokens are left out: --matches N loads the retrievers for them."
      : `Matches of single tokens are here for the first ${options.matches} questions of ${
        report.matches.map(({ arm, seed }) => `${arm}, seed ${seed}`).join("; ")
      }.`,
    report.pictures.left > 0 &&
    `${count(report.pictures.left)} pictures are left out, as those before them take all of ${
      count(report.options.pictures)
    } bytes (--picture-bytes).`,
    report.influences.length === 0
    && "How each passage changed the right answer's likelihood is left out: evaluations keep it with passage_influence: true."
  ]
  return html`<p>${left.map((text) => text && `${text} `)}</p>
<form class="filters" role="search" aria-label="Filter questions">
<label class="search">Search in questions, answers and passages <input type="search" name="text" autocomplete="off"></label>
${armChoice("wrong", "Wrong in", report)}${
    armChoice("right", "Right in", report)
  }<label>Type <select name="type"><option value="">(no filter)</option></select></label>
${checks.map(([name, label]) => html`<label class="check"><input type="checkbox" name="${name}"> ${label}</label>\n`)}
<p class="hint">An arm counts as right, or as wrong, if it is so under each of its seeds.</p>
</form>
<noscript><p>The list of questions needs JavaScript; the files beside this page have all rankings.</p></noscript>
<p id="count" role="status"></p>
<div id="list"></div>
<p><button type="button" id="more" hidden>Show more</button></p>
<p class="source">${source}</p>`
}

/** A page, and the files beside it. */
export interface Page {
  readonly html: string
  readonly files: ReadonlyArray<ReportFile>
}

const fileOf = (name: string, value: unknown): ReportFile => ({ name, text: `${JSON.stringify(value, null, 2)}\n` })

const filesOf = (tables: ReadonlyArray<Table>, charts: ReadonlyArray<Chart>): ReadonlyArray<ReportFile> => [
  ...tables.flatMap((table) => [
    { name: `tables/${table.id}.csv`, text: csv(table) },
    fileOf(`tables/${table.id}.json`, { title: table.title, about: table.about, rows: table.rows })
  ]),
  ...charts.map(({ about, id, spec, title }) => fileOf(`charts/${id}.vl.json`, { ...spec, title, description: about }))
]

/** All parts in the order of the page. */
const body = async (report: Report) => {
  const source = sourceOf(report)
  const [results, origins] = [resultTables(report), originTables(report)]
  const charts = chartsOf(report, results, averaged(report))
  const drawn = (own: ReadonlyArray<Chart>) => Promise.all(own.map((chart) => chartHtml(chart, source)))
  const tables = (own: ReadonlyArray<Table>) =>
    own.filter(({ columns }) => columns.length > 0).map((one) => tableHtml(one, source))
  const grid = (parts: ReadonlyArray<Html>) => parts.length === 0 ? [] : [html`<div class="charts">${parts}</div>\n`]
  return {
    files: filesOf([...results, ...origins], [...charts.results, ...charts.training]),
    parts: [
      section("results", "Results", [...grid(await drawn(charts.results)), ...tables(results)]),
      section("training", "Training", grid(await drawn(charts.training))),
      section("cost-and-origin", "Cost and origin", tables(origins)),
      section("questions", "Questions", report.shown.length === 0 ? [] : [questionsHtml(report, source)])
    ]
  }
}

/** The page of a report; `beside` is the name of the folder of its files. */
export const pageOf = async (report: Report, beside: string): Promise<Page> => {
  const title = report.arms.map(({ name }) => name).join(", ")
  const words = lead(report)
  const { files, parts } = await body(report)
  const [css, js] = [style(), script()]
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src ${
    sourceHash(js)
  }; base-uri 'none'; form-action 'none'`
  const page = html`<!doctype html>
<html lang="en" data-theme="system">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
${trusted(MARK)}
<meta name="color-scheme" content="light dark">
<title>Anamnesis report: ${title}</title>
<style>${trusted(css)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
${top(title, words)}<main id="main" tabindex="-1">
${words.unknown.length > 0 && unknownHtml(words)}${parts}</main>
<footer><p>Tables as CSV and JSON, charts as Vega-Lite specs and rankings for trec_eval lie beside this page, in ${beside}. ${USE}</p></footer>
<script type="application/json" id="data">${json(shownOf(report))}</script>
<script>${trusted(js)}</script>
</body>
</html>
`
  return { html: page.text, files }
}
