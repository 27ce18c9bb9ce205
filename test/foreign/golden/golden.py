"""A golden: logits of fixed tokens, and 64 greedy tokens by whole forward passes."""

import base64
import json
from pathlib import Path

import numpy as np
import torch

here = Path(__file__).parent
VOCAB, LENGTH, GREEDY = 300, 96, 64
tokens = [(i * i * 7 + 3 * i + 11) % VOCAB for i in range(LENGTH)]


def greedy(logits_of, least=5e-4):
    """A prompt, and what follows it by whole forward passes, without a cache; the first prompt that meets no near tie."""
    for start in range(LENGTH - 8):
        ids = tokens[start : start + 8]
        while len(ids) < 8 + GREEDY:
            top = torch.topk(logits_of(ids)[-1], 2)
            if top.values[0] - top.values[1] < least:
                break
            ids.append(int(top.indices[0]))
        else:
            return ids[:8], ids[8:]
    raise ValueError("ties everywhere")


def write(name, config, tensors, logits_of, **more):
    logits = logits_of(tokens).numpy()
    prompt, generated = greedy(logits_of)
    golden = dict(
        **more, config=config, tensors=tensors, tokens=tokens, prompt=prompt, greedy=generated,
        positions=list(range(7, LENGTH, 8)),
        logits=base64.b64encode(np.ascontiguousarray(logits[7::8].astype("<f4")).tobytes()).decode(),
    )
    (here / f"{name}.json").write_text(json.dumps(golden) + "\n")
    print(name, len(tensors), "tensors, logits up to", float(np.abs(logits).max()))
