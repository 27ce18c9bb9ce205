"""Weights that Python and TypeScript make alike from a tensor's name: exact in every float type from bfloat16 up."""

import numpy as np


def fill(name: str, shape: list[int]) -> np.ndarray:
    """Numbers of 7 bits: norms near 1, all else in ±0.25 (see weights.ts, its twin)."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.arange(int(np.prod(shape)), dtype=np.uint64) * 0x9E3779B9 + seed) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x21F0AAAD) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 0x735A2D97) & 0xFFFFFFFF
    x ^= x >> 15
    signed = (x & 127).astype(np.float32) - 64
    values = 1 + signed / 128 if len(shape) == 1 and name.endswith("weight") else signed / 256
    return values.astype(np.float32).reshape(shape)
