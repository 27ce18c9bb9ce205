"""
Whether an exported ONNX model keeps to the standard: python onnx_standard.py <folder>. ONNX's own checker reads it, and its
reference evaluator computes the logits that ONNX Runtime does.

    pip install onnx onnxruntime
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator

[path] = (Path(sys.argv[1]) / "onnx").glob("*.onnx")
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
print(f"onnx {onnx.__version__}: {path.name} is valid;", *sorted({node.op_type for node in model.graph.node}))
session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
ids = np.array([[0, 5, 7, 9]], np.int64)
feeds = dict(input_ids=ids, attention_mask=np.ones_like(ids), position_ids=np.arange(4, dtype=np.int64)[None])
for given in session.get_inputs():
    if given.name.startswith("past_key_values."):
        feeds[given.name] = np.zeros([d if isinstance(d, int) else 1 if d == "batch_size" else 0 for d in given.shape], np.float32)
one, other = session.run(["logits"], feeds)[0], ReferenceEvaluator(model).run(["logits"], feeds)[0]
print(f"the reference evaluator is off by {np.abs(one - other).max():.1e} of {np.abs(one).max():.1f}")
