"""Tiny random vision-language models as transformers saves them, and what it computes with them.

Writes readers/<name>/: the folder's own files, and expected.safetensors: pixels, ids (two pictures in the first sequence,
one in the second), logits, the likelihood of each next token, and the gradients of its mean for all but the tower; under
whole/ the ids of a text and of a chat with two files of pictures/, and of the chat the pixels, the logits and the tokens that are
generated greedily.
"""

import json
import shutil
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import (
    CLIPImageProcessor, CLIPVisionConfig, Gemma3TextConfig, GemmaConfig, Idefics3Config, Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor, Idefics3Processor, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, MistralConfig,
    PreTrainedTokenizerFast, Qwen2Config, SiglipImageProcessor, SiglipVisionConfig, SmolVLMConfig, SmolVLMForConditionalGeneration,
)

from architectures import EAGER, decoder_config, draw

HERE = Path(__file__).parent / "readers"
PICTURES = ["rgb.png", "wide.jpg"]
SPECIAL = ["<pad>", "<s>", "</s>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
           *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2, 3))]
V = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 12, "patch_size": 4}
SQUARE = {"size": {"height": 12, "width": 12}}
CROP = {"size": {"shortest_edge": 12}, "crop_size": {"height": 12, "width": 12}}
IMAGE = SPECIAL.index("<image>")
ORDERED = """{% for message in messages %}{{ message['role'] | upper + ':' }}{% for part in message['content'] %}{% if part['type'] == 'image' \
%}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}\
{% endif %}"""


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(["a bad cab\n\nabed: a dead bead, decade\nUSERASSISTANT:"] * 3,
                             trainers.BpeTrainer(vocab_size=48, special_tokens=SPECIAL, show_progress=False))
    made.add_special_tokens([AddedToken(one, normalized=False, special=True) for one in SPECIAL])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


FAST = tokenizer()
VOCABULARY = len(FAST)


def text_config(kind, **given):
    return decoder_config(kind, **{"vocab_size": VOCABULARY, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2, **given})


def llava(vision, text, **given):
    return LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, **given)


def idefics(kind, **given):
    return kind(vision_config={**V, "image_size": 16}, text_config=text_config(LlamaConfig), image_token_id=IMAGE, pad_token_id=0,
                scale_factor=2, **given)


GEMMA3 = {"head_dim": 8, "sliding_window": 64, "layer_types": ["sliding_attention", "full_attention"]}
CLIP = (CLIPImageProcessor(**CROP), {"patch_size": 4, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1})
SIGLIP = (SiglipImageProcessor(**SQUARE), {"patch_size": 4, "vision_feature_select_strategy": "full", "num_additional_image_tokens": 0})


def split(on):
    return (Idefics3ImageProcessor(size={"longest_edge": 32}, max_image_size={"longest_edge": 16}, do_image_splitting=on),
            {"image_seq_len": 4})


# Name: config, model, image processor and its processor's arguments, tokens of a picture.
MODELS = {
    "llava": (llava(CLIPVisionConfig(**V), text_config(LlamaConfig)), LlavaForConditionalGeneration, CLIP, 9),
    "llava-siglip": (llava(SiglipVisionConfig(**V), text_config(Qwen2Config, tie_word_embeddings=True), vision_feature_layer=-1,
                           vision_feature_select_strategy="full"), LlavaForConditionalGeneration, SIGLIP, 9),
    # Two layers of the tower, and the names that a model has in memory.
    "llava-layers": (llava(CLIPVisionConfig(**V), text_config(MistralConfig), vision_feature_layer=[-2, 1], projector_hidden_act="relu",
                           multimodal_projector_bias=False), LlavaForConditionalGeneration, CLIP, 9),
    "llava-gemma": (llava(CLIPVisionConfig(**V), text_config(GemmaConfig, head_dim=8, tie_word_embeddings=True)),
                    LlavaForConditionalGeneration, CLIP, 9),
    "llava-gemma3": (llava(SiglipVisionConfig(**V, vision_use_head=False), text_config(Gemma3TextConfig, **GEMMA3),
                           vision_feature_layer=-1, vision_feature_select_strategy="full"), LlavaForConditionalGeneration, SIGLIP, 9),
    "idefics3": (idefics(Idefics3Config), Idefics3ForConditionalGeneration, split(False), 4),
    "smolvlm": (idefics(SmolVLMConfig), SmolVLMForConditionalGeneration, split(True), 4),
}


def is_llava(name):
    return name.startswith("llava")


def run(name, model, count, generator):
    size = 12 if is_llava(name) else 16
    pixels = torch.randn((3, 3, size, size), generator=generator)
    ids = torch.randint(len(SPECIAL), VOCABULARY, (2, 2 * count + 8), generator=generator)
    ids[0, 3:3 + count] = ids[0, 5 + count:5 + 2 * count] = ids[1, 2:2 + count] = IMAGE
    given = pixels
    if not is_llava(name):
        # Sequences of fewer pictures are padded with pictures of zeros.
        given = torch.stack([pixels[:2], torch.stack([pixels[2], torch.zeros_like(pixels[2])])])
    logits = model(input_ids=ids, pixel_values=given).logits
    nll = cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1), reduction="none")
    nll.mean().backward()
    return {"pixels": pixels, "ids": ids.float(), "logits": logits.detach(), "nll": nll.detach().reshape(2, -1)}


PROMPT = "a<image>bead: \n<image>a bad decade"
MESSAGES = [{"role": "user", "content": [{"type": "text", "text": "abed"}, {"type": "image"}, {"type": "text", "text": " a cab: "},
                                         {"type": "image"}]}]
NEW = 8
NEAR = 1e-4


@torch.no_grad()
def whole(model, processor):
    """Of files of pictures and a text, from nothing but the folder."""
    opened = [Image.open(HERE.parent / "pictures" / one).convert("RGB") for one in PICTURES]
    plain = processor(images=opened, text=PROMPT, return_tensors="pt")["input_ids"]
    chat = processor.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    asked = processor(images=opened, text=chat, return_tensors="pt")
    logits = model(**asked).logits
    out = model.generate(**asked, max_new_tokens=NEW, do_sample=False, output_scores=True, return_dict_in_generate=True)
    for scores in out.scores:
        best = scores[0].topk(2).values
        assert best[0] - best[1] > NEAR, "two tokens are so near that float32 could order them otherwise"
    pixels, ids = asked["pixel_values"], asked["input_ids"]
    return {"whole/pixels": pixels.reshape(-1, *pixels.shape[-3:]).float(), "whole/plain": plain.float(), "whole/ids": ids.float(),
            "whole/logits": logits, "whole/written": out.sequences[:, ids.shape[1]:].float()}


def in_memory(folder):
    """The names that a model has in memory, which some hubs' files have."""
    names = {"language_model.model.": "model.language_model.", "language_model.lm_head.": "lm_head.", "vision_tower.": "model.vision_tower.",
             "multi_modal_projector.": "model.multi_modal_projector."}
    def renamed(name):
        return next(new + name[len(old):] for old, new in names.items() if name.startswith(old))
    tensors = {renamed(k): v for k, v in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def make(name, config, kind, pictures, count):
    generator = torch.Generator().manual_seed(len(name))
    folder = HERE / name
    model = draw(kind._from_config(config, **EAGER), generator)
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    image_processor, arguments = pictures
    how = LlavaProcessor if is_llava(name) else Idefics3Processor
    processor = how(image_processor, FAST, chat_template=ORDERED, **arguments)
    processor.save_pretrained(folder)
    expected = run(name, model, count, generator)
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None and ".vision_" not in n}
    expected |= whole(model, processor)
    expected |= {f"gradient/{n}": g.clone() for n, g in grads.items()}
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    if name == "llava-layers":
        in_memory(folder)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for name, how in MODELS.items():
        print(name)
        make(name, *how)


if __name__ == "__main__":
    main()
