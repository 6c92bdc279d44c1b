/** The alphabet of byte-level tokenizers: each byte as a printable character. */

const isPlain = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

/** Printable bytes map to themselves, the others in order to characters from U+0100 on. */
const characters: ReadonlyArray<string> = (() => {
  let others = 0
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPlain(byte) ? byte : 0x100 + others++))
})()

export const byteAlphabet: ReadonlyArray<string> = characters

const byteOf = new Map(characters.map((character, byte) => [character, byte]))

const fromUnits = (text: string): string => {
  let out = ""
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) {
      out += characters[unit]!
      continue
    }
    const code = text.codePointAt(i)!
    if (code < 0x800) out += characters[0xc0 | code >> 6]!
    else {
      if (code < 0x10000) out += characters[0xe0 | code >> 12]!
      else {
        out += characters[0xf0 | code >> 18]! + characters[0x80 | code >> 12 & 0x3f]!
        i++
      }
      out += characters[0x80 | code >> 6 & 0x3f]!
    }
    out += characters[0x80 | code & 0x3f]!
  }
  return out
}

/** The UTF-8 bytes of a text, one character each. */
export const toByteCharacters = (text: string): string => /^[!-~]*$/.test(text) ? text : fromUnits(text)

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Decodes byte characters to text; invalid UTF-8 becomes U+FFFD. */
export const fromByteCharacters = (tokens: ReadonlyArray<string>): string => {
  const bytes: Array<number> = []
  for (const token of tokens) {
    const own = Array.from(token, (character) => byteOf.get(character))
    if (own.every((byte) => byte !== undefined)) { for (const byte of own) bytes.push(byte) }
    else for (const byte of encoder.encode(token)) bytes.push(byte)
  }
  return decoder.decode(Uint8Array.from(bytes))
}

/** The byte-fallback token of a byte. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`

/** The UTF-8 bytes of a text as byte-fallback tokens. */
export const byteTokens = (text: string): ReadonlyArray<string> => Array.from(encoder.encode(text), byteToken)

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Decodes bytes to text; if they are not valid UTF-8, each byte becomes U+FFFD. */
export const textOf = (bytes: ReadonlyArray<number>): ReadonlyArray<string> => {
  try {
    return [strict.decode(Uint8Array.from(bytes))]
  } catch {
    return bytes.map(() => "\ufffd")
  }
}
