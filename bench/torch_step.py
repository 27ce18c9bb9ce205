"""
Training steps by PyTorch: the model of ../src written plainly, torch.optim.AdamW (foreach) and clip_grad_norm_. Attention
is scaled_dot_product_attention. With --compile the model and its loss go through torch.compile.
With --serve it prints "ready <parameters>" and answers every line "step" with JSON: ms, cpuMs (of all threads), loss
and the peak memory rssMB. Without, it takes three steps. Sizes, initial weights and tokens are those of workload.mjs.
"""

import argparse
import json
import math
import pathlib
import resource
import sys
import time

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F
except ModuleNotFoundError as missing:
    print(f"not installed: {missing.name}", file=sys.stderr)
    sys.exit(3)

EPSILON = 1e-5


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def rotate(x, cos, sin):
    """x [B, heads, T, D]"""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Layer(nn.Module):
    """Its modules stand in the order of the data flow, which is the order of the initial weights."""

    def __init__(self, size, owns):
        super().__init__()
        width, heads, groups, dim = size["width"], size["heads"], size["kvHeads"], size["headDim"]
        self.heads, self.groups, self.dim = heads, groups, dim
        self.norm, self.q = nn.RMSNorm(width, EPSILON), linear(width, heads * dim)
        if owns:
            self.kv_norm, self.k, self.v = nn.RMSNorm(width, EPSILON), linear(width, groups * dim), linear(width, groups * dim)
        self.o = linear(heads * dim, width)
        self.mlp_norm = nn.RMSNorm(width, EPSILON)
        self.gate, self.up = linear(width, size["mlpWidth"]), linear(width, size["mlpWidth"])
        self.down = linear(size["mlpWidth"], width)

    def keys_values(self, x, cos, sin):
        normed = self.kv_norm(x)
        batch, length, _ = x.shape
        k = self.k(normed).view(batch, length, self.groups, self.dim).transpose(1, 2)
        v = self.v(normed).view(batch, length, self.groups, self.dim).transpose(1, 2)
        return rotate(k, cos, sin), v

    def forward(self, x, k, v, cos, sin):
        batch, length, _ = x.shape
        q = rotate(self.q(self.norm(x)).view(batch, length, self.heads, self.dim).transpose(1, 2), cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.groups < self.heads)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, length, -1))
        normed = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Decoder(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embed = nn.Embedding(size["vocab"], size["width"])
        self.layers = nn.ModuleList(Layer(size, layer % 2 == 0) for layer in range(size["layers"]))
        self.norm = nn.RMSNorm(size["width"], EPSILON)
        half, length = size["headDim"] // 2, size["length"]
        angle = torch.outer(torch.arange(length).double(), 10000 ** (-torch.arange(half).double() / half))
        self.cos, self.sin = angle.cos().float(), angle.sin().float()

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer, block in enumerate(self.layers):
            if layer % 2 == 0:
                k, v = block.keys_values(x, self.cos, self.sin)
            x = block(x, k, v, self.cos, self.sin)
        return self.norm(x) @ self.embed.weight.T


def hashed(index):
    with np.errstate(over="ignore"):
        x = index.astype(np.uint32) * np.uint32(0x9E3779B1)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return (x ^ (x >> np.uint32(16))).astype(np.float64) / 2**32


def initialize(model, size):
    std, start = math.sqrt(1 / (3 * size["width"])), 0
    for name, parameter in model.named_parameters():
        count = parameter.numel()
        if parameter.dim() == 2:
            residual = name.endswith(("o.weight", "down.weight"))
            deviation = std / math.sqrt(2 * size["layers"]) if residual else std
            values = (hashed(np.arange(start + 1, start + count + 1)) - 0.5) * deviation * math.sqrt(12)
            parameter.data = torch.from_numpy(values.astype(np.float32)).view(parameter.shape)
        start += count
    return start


def tokens_of(size, step):
    count = size["batch"] * (size["length"] + 1)
    uniform = hashed(np.arange(step * count + 1, (step + 1) * count + 1))
    tokens = np.floor(uniform * uniform * size["vocab"]).astype(np.int64)
    return torch.from_numpy(tokens).view(size["batch"], -1)


def optimizer_of(model):
    decayed = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("embed")]
    others = [p for n, p in model.named_parameters() if p.dim() == 1 or n.startswith("embed")]
    groups = [dict(params=decayed, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, foreach=True)


def train_step(model, loss_of, optimizer, tokens):
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(tokens)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def peak_memory():
    try:
        status = pathlib.Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main():
    sizes = json.loads((pathlib.Path(__file__).parent / "sizes.json").read_text())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--size", choices=sizes, default="a")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    size = sizes[options.size]
    model = Decoder(size)
    print("ready", initialize(model, size), flush=True)
    optimizer = optimizer_of(model)

    def loss_of(tokens):
        logits = model(tokens[:, :-1])
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))

    if options.compile:
        loss_of = torch.compile(loss_of)
    step = 0
    for line in sys.stdin if options.serve else ["step"] * 3:
        if line.strip() != "step":
            continue
        start, cpu = time.perf_counter(), time.process_time()
        loss = train_step(model, loss_of, optimizer, tokens_of(size, step))
        ms, cpu_ms = (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000
        print(json.dumps(dict(ms=ms, cpuMs=cpu_ms, loss=loss, rssMB=peak_memory())), flush=True)
        step += 1


if __name__ == "__main__":
    main()
