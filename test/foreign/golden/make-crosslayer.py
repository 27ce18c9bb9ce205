"""
Goldens of gpt_crosslayer by the authors' own code, in each of its three layouts. Their code is brought to judge by and is no
part of this repository: check it out, and name its folder.

    git clone https://github.com/ibm-granite/dolomite-engine 2024    # at 537a2f3
    git clone https://github.com/IBM/dolomite-engine 2025            # at d0ee1861
    git clone https://github.com/open-lm-engine/lm-engine 2026       # at 36bad91e
    pip install transformers==4.46.3    # which the first two were written for
    python make-crosslayer.py 2024 <folder>
"""

import json
import sys
from pathlib import Path

import torch

layout, folder = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(folder))
here = Path(__file__).parent
sys.path.insert(0, str(here))

from golden import VOCAB, write  # noqa: E402
from weights import fill  # noqa: E402

torch.set_num_threads(1)

LAYERS, WIDTH, HEADS, KV, INNER = 5, 32, 4, 2, 40
sharing = [0, 0, 2, 2, 4]
common = dict(
    vocab_size=VOCAB, initializer_range=0.02, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    normalization_function="rmsnorm", layer_norm_epsilon=1e-5, rope_theta=10000, rope_scaling=None,
    position_embedding_type="rope", sharing_pattern=sharing,
)
attention = dict(sequence_mixer_type="softmax_attention", num_attention_heads=HEADS, num_key_value_heads=KV)
mlp = dict(mlp_type="MLP", intermediate_size=INNER, activation_function="swiglu")

if layout == "2024":
    from torch.distributed._tensor import placement_types

    placement_types._Partial = placement_types.Partial  # its name in the torch of that time
    from dolomite_engine.hf_models.models.gpt_crosslayer import GPTCrossLayerConfig, GPTCrossLayerForCausalLM

    config = GPTCrossLayerConfig(
        **common, n_positions=128, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, num_key_value_heads=KV, n_inner=INNER,
        activation_function="swiglu", add_bias=True, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )
    saved = config.to_diff_dict() | dict(model_type="gpt_crosslayer")
    model = GPTCrossLayerForCausalLM(config, attention_implementation="sdpa")
elif layout == "2025":
    from lm_engine.hf_models.models.gpt_crosslayer import GPTCrossLayerConfig, GPTCrossLayerForCausalLM

    config = GPTCrossLayerConfig(
        **common, max_position_embeddings=128, hidden_size=WIDTH, num_layers=LAYERS, tie_word_embeddings=False,
        sequence_mixer_blocks=[dict(**attention, add_bias=False) for _ in range(LAYERS)],
        mlp_blocks=[dict(**mlp, add_bias=False) for _ in range(LAYERS)],
    )
    saved = json.loads(json.dumps(config.to_dict(), default=lambda block: block.to_dict()))
    model = GPTCrossLayerForCausalLM(config)
else:
    from lm_engine.models.gpt_crosslayer import GPTCrossLayerConfig, GPTCrossLayerForCausalLM

    # Their engine has moved on around this model: its blocks do not know an argument, its loop takes a ModuleDict for a
    # list, its cache has no layers, and rotary embedding takes tokens before heads. What is computed stays theirs.
    from lm_engine.models.gpt_crosslayer import base as layers
    from lm_engine.models.gpt_crosslayer import layer
    from lm_engine.models.gpt_crosslayer.sequence_mixers import base

    turn = layer.apply_rotary_pos_emb
    layer.apply_rotary_pos_emb = base.apply_rotary_pos_emb = lambda x, tables: turn(x.transpose(1, 2), tables).transpose(1, 2)
    layers.is_generation_cache_enabled = lambda: False
    torch.nn.ModuleDict.__iter__ = lambda self: iter(self._modules.values())
    block = layer.GPTCrossLayerBlock.__init__
    layer.GPTCrossLayerBlock.__init__ = lambda self, *args, sequence_parallel=False, **more: block(self, *args, **more)
    config = GPTCrossLayerConfig(
        **common, max_position_embeddings=128, hidden_size=WIDTH, num_layers=LAYERS, tie_word_embeddings=True,
        m_emb=None, m_width=None, m_residual=None, init_method="normal", embedding_init_method="normal",
        use_depth_scaled_init=True,
        sequence_mixer_blocks=[dict(**attention, add_bias=True) for _ in range(LAYERS)],
        mlp_blocks=[dict(**mlp, add_bias=True) for _ in range(LAYERS)],
    )
    saved = config.to_dict()
    model = GPTCrossLayerForCausalLM(config)

model = model.eval()
with torch.no_grad():
    for name, tensor in model.named_parameters():
        tensor.copy_(torch.from_numpy(fill(name, list(tensor.shape))))
    tensors = [["model.safetensors", name, "F32", list(tensor.shape)] for name, tensor in model.named_parameters()]

    def logits_of(ids):
        out = model(input_ids=torch.tensor([ids]))
        return (out.logits if hasattr(out, "logits") else out[0])[0].float()

    write(f"crosslayer-{layout}", json.loads(json.dumps(saved)), tensors, logits_of)
