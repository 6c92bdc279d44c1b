/** Pictures as pixels: 8 bits a channel, red, green, blue and perhaps alpha. */

/** A picture of at least one pixel. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** 3 for RGB, 4 for RGB and alpha. */
  readonly channels: 3 | 4
  /** [height, width, channels], row by row from the top left. */
  readonly data: Uint8Array
}

/** A width and a height in pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** What becomes of alpha: it is left out, or the picture is laid on white. */
export type Alpha = "drop" | "white"

/** A colour over white: Pillow's `alpha_composite` on an opaque white background, in its integer arithmetic. */
const onWhite = (colour: number, alpha: number): number => {
  const sum = colour * alpha * 128 + 255 * (255 - alpha) * 128 + 128 * 128
  return Math.floor((Math.floor(sum / 256) + sum) / 256) >> 7
}

/** The picture in RGB. */
export const opaque = (picture: Picture, alpha: Alpha): Picture => {
  if (picture.channels === 3) return picture
  const { data, height, width } = picture
  const out = new Uint8Array(width * height * 3)
  for (let at = 0; at < width * height; at++) {
    const a = data[at * 4 + 3]!
    for (let c = 0; c < 3; c++) {
      const colour = data[at * 4 + c]!
      out[at * 3 + c] = alpha === "white" ? onWhite(colour, a) : colour
    }
  }
  return { width, height, channels: 3, data: out }
}

/** Three equal channels of gray [height, width]. */
export const ofGray = ({ height, width }: Size, gray: Uint8Array): Picture => {
  const data = new Uint8Array(width * height * 3)
  for (let at = 0; at < data.length; at++) data[at] = gray[Math.floor(at / 3)]!
  return { width, height, channels: 3, data }
}
