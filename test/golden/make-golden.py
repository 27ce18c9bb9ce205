"""
Makes the golden files beside it: python3 make-golden.py (PyTorch 1.13 or later on CPU; a few seconds).

A plain PyTorch decoder in the layout of the paper's authors (arXiv 2405.12981; modules and parameter names of IBM's
dolomite-engine, model gpt_crosslayer), written from the paper and the Llama convention and not from ../../src: fused
up and gate, fused keys and values, rotate_half, repeated KV heads, autograd, torch.optim. Parameters are whole
multiples of a power of two, so that float32 and float64 hold the same model and a file holds one byte for each.
"""

import base64
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
BATCH, LENGTH = 2, 12
SIZES = dict(layers=4, width=32, heads=4, headDim=8, mlpWidth=40, vocab=50, ropeTheta=10000, normEpsilon=1e-5)
NO_BIASES = dict(qkv=False, output=False, mlp=False)


class RMSNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return self.weight * (x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))


def rotate_half(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


def rope(x, theta):
    """x [B, heads, T, D]"""
    length, dim = x.shape[-2:]
    frequency = theta ** (-torch.arange(0, dim, 2, dtype=x.dtype) / dim)
    angle = torch.outer(torch.arange(length, dtype=x.dtype), frequency)
    angle = torch.cat((angle, angle), dim=-1)
    return x * angle.cos() + rotate_half(x) * angle.sin()


class KeyValueProjection(nn.Module):
    """An owner's: its norm and, for each KV head, the rows of K and then those of V."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        if c["kvNorm"] == "own":
            self.ln = RMSNorm(c["width"], c["normEpsilon"])
        self.kv_attn = nn.Linear(c["width"], 2 * c["kvHeads"] * c["headDim"], bias=c["biases"]["qkv"])

    def forward(self, residual, normed):
        source = self.ln(residual) if self.c["kvNorm"] == "own" else normed
        batch, length, _ = source.shape
        kv = self.kv_attn(source).view(batch, length, self.c["kvHeads"], 2 * self.c["headDim"]).transpose(1, 2)
        k, v = kv.chunk(2, dim=-1)
        return rope(k, self.c["ropeTheta"]), v


class SequenceMixer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.q_attn = nn.Linear(c["width"], c["heads"] * c["headDim"], bias=c["biases"]["qkv"])
        self.c_proj = nn.Linear(c["heads"] * c["headDim"], c["width"], bias=c["biases"]["output"])

    def forward(self, x, k, v):
        batch, length, _ = x.shape
        heads, dim = self.c["heads"], self.c["headDim"]
        q = rope(self.q_attn(x).view(batch, length, heads, dim).transpose(1, 2), self.c["ropeTheta"])
        repeat = heads // self.c["kvHeads"]
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(dim)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = torch.softmax(scores.masked_fill(future, float("-inf")), dim=-1)
        return self.c_proj((weights @ v).transpose(1, 2).reshape(batch, length, heads * dim))


class MLPBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_fc = nn.Linear(c["width"], 2 * c["mlpWidth"], bias=c["biases"]["mlp"])
        self.c_proj = nn.Linear(c["mlpWidth"], c["width"], bias=c["biases"]["mlp"])

    def forward(self, x):
        up, gate = self.c_fc(x).chunk(2, dim=-1)
        return self.c_proj(up * F.silu(gate))


class Block(nn.Module):
    def __init__(self, c, layer):
        super().__init__()
        self.owner = c["sharing"][layer]
        self.layer = layer
        if self.owner == layer:
            self.kv_proj = KeyValueProjection(c)
        self.ln_1 = RMSNorm(c["width"], c["normEpsilon"])
        self.sequence_mixer = SequenceMixer(c)
        self.ln_2 = RMSNorm(c["width"], c["normEpsilon"])
        self.mlp_block = MLPBlock(c)

    def forward(self, x, stored):
        normed = self.ln_1(x)
        if self.owner == self.layer:
            stored[self.layer] = self.kv_proj(x, normed)
        x = x + self.sequence_mixer(normed, *stored[self.owner])
        return x + self.mlp_block(self.ln_2(x))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.wte = nn.Embedding(c["vocab"], c["width"])
        self.h = nn.ModuleList(Block(c, layer) for layer in range(c["layers"]))
        self.ln_f = RMSNorm(c["width"], c["normEpsilon"])
        if not c["tiedEmbeddings"]:
            self.lm_head = nn.Linear(c["width"], c["vocab"], bias=False)

    def forward(self, tokens):
        x, stored = self.wte(tokens), {}
        for block in self.h:
            x = block(x, stored)
        head = self.wte.weight if self.c["tiedEmbeddings"] else self.lm_head.weight
        return self.ln_f(x) @ head.T

    def loss(self, tokens):
        logits = self(tokens[:, :-1])
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1)), logits


def ours(c, named):
    """Tensors of the authors' layout (by name, without a leading `transformer.`) under this project's names."""
    groups, dim = c["kvHeads"], c["headDim"]
    found = {"embed": named["wte.weight"], "norm": named["ln_f.weight"]}
    if not c["tiedEmbeddings"]:
        found["head"] = named["lm_head.weight"]
    for layer in range(c["layers"]):
        theirs, at = f"h.{layer}.", f"layers.{layer}."
        found[at + "attn.norm"] = named[theirs + "ln_1.weight"]
        found[at + "mlp.norm"] = named[theirs + "ln_2.weight"]
        if theirs + "kv_proj.ln.weight" in named:
            found[at + "attn.kv_norm"] = named[theirs + "kv_proj.ln.weight"]
        for kind, suffix in (("weight", ""), ("bias", ".bias")):
            def take(name, ends):
                if f"{theirs}{name}.{kind}" in named:
                    for end, part in zip(ends, split(name, named[f"{theirs}{name}.{kind}"], groups, dim)):
                        found[at + end + suffix] = part
            take("sequence_mixer.q_attn", ["attn.q"])
            take("sequence_mixer.c_proj", ["attn.o"])
            take("kv_proj.kv_attn", ["attn.k", "attn.v"])
            take("mlp_block.c_fc", ["mlp.up", "mlp.gate"])
            take("mlp_block.c_proj", ["mlp.down"])
    return found


def split(name, tensor, groups, dim):
    if name.endswith("kv_attn"):
        by_head = tensor.reshape(groups, 2, dim, *tensor.shape[1:])
        return [by_head[:, i].reshape(groups * dim, *tensor.shape[1:]) for i in (0, 1)]
    return tensor.chunk(2) if name.endswith("c_fc") else [tensor]


def initialize(model, seed):
    """Every parameter is offset + scale · an int8."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        offset, scale = (1.0, 2**-7) if is_norm(name) else (0.0, 2**-7)
        deviation = 0.15 if parameter.dim() == 2 else 0.1
        draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * deviation / scale
        parameter.data = offset + scale * draw.round().clamp(-127, 127)


def is_norm(name):
    return "ln" in name.split(".")[-2]


def stored_parameter(name, tensor):
    offset, scale = (1.0, 2**-7) if name.split(".")[-1].endswith("norm") else (0.0, 2**-7)
    numbers = ((tensor.detach() - offset) / scale).round().to(torch.int8)
    assert torch.equal(offset + scale * numbers.double(), tensor.detach().double()), name
    encoded = base64.b64encode(numbers.numpy().tobytes()).decode()
    return dict(shape=list(tensor.shape), offset=offset, scale=scale, int8=encoded)


def digits(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().double().reshape(-1).tolist()]


def stored_gradient(tensor):
    """All of a vector; of a matrix its norm, the sums of its rows and columns, and every 37th element."""
    if tensor.dim() == 1:
        return dict(all=digits(tensor))
    return dict(
        norm=float(tensor.norm()),
        rowSums=digits(tensor.sum(1)),
        columnSums=digits(tensor.sum(0)),
        every37=digits(tensor.reshape(-1)[::37]),
    )


def tokens_of(c, seed, count=1):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, c["vocab"], (count, BATCH, LENGTH + 1), generator=generator)
    tokens[:, 0, 3] = tokens[:, 0, 1]  # equal ids: their embedding gradients add up
    return tokens


def learning_rate(step, peak, steps, warmup, floor):
    """Linear over the first `warmup` of the steps, then half a cosine that ends at floor · peak in the last step."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(1, steps - 1 - rising)
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)


def curve(c, dtype, batches, schedule):
    model = Decoder(c)
    initialize(model, 1)
    model = model.to(dtype)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith(("wte", "lm_head"))]
    others = [p for n, p in model.named_parameters() if all(p is not matrix for matrix in matrices)]
    decayed = [dict(params=matrices, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(decayed, lr=0.0, betas=(0.9, 0.95), eps=1e-8)
    losses, norms, rates = [], [], []
    for step, tokens in enumerate(batches):
        rates.append(learning_rate(step, **schedule))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.zero_grad()
        loss, _ = model.loss(tokens)
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        losses.append(float(loss.detach()))
        optimizer.step()
    final = ours(c, {name: p.detach() for name, p in model.named_parameters()})
    return dict(losses=losses, norms=norms, rates=rates, final={n: float(t.double().norm()) for n, t in final.items()})


def case(name, sharing, kv_heads, with_curve=False, **options):
    c = dict(SIZES, kvHeads=kv_heads, context=LENGTH, sharing=sharing, tiedEmbeddings=True, kvNorm="own")
    c.update(biases=NO_BIASES)
    c.update(options)
    model = Decoder(c)
    initialize(model, 1)
    model = model.double()
    tokens = tokens_of(c, 2)[0]
    loss, logits = model.loss(tokens)
    loss.backward()
    golden = dict(
        config=c,
        parameters={n: stored_parameter(n, t) for n, t in ours(c, dict(model.named_parameters())).items()},
        tokens=tokens.tolist(),
        logits=digits(logits),
        loss=float(loss.detach()),
        gradNorm=float(torch.stack([p.grad.norm() for p in model.parameters()]).norm()),
        gradients={
            n: stored_gradient(t) for n, t in ours(c, {n: p.grad for n, p in model.named_parameters()}).items()
        },
    )
    if with_curve:
        schedule = dict(peak=0.02, steps=20, warmup=0.2, floor=0.1)
        batches = tokens_of(c, 3, 2).repeat(10, 1, 1)  # two batches over and over: the norm falls below the clip
        golden["curve"] = dict(
            schedule=schedule,
            batches=batches.tolist(),
            float64=curve(c, torch.float64, batches, schedule),
            float32=curve(c, torch.float32, batches, schedule),
        )
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, loss {golden['loss']:.6f}, norm {golden['gradNorm']:.4f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    case("none-mha", [0, 1, 2, 3], 4)
    case("none-mqa", [0, 1, 2, 3], 1)
    case("cla2-mha", [0, 0, 2, 2], 4)
    case("cla2-gqa2", [0, 0, 2, 2], 2, with_curve=True)
    case("cla2-mqa", [0, 0, 2, 2], 1)
    case("cla3-gqa2", [0, 1, 1, 1], 2)
    case("cla2-keepends-mqa", [0, 1, 1, 3], 1)
    case("one-owner-mha", [0, 0, 0, 0], 4)
    case("one-owner-mqa", [0, 0, 0, 0], 1)
    case("cla2-gqa2-untied", [0, 0, 2, 2], 2, tiedEmbeddings=False)
    case("cla2-gqa2-kvnorm-shared", [0, 0, 2, 2], 2, kvNorm="shared")
    case("cla2-gqa2-biases", [0, 0, 2, 2], 2, biases=dict(qkv=True, output=True, mlp=True))
