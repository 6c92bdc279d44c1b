/** Draws charts as SVG, when the report is made: they need no script to be seen. */
import type { Chart } from "./charts.ts"
import { type Html, html, trusted } from "./html.ts"
import { themed } from "./palette.ts"

/** Vega's tag of a picture, and the attributes of it that are kept. */
const head = /^[\s\S]*?<svg\b[^>]*?\bviewBox="([\d.\s-]+)"[^>]*>/

/** The inside of an SVG, and its view box. */
const inside = (svg: string) => {
  const [tag, box] = head.exec(svg) ?? ["", "0 0 1 1"]
  return { box: box!, inner: silenced(svg.slice(tag.length).replace(/<\/svg>\s*$/, "")) }
}

/** Without roles and labels of single marks: the picture as a whole has a title and a description. */
const silenced = (svg: string): string =>
  svg.replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/ (?:role|aria-[a-z]+)="[^"]*"/g, ""))

/** A chart drawn as an SVG of its own, without a file to load. */
const draw = async ({ spec }: Chart): Promise<string> => {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")])
  const logger = vega.logger(vega.None)
  const view = new vega.View(vega.parse(compile(spec as any, { logger }).spec), { renderer: "none", logger })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

/** A chart as a figure of the page: a picture with a title and a description, and where it comes from. */
export const chartHtml = async (chart: Chart, source: string): Promise<Html> => {
  const { box, inner } = inside(themed(await draw(chart)))
  const [title, described] = [`${chart.id}-title`, `${chart.id}-desc`]
  const width = Math.ceil(Number(box.split(/\s+/)[2]))
  return html`<figure class="chart" id="${chart.id}">
<figcaption><h3>${chart.title}</h3><p>${chart.about}</p></figcaption>
<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="${title} ${described}" viewBox="${box}" width="${width}">
<title id="${title}">${chart.title}</title><desc id="${described}">${chart.described}</desc>
${trusted(inner)}</svg>
<p class="source">${source}</p>
</figure>
`
}
