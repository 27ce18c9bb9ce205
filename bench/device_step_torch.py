"""
A training step in PyTorch, timed: the contender "torch" of devices.mjs. torch.compile, autocast to bfloat16, fused AdamW;
attention by whichever of SDPA's kernels is the fastest at the size.
`python3 bench/device_step_torch.py --size 26m` prints one line of figures.
"""

import time

began = time.perf_counter()

import itertools  # noqa: E402

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

import device_step_common as common  # noqa: E402
from device_step_common import ADAM, EPSILON  # noqa: E402

options, size = common.asked(__doc__)
DEVICE = torch.device(options.device)
ROUNDED = options.precision == "bfloat16"
grouped = True


def linear(outputs, inputs):
    return nn.Linear(inputs, outputs, bias=False)


def norm():
    return nn.RMSNorm(size["width"], eps=EPSILON)


class Layer(nn.Module):
    """Its modules stand in the order of the data flow, which is that of `common.parameters`."""

    def __init__(self, owns):
        super().__init__()
        width, dim, mlp = size["width"], size["headDim"], size["mlpWidth"]
        self.norm, self.q = norm(), linear(width, width)
        if owns:
            self.kv_norm, self.k, self.v = norm(), linear(dim, width), linear(dim, width)
        self.o = linear(width, width)
        self.mlp_norm, self.gate, self.up, self.down = norm(), linear(mlp, width), linear(mlp, width), linear(width, mlp)

    def forward(self, x, kv, cos, sin):
        """The residual stream [B, T, C]; `kv` is the lender's, None where the layer has its own."""
        if kv is None:
            normed = self.kv_norm(x)
            kv = rotate(heads_of(self.k(normed)), cos, sin), heads_of(self.v(normed))
        q = rotate(heads_of(self.q(self.norm(x))), cos, sin)
        mixed = attend(q, *kv)
        x = x + self.o(mixed.transpose(1, 2).reshape(x.shape))
        normed = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed)), kv


def heads_of(x):
    """[B, T, heads · D] → [B, heads, T, D]"""
    return x.view(*x.shape[:2], -1, size["headDim"]).transpose(1, 2)


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


def attend(q, k, v):
    if not grouped:
        k, v = (x.expand(-1, q.shape[1], -1, -1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(size["vocab"], size["width"])
        self.layers = nn.ModuleList(Layer(number % 2 == 0) for number in range(size["layers"]))
        self.norm = norm()
        if not size["tiedEmbeddings"]:
            self.head = linear(size["vocab"], size["width"])
        for name, table in zip(("cos", "sin"), common.rotary(size)):
            self.register_buffer(name, torch.from_numpy(table))

    def forward(self, tokens):
        x, kv = self.embed(tokens[:, :-1]), None
        for number, layer in enumerate(self.layers):
            inputs = x, kv if number % 2 else None, self.cos, self.sin
            x, kv = checkpoint(layer, *inputs, use_reentrant=False) if options.recompute else layer(*inputs)
        scored = self.embed.weight if size["tiedEmbeddings"] else self.head.weight
        logits = F.linear(self.norm(x), scored)
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())


def choose_attention():
    """Leaves the fastest kernel that takes this attention, with heads grouped or spread; says which."""
    global grouped
    switches = {"flash": torch.backends.cuda.enable_flash_sdp, "cudnn": torch.backends.cuda.enable_cudnn_sdp}
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_math_sdp(False)

    def only(kernel):
        for name, switch in switches.items():
            switch(name == kernel)

    def draw(heads):
        shape = size["microBatch"], size["context"], heads * size["headDim"]
        return heads_of(torch.randn(shape, device=DEVICE, dtype=torch.bfloat16, requires_grad=True))

    found = []
    for kernel, grouped in itertools.product(switches, (True, False)):
        only(kernel)
        q, k, v = draw(size["heads"]), draw(1), draw(1)
        try:
            for turn in range(8):
                if turn == 3:
                    torch.cuda.synchronize()
                    mark = time.perf_counter()
                attend(q, k, v).sum().backward()
            torch.cuda.synchronize()
            found.append((time.perf_counter() - mark, kernel, grouped))
        except RuntimeError:
            continue
    _, kernel, grouped = min(found)
    only(kernel)
    return f"{kernel}, heads {'grouped' if grouped else 'spread'}"


def main():
    cuda = DEVICE.type == "cuda"
    attention = choose_attention() if cuda and ROUNDED else "default"
    model = Decoder().to(DEVICE)
    own = list(model.parameters())

    def normal(shape, deviation):
        return torch.randn(shape, device=DEVICE) * deviation

    weights = common.initial(size, options.check, normal)
    for parameter, (name, value) in zip(own, weights.items(), strict=True):
        assert parameter.shape == value.shape, name
        parameter.data = torch.as_tensor(value, device=DEVICE)
    del weights
    groups = [
        dict(params=[p for p, (name, _, _) in zip(own, common.parameters(size)) if common.decays(name) == decayed])
        | dict(weight_decay=ADAM["decay"] if decayed else 0.0)
        for decayed in (True, False)
    ]
    adam = torch.optim.AdamW(groups, ADAM["rate"], (ADAM["beta1"], ADAM["beta2"]), ADAM["epsilon"], fused=cuda)
    loss_of = model if options.mode == "none" else torch.compile(model, mode=options.mode, dynamic=False)
    blocks = [torch.from_numpy(block).long() for block in common.token_blocks(size)]
    blocks = [block.pin_memory() for block in blocks] if cuda else blocks
    micro, taken = size["batch"] // size["microBatch"], 0

    def step():
        nonlocal taken
        adam.zero_grad(set_to_none=True)
        total = torch.zeros((), device=DEVICE)
        for _ in range(micro):
            tokens = blocks[taken % len(blocks)].to(DEVICE, non_blocking=True)
            taken += 1
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=ROUNDED):
                loss = loss_of(tokens) / micro
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(own, ADAM["clip"])
        adam.step()
        return total.item

    def facts():
        peak = torch.cuda.max_memory_allocated() if cuda else None
        return dict(peakBytes=peak, attention=attention, runtime=f"torch {torch.__version__}")

    common.converse(began, "torch", options, size, step, facts)


main()
