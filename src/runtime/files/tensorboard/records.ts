/** TFRecord files: a length, bytes, and masked CRC-32C sums of both (TensorFlow's record_writer). */

/** CRC-32C (Castagnoli), reflected: polynomial 0x1edc6f41. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** The CRC-32C of bytes (RFC 3720, B.4). */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!
  return (crc ^ 0xffffffff) >>> 0
}

/** The sum as a record has it: turned right by 15 bits, plus a constant. */
const masked = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Bytes of a record before and after its own. */
const [HEAD, TAIL] = [12, 4]

/** A record of some bytes. */
export const record = (bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(HEAD + bytes.length + TAIL)
  const view = new DataView(all.buffer)
  view.setBigUint64(0, BigInt(bytes.length), true)
  view.setUint32(8, masked(all.subarray(0, 8)), true)
  all.set(bytes, HEAD)
  view.setUint32(HEAD + bytes.length, masked(bytes), true)
  return all
}

/** The records of a file, and how many of its bytes they are: the rest is cut short or damaged. */
export interface Records {
  readonly records: ReadonlyArray<Uint8Array>
  readonly whole: number
}

/** Reads the records of a file up to the first that is not whole. */
export const read = (file: Uint8Array): Records => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const records: Array<Uint8Array> = []
  let at = 0
  while (at + HEAD + TAIL <= file.length) {
    const length = view.getBigUint64(at, true)
    const end = at + HEAD + Number(length)
    if (view.getUint32(at + 8, true) !== masked(file.subarray(at, at + 8)) || end + TAIL > file.length) break
    const own = file.subarray(at + HEAD, end)
    if (view.getUint32(end, true) !== masked(own)) break
    records.push(own)
    at = end + TAIL
  }
  return { records, whole: at }
}
