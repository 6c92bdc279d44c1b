"""Texts as token ids, late interaction, the answer's likelihood and the LLM-Rank loss, written from their formulas."""

import string

import torch
from torch.nn import functional as F

RETRIEVER_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
READER_SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


def ids_of(vocabulary, words):
    return [vocabulary.index(word) for word in words]


def encode_query(encoder, vocabulary, text, most):
    """[CLS] [Q] words [SEP] and [MASK]s up to the length: nobody attends to the masks, but their vectors count."""
    tokens = ["[CLS]", "[unused0]", *text.split()[: most - 3], "[SEP]"]
    attended = torch.arange(most) < len(tokens)
    tokens += ["[MASK]"] * (most - len(tokens))
    return encoder(torch.tensor(ids_of(vocabulary, tokens)), attended)


def encode_passage(encoder, vocabulary, text, most):
    """[CLS] [D] words [SEP]; the vectors of punctuation are left out."""
    tokens = ["[CLS]", "[unused1]", *text.split()[: most - 3], "[SEP]"]
    vectors = encoder(torch.tensor(ids_of(vocabulary, tokens)), torch.ones(len(tokens), dtype=torch.bool))
    return vectors[[i for i, token in enumerate(tokens) if token not in string.punctuation]]


def max_sim(query, passage):
    return (query @ passage.T).max(dim=1).values.sum()


def scaled(scores):
    """2 u - 1, u the score's place between the least and the greatest; u = 1/2 where they are equal."""
    low, high = scores.min(), scores.max()
    return torch.zeros_like(scores) if high == low else 2 * (scores - low) / (high - low) - 1


def llm_rank(scores, selected, likelihoods, ties="skip", mean="pairs"):
    """RankNet over the selected passages, whose mean token losses of the answer are `likelihoods`."""
    s = scaled(scores)
    m = len(selected)
    total, pairs = torch.zeros(()), 0
    for a in range(m):
        for b in range(a + 1, m):
            pairs += 1
            if likelihoods[a] == likelihoods[b] and ties == "skip":
                continue
            y = 1.0 if likelihoods[b] - likelihoods[a] > 0 else 0.0
            x = s[selected[a]] - s[selected[b]]
            total = total - y * F.logsigmoid(x) - (1 - y) * F.logsigmoid(-x)
    return total / (pairs + (1 if mean == "pairs_plus_one" else 0))


def prompt(vocabulary, settings, texts, question, answer):
    """Ids of the passages, the question and the answer, and how many of them are the answer's."""
    head = ["<s>"]
    for text in texts:
        head += settings["document_prompt"].replace("{text}", text).split()
    head += settings["question_prompt"].replace("{question}", question).split()
    tail = [*settings["answer_prompt"].replace("{answer}", answer).split(), "</s>"]
    return torch.tensor(ids_of(vocabulary, head + tail)), len(tail)


def token_losses(reader, ids):
    """Cross-entropy of each token but the first, given those before it."""
    logp = F.log_softmax(reader(ids)[:-1], dim=-1)
    return -logp[torch.arange(len(ids) - 1), ids[1:]]


def answer_loss(reader, vocabulary, settings, texts, question, answer):
    ids, length = prompt(vocabulary, settings, texts, question, answer)
    return token_losses(reader, ids)[-length:].mean()
