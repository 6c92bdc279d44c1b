/** An encoder of pictures with that of texts into the same space, where there is one, as one set of parameters. */
import { type Params, zeros } from "../Module.ts"
import { type BertTextConfig, bertTextEncoder } from "./bertText.ts"
import { type TextEncoder, textEncoder, type TextTowerConfig } from "./textTower.ts"
import { type ImageEncoder, imageEncoder, type VisionConfig } from "./vision.ts"

/** The config of both encoders. */
export interface PictureModelConfig {
  readonly vision: VisionConfig
  readonly text?: TextTowerConfig | BertTextConfig
  /** What cosines were multiplied with in training, and added to them of SigLIP: no vector depends on it. */
  readonly scaled?: "clip" | "siglip"
}

/** Both encoders, which take the parameters of the whole. */
export interface PictureModel {
  readonly params: Params
  readonly image: ImageEncoder
  readonly text?: TextEncoder
}

const scales = { clip: { logit_scale: zeros() }, siglip: { logit_scale: zeros(1), logit_bias: zeros(1) } }

/** The encoders of a config. */
export const pictureModel = (c: PictureModelConfig): PictureModel => {
  const image = imageEncoder(c.vision)
  const text = c.text && (c.text.model_type === "bert" ? bertTextEncoder(c.text) : textEncoder(c.text))
  const params = { ...image.params, ...text?.params, ...(c.scaled ? scales[c.scaled] : {}) }
  return { params, image, ...(text ? { text } : {}) }
}
