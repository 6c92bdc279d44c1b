/**
 * Colours of charts: of the palette of Okabe and Ito (2008), which the colour-blind can tell apart, darkened until each stands
 * out from white by 3 to 1. In the page, each becomes a variable of the style sheet, which has other shades for dark themes.
 */

/** The colours of arms, in their order; beyond them, shapes tell arms apart. */
export const palette: ReadonlyArray<string> = ["#0072b2", "#c44e00", "#007a5a", "#a2447a", "#8a6300", "#555555"]

const [INK, MUTED, LINE] = ["#24292f", "#59636e", "#d8dee4"]

/** Vega's config: one font, quiet lines, no background. */
export const paint = {
  background: null,
  font: "system-ui, sans-serif",
  aria: false,
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    titleFontWeight: "normal",
    gridColor: LINE,
    domainColor: MUTED,
    tickColor: MUTED,
    labelFontSize: 11,
    titleFontSize: 11
  },
  legend: {
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 11,
    symbolOpacity: 1,
    symbolBaseFillColor: MUTED,
    symbolBaseStrokeColor: MUTED,
    layout: { bottom: { direction: "vertical", anchor: "start" } }
  },
  rule: { color: INK }
} as const

/** Colours by the variables that stand for them. */
const variables: ReadonlyMap<string, string> = new Map([
  ...palette.map((colour, i) => [colour, `--arm-${i + 1}`] as const),
  [INK, "--ink"],
  [MUTED, "--muted"],
  ["#6b7280", "--muted"],
  [LINE, "--line"]
])

/** Attributes of colour in an SVG. */
const coloured = /\b(fill|stroke)="(#[0-9a-f]{6})"/g

/** An SVG whose colours follow the page's theme. */
export const themed = (svg: string): string =>
  svg.replace(coloured, (attribute, name: string, colour: string) => {
    const variable = variables.get(colour)
    return variable === undefined ? attribute : `${name}="var(${variable})"`
  })
