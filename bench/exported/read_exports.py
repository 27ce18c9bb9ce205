"""
Reads what was exported of one run: python read_exports.py <huggingface folder> <onnx folder> <prompt> <text that crosslayer writes>.
The weights by safetensors, against the ONNX decoder's past; the prompt by tokenizers; greedy text by onnxruntime.

    pip install numpy onnxruntime safetensors tokenizers
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from safetensors import safe_open
from tokenizers import Tokenizer

folder, decoder, prompt, expected = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
names, numbers = [], 0
for path in sorted(folder.glob("*.safetensors")):
    with safe_open(path, "np") as file:
        for name in file.keys():
            names.append(name)
            numbers += int(np.prod(file.get_slice(name).get_shape()))
keys = sum("k_proj.weight" in name for name in names)
config = json.loads((folder / "config.json").read_text())
print(f"{config['architectures'][0]}: {len(names)} tensors, {numbers / 1e6:.2f}M numbers, {keys} projections of keys;", end=" ")

tokenizer = Tokenizer.from_file(str(decoder / "tokenizer.json"))
[path] = (decoder / "onnx").glob("*.onnx")
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
past = {
    given.name: np.zeros([d if isinstance(d, int) else 1 if d == "batch_size" else 0 for d in given.shape], np.float32)
    for given in session.get_inputs()
    if given.name.startswith("past_key_values.")
}
ids = tokenizer.encode(prompt).ids
outputs = [given.name for given in session.get_outputs()]
text, length, written = ids, 0, []
while len(written) < 24:
    feeds = dict(past, input_ids=np.array([text], np.int64), position_ids=np.arange(length, length + len(text), dtype=np.int64)[None])
    length += len(text)
    feeds["attention_mask"] = np.ones((1, length), np.int64)
    found = dict(zip(outputs, session.run(outputs, feeds)))
    past = {name: found[name.replace("past_key_values", "present")] for name in past}
    text = [int(found["logits"][0, -1].argmax())]
    written += text
print(f"the past has {len(past)} arrays, {sum(x.nbytes for x in past.values()) // length} bytes per token;", end=" ")
own = tokenizer.decode(ids + written, skip_special_tokens=True)
print("writes crosslayer's text" if own.strip().startswith(expected.strip()[:60]) or expected.strip() in own else f"writes {own!r}, crosslayer {expected!r}")
