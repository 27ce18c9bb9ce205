"""
What PyTorch and JAX do alike as contenders of devices.mjs: options, the model's parameters, tokens, the conversation with
the driver and the line of figures. device_step.mjs says the same in JavaScript.
"""

import argparse
import json
import math
import pathlib
import sys
import time

import numpy as np

EPSILON = 1e-5
ADAM = dict(rate=1e-3, beta1=0.9, beta2=0.95, epsilon=1e-8, decay=0.1, clip=1.0)

# Dense operations a second in bfloat16, as an H100 SXM and an H200 are sold.
PEAK = 989e12


def asked(description):
    """The command line, with the size looked up."""
    sizes = json.loads((pathlib.Path(__file__).parent / "devices.json").read_text())
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", choices=sizes, default="26m")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--recompute", action="store_true", help="compute layers again in the backward pass")
    parser.add_argument("--check", action="store_true", help="weights by formula, so that losses can be compared")
    parser.add_argument("--serve", action="store_true", help="take as many steps as each line of the input says")
    parser.add_argument("--mode", help="torch.compile's; none for eager")
    options = parser.parse_args()
    size = {"tiedEmbeddings": True, **sizes[options.size]}
    batch = options.batch or size["batch"]
    micro = options.micro_batch or min(batch, size.get("microBatch", batch))
    return options, dict(size, batch=batch, microBatch=micro, heads=size["width"] // size["headDim"])


def parameters(size):
    """Names, shapes [out, in] and standard deviations (None for norms), in the order of the data flow: MQA with CLA2."""
    width, dim, mlp, vocab = size["width"], size["headDim"], size["mlpWidth"], size["vocab"]
    std = math.sqrt(1 / (3 * width))
    residual = std / math.sqrt(2 * size["layers"])
    listed = [("embed", (vocab, width), std)]
    for layer in range(size["layers"]):
        own = [("attn.kv_norm", (width,), None), ("attn.k", (dim, width), std), ("attn.v", (dim, width), std)]
        inner = [
            ("attn.norm", (width,), None),
            ("attn.q", (width, width), std),
            *(own if layer % 2 == 0 else []),
            ("attn.o", (width, width), residual),
            ("mlp.norm", (width,), None),
            ("mlp.gate", (mlp, width), std),
            ("mlp.up", (mlp, width), std),
            ("mlp.down", (width, mlp), residual),
        ]
        listed += [(f"layers.{layer}.{name}", shape, deviation) for name, shape, deviation in inner]
    listed.append(("norm", (width,), None))
    return listed if size["tiedEmbeddings"] else [*listed, ("head", (vocab, width), std)]


def decays(name):
    """Weight decay is for matrices, not for norms and embeddings."""
    return not name.endswith("norm") and name not in ("embed", "head")


def initial(size, check, normal):
    """Weights by name: of `normal(shape, deviation)`, or by formula as NumPy arrays."""
    weights, start = {}, 0
    for name, shape, deviation in parameters(size):
        count = math.prod(shape)
        if deviation is None:
            weights[name] = np.ones(shape, np.float32)
        elif check:
            spread = (hashed(np.arange(start + 1, start + count + 1)) - 0.5) * deviation * math.sqrt(12)
            weights[name] = spread.astype(np.float32).reshape(shape)
        else:
            weights[name] = normal(shape, deviation)
        start += count
    return weights


def hashed(index):
    with np.errstate(over="ignore"):
        x = index.astype(np.uint32) * np.uint32(0x9E3779B1)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return (x ^ (x >> np.uint32(16))).astype(np.float64) / 2**32


def token_blocks(size):
    """Eight micro-batches [microBatch, context + 1], which steps take in turn."""
    shape = (size["microBatch"], size["context"] + 1)
    j = np.arange(math.prod(shape), dtype=np.int64)
    return [(((j + i) * 7919 + (j * j >> 3)) % size["vocab"]).astype(np.int32).reshape(shape) for i in range(8)]


def rotary(size):
    """cos and sin of every position's angles, each [context, headDim / 2]."""
    half = size["headDim"] // 2
    angle = np.outer(np.arange(size["context"]), 10000 ** (-np.arange(half) / half))
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def flops_per_token(size):
    """Of a training step: products of matrices, and attention to half of the context."""
    scored = "embed" if size["tiedEmbeddings"] else "head"
    products = sum(math.prod(shape) for name, shape, _ in parameters(size) if decays(name) or name == scored)
    return 3 * (2 * products + 4 * size["layers"] * size["width"] * size["context"] / 2)


def converse(began, contender, options, size, step, facts):
    """
    Takes steps and prints a line of figures. `step()` begins one and gives a function that waits for its loss, which is
    called when the next has begun; `facts()` gives what else is known at the end.
    """
    losses, times = [step()()], []
    first = time.perf_counter() - began

    def take(count):
        pending, mark = step(), time.perf_counter()
        for _ in range(count):
            following = step()
            losses.append(pending())
            pending = following
            times.append((time.perf_counter() - mark) * 1000)
            mark = time.perf_counter()
        losses.append(pending())

    if options.serve:
        print(json.dumps(dict(firstStepSeconds=first)), flush=True)
        for line in sys.stdin:
            take(int(line))
            print(json.dumps(dict(losses=losses[-1:])), flush=True)
    else:
        take(options.steps)
    ms = sorted(times)[len(times) // 2]
    rate = size["batch"] * size["context"] / ms * 1000
    line = dict(
        contender=contender,
        size=options.size,
        parameters=sum(math.prod(shape) for _, shape, _ in parameters(size)),
        batch=size["batch"],
        microBatch=size["microBatch"],
        recompute=options.recompute,
        precision=options.precision,
        steps=len(times),
        tokensPerSecond=round(rate),
        mfu=round(rate * flops_per_token(size) / PEAK, 4),
        msPerStep=round(ms, 3),
        firstStepSeconds=round(first, 2),
        losses=losses if options.check else [losses[0], losses[-1]],
    )
    print(json.dumps(dict(line, **facts())), flush=True)
