"""
A program that knows decoders' files and nothing of crosslayer, as plain-session.mjs does: python plain_session.py <jobs.json>.
"""

import json
import sys

import numpy as np
import onnxruntime as ort


def run(job):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    past = {
        i.name: np.zeros([d if isinstance(d, int) else 1 if d == "batch_size" else 0 for d in i.shape], np.float32)
        for i in session.get_inputs()
        if i.name.startswith("past_key_values.")
    }
    names = [o.name for o in session.get_outputs()]
    length = 0

    def step(ids):
        nonlocal length
        positions = np.arange(length, length + len(ids), dtype=np.int64)[None]
        length += len(ids)
        mask = np.ones((1, length), np.int64)
        feeds = dict(past, input_ids=np.array([ids], np.int64), position_ids=positions, attention_mask=mask)
        found = dict(zip(names, session.run(names, feeds)))
        for name in past:
            past[name] = found[name.replace("past_key_values", "present")]
        return found["logits"]

    rows, at = [], 0
    for size in job["pieces"]:
        rows.append(step(job["tokens"][at : at + size]))
        at += size
    logits = np.concatenate(rows, axis=1)
    written, following = [], int(logits[0, -1].argmax())
    for _ in range(job["count"]):
        written.append(following)
        following = int(step([following])[0, -1].argmax())
    kept = dict(bytes=sum(x.nbytes for x in past.values()), kept=len(past), length=length)
    return dict(logits=logits.ravel().tolist(), written=written, **kept)


for job in json.load(open(sys.argv[1])):
    print(json.dumps(run(job)), flush=True)
