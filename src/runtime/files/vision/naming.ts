/** Names of tensors in checkpoints of encoders of pictures, as our parameters have them; those that no vector depends on. */
import type { VisionFamily } from "../../../kernels/nn/pictures/vision.ts"
import type { Naming } from "../weights.ts"

/** Buffers, heads for other tasks, and tokens of pretraining. */
const beside: Readonly<Record<VisionFamily, RegExp>> = {
  clip_vision_model: /\.position_ids$/,
  siglip_vision_model: /\.position_ids$/,
  vit: /^(classifier|decoder)\.|^embeddings\.mask_token$/,
  dinov2: /^classifier\.|^embeddings\.mask_token$/,
  timm_vit: /^text\.transformer\.(pooler\.|embeddings\.(position|token_type)_ids$)/
}
const roots: Readonly<Record<VisionFamily, RegExp>> = {
  clip_vision_model:
    /^(clip|model)\.(?=vision_model\.|text_model\.|visual_projection\.|text_projection\.|logit_scale$)/,
  siglip_vision_model: /^(siglip|model)\.(?=vision_model\.|text_model\.|logit_(scale|bias)$)/,
  vit: /^(vit|model)\./,
  dinov2: /^(dinov2|model)\./,
  timm_vit: /^module\./
}

/**
 * Names with or without the model's prefix, and of bare towers without `vision_model.`. The class token's vector does without
 * ViT's pooler.
 */
export const ofPictureModel =
  (family: VisionFamily, { pooler = false }: { readonly pooler?: boolean | undefined } = {}): Naming => (stored) => {
    const name = stored.replace(roots[family], "")
    if (beside[family].test(name) || (family === "vit" && !pooler && name.startsWith("pooler."))) return undefined
    const bare = family.endsWith("_vision_model") &&
      /^(embeddings|encoder|pre_layrnorm|post_layernorm|head)\./.test(name)
    return bare ? `vision_model.${name}` : name
  }
