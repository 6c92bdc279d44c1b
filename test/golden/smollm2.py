"""SmolLM2-135M-Instruct in GGUF (Q4_1), as transformers dequantises and runs it: smollm2.safetensors.

    python smollm2.py FILE      ids of a chat; at each of them, every 64th logit, and the greatest; the ids it goes on with
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

file = Path(sys.argv[1])
net = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
net.eval()
# <|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n under the file's chat template
IDS = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198, 1, 4093,
       198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
ids = torch.tensor([IDS])
with torch.no_grad():
    logits = net(ids).logits[0]
    written = net.generate(ids, max_new_tokens=24, do_sample=False)[0, len(IDS):]
save_file({"ids": ids.float(), "logits": logits[:, ::64].contiguous(), "best": logits.argmax(-1).float(),
           "written": written.float()}, Path(__file__).parent / "smollm2.safetensors")
print(written.tolist())
