"""
Loads an exported folder by the authors' engine: python lm_engine.py <lm-engine> <folder>. Its arguments read both YAMLs, its
model takes every tensor, and what it scores likeliest after some ids is printed.

    git clone https://github.com/open-lm-engine/lm-engine    # at 36bad91e
    pip install torch transformers safetensors pydantic pyyaml
"""

import sys

import torch
import yaml
from safetensors.torch import load_file

engine, folder = sys.argv[1:]
sys.path.insert(0, engine)

from lm_engine.arguments import TrainingArgs  # noqa: E402
from lm_engine.models.gpt_crosslayer import GPTCrossLayerConfig, GPTCrossLayerForCausalLM, layer  # noqa: E402
from lm_engine.models.gpt_crosslayer import base as layers  # noqa: E402
from lm_engine.models.gpt_crosslayer.sequence_mixers import base  # noqa: E402

# Their engine has moved on around this model (see test/foreign/golden/make-crosslayer.py). What is computed stays theirs.
turn = layer.apply_rotary_pos_emb
layer.apply_rotary_pos_emb = base.apply_rotary_pos_emb = lambda x, tables: turn(x.transpose(1, 2), tables).transpose(1, 2)
layers.is_generation_cache_enabled = lambda: False
torch.nn.ModuleDict.__iter__ = lambda self: iter(self._modules.values())
block = layer.GPTCrossLayerBlock.__init__
layer.GPTCrossLayerBlock.__init__ = lambda self, *args, sequence_parallel=False, **more: block(self, *args, **more)

for name in ("pretrain.yml", "continue.yml"):
    with open(f"{folder}/{name}") as file:
        args = TrainingArgs(**yaml.safe_load(file))
    print(f"{name}: {args.training_parameters.num_training_steps} steps, peak {args.optimizer_args.class_args['lr']}")
model = GPTCrossLayerForCausalLM(GPTCrossLayerConfig.from_pretrained(folder)).eval()
model.load_state_dict(load_file(f"{folder}/model.safetensors"), strict=True)
ids = [0, 78, 122]
with torch.no_grad():
    for _ in range(16):
        out = model(input_ids=torch.tensor([ids]))
        logits = out.logits if hasattr(out, "logits") else out[0]
        ids.append(int(logits[0, -1].argmax()))
print("lm-engine writes", *ids)
