"""
Judges exported folders by the real transformers: python judge.py <folder of cases>. A case is a folder `<name>` as
`crosslayer export` wrote it and `<name>.json` with what crosslayer computes. Prints a JSON object of findings a case, a line
each; they are judged by transformers.test.ts.

Seen with torch 2.15.0 and transformers 5.24.0, 5.3.0 and 4.57.3.
"""

import base64
import json
import sys
import traceback
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, StaticCache

torch.set_num_threads(1)
CACHE = "cache" if int(transformers.__version__.split(".")[0]) >= 5 and hasattr(
    transformers.modeling_outputs.CausalLMOutputWithPast, "cache"
) else "past_key_values"


def floats(text):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype="<f4").copy())


def cached_bytes(cache):
    """Bytes of everything that a cache holds."""
    tensors = [t for layer in cache.layers for t in (layer.keys, layer.values) if torch.is_tensor(t)]
    return sum(t.numel() * t.element_size() for t in tensors), len(tensors)


def worst(a, b):
    return float((a.float() - b.float()).detach().abs().max())


def stepwise(model, ids, cache, pieces):
    """Logits of a text that comes in pieces."""
    found, at = [], 0
    for size in pieces:
        out = model(ids[:, at : at + size], use_cache=True, **{CACHE: cache})
        found.append(out.logits)
        at += size
    return torch.cat(found, dim=1)


def judge(folder, expected):
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    ids = torch.tensor([expected["tokens"]])
    logits = floats(expected["logits"]).view(1, ids.shape[1], -1)
    full = model(ids, use_cache=False).logits
    findings = dict(type=model.config.model_type, full=worst(full, logits))

    cache = DynamicCache()
    pieces = [3, 1, 2] + [1] * (ids.shape[1] - 6)
    findings["cached"] = worst(stepwise(model, ids, cache, pieces), logits)
    findings["bytes"], findings["tensors"] = cached_bytes(cache)
    configured = DynamicCache(config=model.config)
    stepwise(model, ids, configured, [ids.shape[1]])
    findings["configuredBytes"] = cached_bytes(configured)[0]
    static = StaticCache(config=model.config, max_cache_len=ids.shape[1] + 5)
    findings["static"] = worst(stepwise(model, ids, static, pieces), logits)
    findings["staticBytes"] = cached_bytes(static)[0] // (ids.shape[1] + 5) * ids.shape[1]

    prompt = ids[:, : expected["prompt"]]
    count = len(expected["greedy"])
    how = dict(max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0)
    written = model.generate(prompt, attention_mask=torch.ones_like(prompt), **how)
    findings["greedy"] = written[0, prompt.shape[1] :].tolist()
    uncached = model.generate(prompt, attention_mask=torch.ones_like(prompt), use_cache=False, **how)
    findings["uncached"] = uncached[0, prompt.shape[1] :].tolist()
    # The same behind padding, beside a longer prompt, and by beams.
    longer = torch.cat([prompt, prompt], dim=1)[:, : prompt.shape[1] + 2]
    batch = torch.cat([torch.nn.functional.pad(prompt, (2, 0)), longer])
    mask = torch.ones_like(batch)
    mask[0, :2] = 0
    padded = model.generate(batch, attention_mask=mask, **how)
    findings["padded"] = padded[0, batch.shape[1] :].tolist()
    findings["beams"] = len(model.generate(prompt, attention_mask=torch.ones_like(prompt), num_beams=2, **how)[0]) - prompt.shape[1]

    if "text" in expected:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
        findings["ids"] = tokenizer(expected["text"]).input_ids
        inputs = tokenizer(expected["text"], return_tensors="pt")
        findings["fed"] = model.generate(**inputs, max_new_tokens=1, do_sample=False)[0, :-1].tolist()
        findings["back"] = tokenizer.decode(findings["ids"], skip_special_tokens=True)
    findings["loaded"] = loaded_whole(model, folder)
    if model.config.model_type == "crosslayer":
        findings["eager"] = worst(
            AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, attn_implementation="eager").eval()(ids).logits, logits
        )
        findings["checkpointing"] = checkpointing(model, ids)
    return findings


def loaded_whole(model, folder):
    """Whether the model has just the tensors of the folder, bit by bit, beside a head that is the embeddings."""
    before = {k: v for path in sorted(Path(folder).glob("*.safetensors")) for k, v in load_file(path).items()}
    after = model.state_dict()
    return all(torch.equal(before[name], after[name]) for name in before) and all(
        name in before or name == "lm_head.weight" for name in after
    )


def checkpointing(model, ids):
    """The largest difference of a gradient with and without gradient checkpointing, over the largest gradient."""

    def gradients():
        model.zero_grad()
        model(ids, labels=ids, use_cache=False).loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    model.train()
    plain = gradients()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
    again = gradients()
    model.gradient_checkpointing_disable()
    model.eval()
    return max(worst(plain[name], again[name]) / float(plain[name].abs().max()) for name in plain)


for path in sorted(Path(sys.argv[1]).glob("*.json")):
    try:
        found = judge(path.with_suffix(""), json.loads(path.read_text()))
    except Exception as error:  # noqa: BLE001
        found = dict(error="".join(traceback.format_exception(error))[-2000:])
    print(json.dumps(dict(name=path.stem, version=transformers.__version__, **found)), flush=True)
