"""
A training step in plain JAX, timed: the contender "jax" of devices.mjs. Attention is cuDNN's where there is a card and
products are bfloat16. `python3 bench/device_step_jax.py --size 26m` prints one line of figures.
"""

import time

began = time.perf_counter()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import device_step_common as common  # noqa: E402
from device_step_common import ADAM, EPSILON  # noqa: E402

options, size = common.asked(__doc__)
if options.device == "cpu":
    jax.config.update("jax_platforms", "cpu")
PRODUCT = jnp.dtype(options.precision)
EXACT = "highest" if options.precision == "float32" else None
FUSED = "cudnn" if options.device == "cuda" and options.precision == "bfloat16" else "xla"
COS, SIN = (table[:, None] for table in common.rotary(size))


def linear(weight, x, to=PRODUCT):
    """Products of PRODUCT add up in float32, are rounded to `to` and go on as float32."""
    terms = x.astype(PRODUCT), weight.astype(PRODUCT)
    return jnp.einsum("...i,oi->...o", *terms, precision=EXACT, preferred_element_type=to).astype(jnp.float32)


def rms_norm(scale, x):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * scale


def heads_of(x, turned=True):
    """[B, T, heads · D] → [B, T, heads, D]"""
    x = x.reshape(*x.shape[:2], -1, size["headDim"])
    if turned:
        a, b = jnp.split(x, 2, -1)
        x = jnp.concatenate([a * COS - b * SIN, b * COS + a * SIN], -1)
    return x.astype(PRODUCT)


def layer_step(p, x, kv):
    """One layer on the residual stream [B, T, C]; `kv` is its lender's, None where it has its own."""
    if kv is None:
        normed = rms_norm(p["attn.kv_norm"], x)
        kv = heads_of(linear(p["attn.k"], normed)), heads_of(linear(p["attn.v"], normed), turned=False)
    q = heads_of(linear(p["attn.q"], rms_norm(p["attn.norm"], x)))
    mixed = jax.nn.dot_product_attention(q, *kv, is_causal=True, implementation=FUSED)
    x = x + linear(p["attn.o"], mixed.reshape(x.shape))
    normed = rms_norm(p["mlp.norm"], x)
    return x + linear(p["mlp.down"], jax.nn.silu(linear(p["mlp.gate"], normed)) * linear(p["mlp.up"], normed)), kv


def loss_of(p, tokens):
    layer = jax.checkpoint(layer_step) if options.recompute else layer_step
    x, kv = p["embed"][tokens[:, :-1]], None
    for number in range(size["layers"]):
        at = f"layers.{number}."
        inner = {name.removeprefix(at): value for name, value in p.items() if name.startswith(at)}
        x, kv = layer(inner, x, kv if number % 2 else None)
    logits = linear(p["embed" if size["tiedEmbeddings"] else "head"], rms_norm(p["norm"], x), jnp.float32)
    picked = jnp.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - picked)


def gradients_of(p, blocks):
    """Mean loss and gradients over micro-batches [n, B, T + 1]."""
    differentiate = jax.value_and_grad(loss_of)
    if blocks.shape[0] == 1:
        return differentiate(p, blocks[0])

    def add(sums, tokens):
        return jax.tree.map(lambda a, b: a + b / blocks.shape[0], sums, differentiate(p, tokens)), None

    return jax.lax.scan(add, (jnp.float32(0), jax.tree.map(jnp.zeros_like, p)), blocks)[0]


def update(state, blocks, rate, epsilon, kept):
    """AdamW with clipping by the global norm; the scalars hold learning rate, bias corrections and decay."""
    p, m, v = state
    loss, gradients = gradients_of(p, blocks)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
    scale = jnp.minimum(1, ADAM["clip"] / (norm + 1e-6))
    g = {name: gradient * scale for name, gradient in gradients.items()}
    m = {name: m[name] * ADAM["beta1"] + g[name] * (1 - ADAM["beta1"]) for name in p}
    v = {name: v[name] * ADAM["beta2"] + g[name] * g[name] * (1 - ADAM["beta2"]) for name in p}
    kept = {name: p[name] * kept if common.decays(name) else p[name] for name in p}
    return loss, ({name: kept[name] - rate * m[name] / (jnp.sqrt(v[name]) + epsilon) for name in p}, m, v)


def main():
    micro = size["batch"] // size["microBatch"]
    key = jax.random.key(0)

    def normal(shape, deviation):
        nonlocal key
        key, own = jax.random.split(key)
        return jax.random.normal(own, shape) * deviation

    p = {name: jnp.asarray(value) for name, value in common.initial(size, options.check, normal).items()}
    state = p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p)
    blocks, taken = common.token_blocks(size), 0
    compiled = None

    def step():
        nonlocal state, taken, compiled
        tokens = np.stack([blocks[(taken * micro + i) % len(blocks)] for i in range(micro)])
        taken += 1
        first, second = 1 - ADAM["beta1"] ** taken, (1 - ADAM["beta2"] ** taken) ** 0.5
        scalars = ADAM["rate"] * second / first, ADAM["epsilon"] * second, 1 - ADAM["rate"] * ADAM["decay"]
        inputs = state, tokens, *map(jnp.float32, scalars)
        compiled = compiled or jax.jit(update, donate_argnums=0).lower(*inputs).compile()
        loss, state = compiled(*inputs)
        return lambda: float(loss)

    def facts():
        memory = compiled.memory_analysis()
        used = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
        peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        compiled_bytes = used - memory.alias_size_in_bytes
        return dict(compiledBytes=compiled_bytes, peakBytes=peak, attention=FUSED, runtime=f"jax {jax.__version__}")

    common.converse(began, "jax", options, size, step, facts)


main()
