/** A PDF of pages of lines, in Helvetica. */

const escaped = (text: string): string => text.replaceAll(/[\\()]/g, (own) => `\\${own}`)

/** A page's lines, from the top; an empty line leaves room. */
const contentOf = (lines: ReadonlyArray<string>): string =>
  `BT /F1 12 Tf ${lines.map((line, i) => `1 0 0 1 72 ${720 - 14 * i} Tm (${escaped(line)}) Tj`).join(" ")} ET`

/** The file. */
export const pdfOf = (pages: ReadonlyArray<ReadonlyArray<string>>, title?: string): Uint8Array => {
  const kids = pages.map((_, i) => `${5 + 2 * i} 0 R`).join(" ")
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    `<< ${title === undefined ? "" : `/Title (${escaped(title)})`} >>`,
    ...pages.flatMap((lines, i) => {
      const content = contentOf(lines.map((line) => line))
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${
          6 + 2 * i
        } 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
        `<< /Length ${content.length} >>\nstream\n${content}\nendstream`
      ]
    })
  ]
  let text = "%PDF-1.4\n"
  const places = objects.map((object, i) => {
    const at = text.length
    text += `${i + 1} 0 obj\n${object}\nendobj\n`
    return at
  })
  const table = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("")
  const root = `<< /Size ${objects.length + 1} /Root 1 0 R /Info 4 0 R >>`
  return new TextEncoder().encode(
    `${text}xref\n0 ${
      objects.length + 1
    }\n0000000000 65535 f \n${table}trailer\n${root}\nstartxref\n${text.length}\n%%EOF`
  )
}
