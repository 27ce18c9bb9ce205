"""
Blocks as llama.cpp's own Python package rounds and restores them.

    pip install gguf    # made with gguf 0.19.0
    python make-blocks.py
"""

import base64
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants

numbers = np.random.default_rng(7).normal(size=(2, 64)).astype(np.float32)
numbers[1, 40:] *= 1e-4  # a small scale
found = {}
for kind in ("Q4_0", "Q4_1", "Q8_0"):
    blocks = quants.quantize(numbers, GGMLQuantizationType[kind])
    restored = quants.dequantize(blocks, GGMLQuantizationType[kind])
    found[kind] = dict(type=int(GGMLQuantizationType[kind]), bytes=base64.b64encode(blocks.tobytes()).decode(), numbers=[float(x) for x in restored.ravel()])
(Path(__file__).parent / "golden" / "blocks.json").write_text(json.dumps(found) + "\n")
