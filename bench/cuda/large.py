"""The programs of `large.ts` in PyTorch: a line of JSON each, of the medians of several steps.

    python3 bench/cuda/large.py OUT KIND PART...        KIND: float32 (TF32), bfloat16, bfloat16-compiled

With WAIT=FOLDER it makes FOLDER/PART.ready once it is warm, and measures when there is FOLDER/PART.go: compiling takes
minutes of all cores, and nothing else is measured meanwhile.
"""
import json, os, sys, time, torch
from torch.nn import functional as F
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from peft import LoraConfig, get_peft_model

out, kind, parts = sys.argv[1], sys.argv[2], sys.argv[3:]
half, compiled = "bfloat16" in kind, "compiled" in kind
torch.backends.cuda.matmul.allow_tf32 = True
torch.set_float32_matmul_precision("high")
torch.manual_seed(0)
PASSAGES, PASSAGE, QUERY, TEXT, PREDICTED = 7, 256, 32, 2048, 16
ROWS, PROMPT, NEW = 8, 512, 64


def reader():
    config = LlamaConfig(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32,
                         num_key_value_heads=4, vocab_size=32000, max_position_embeddings=4096, attn_implementation="sdpa")
    with torch.device("cuda"):
        model = LlamaForCausalLM(config)
    return model.to(torch.bfloat16) if half else model


def adapted():
    maps = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(reader(), LoraConfig(r=128, lora_alpha=256, lora_dropout=0.0, target_modules=maps, task_type="CAUSAL_LM"))
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()
    return model.train()


def likelihoods(model, ids):
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=PREDICTED + 1).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, -PREDICTED:].flatten(), reduction="none")


class Retriever(torch.nn.Module):
    def __init__(self):
        super().__init__()
        config = BertConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="sdpa")
        self.bert, self.linear = BertModel(config, add_pooling_layer=False), torch.nn.Linear(768, 128, bias=False)

    def vectors(self, ids):
        return F.normalize(self.linear(self.bert(input_ids=ids).last_hidden_state), dim=-1)

    def forward(self, query, docs):
        q, d = self.vectors(query), self.vectors(docs)
        scores = torch.einsum("qd,pld->pql", q[0], d).amax(-1).sum(-1)
        return -F.log_softmax(scores.float(), -1)[0]


def timed(name, step, learn, runs=8):
    torch.cuda.reset_peak_memory_stats()
    began = time.time()
    for _ in range(3):
        step()
    first = time.time() - began
    folder = os.environ.get("WAIT")
    if folder:
        open(f"{folder}/{name}.ready", "w").close()
        while not os.path.exists(f"{folder}/{name}.go"):
            time.sleep(0.05)
    times = []
    for _ in range(runs):
        torch.cuda.synchronize()
        began = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - began))
    line = json.dumps({"torch": kind, "part": name, "ms": sorted(times)[runs // 2], "first": first, "parameters": learn,
                       "peakMiB": torch.cuda.max_memory_allocated() / 2**20})
    print(line, flush=True)
    open(out, "a").write(line + "\n")


def learning(model, loss):
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
            value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        return value.item()
    return step, sum(p.numel() for p in weights)


def writing():
    model, ids = reader().eval(), torch.randint(5, 32000, (ROWS, PROMPT), device="cuda")

    def generate(tokens):
        torch.cuda.synchronize()
        began = time.perf_counter()
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=tokens,
                           max_new_tokens=tokens, pad_token_id=0)
        torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - began)
    generate(NEW)
    torch.cuda.reset_peak_memory_stats()
    first, whole = min(generate(1) for _ in range(2)), min(generate(NEW) for _ in range(2))
    ms = (whole - first) / (NEW - 1)
    line = json.dumps({"torch": kind, "part": "write", "ms": ms, "first": first, "tokensPerSecond": 1e3 * ROWS / ms,
                       "peakMiB": torch.cuda.max_memory_allocated() / 2**20})
    print(line, flush=True)
    open(out, "a").write(line + "\n")


for part in parts:
    if part == "write":
        writing()
        continue
    if part == "reader":
        model = adapted()
        run, ids = (torch.compile(model) if compiled else model), torch.randint(5, 32000, (1, TEXT), device="cuda")
        step, count = learning(model, lambda: likelihoods(run, ids).mean())
    elif part == "retriever":
        model = Retriever().cuda().train()
        run = torch.compile(model) if compiled else model
        query, docs = (torch.randint(5, 30522, shape, device="cuda") for shape in ((1, QUERY), (PASSAGES, PASSAGE)))
        step, count = learning(model, lambda: run(query, docs))
    else:
        model = reader().eval()
        run, ids, count = (torch.compile(model) if compiled else model), torch.randint(5, 32000, (PASSAGES, 320), device="cuda"), 0

        def step():
            with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
                return likelihoods(run, ids).sum().item()
    timed(part, step, count)
    del model, run, step
    torch.cuda.empty_cache()
