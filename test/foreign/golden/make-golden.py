"""
Goldens of the model families that crosslayer imports, made by the real transformers: for each a config.json and the tensors
as save_pretrained writes them (their numbers are made from their names, see weights.py), logits, and 64 greedy tokens.

    pip install torch transformers    # made with torch 2.15.0, transformers 5.24.0
    python make-golden.py [names]
"""

import copy
import json
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import (
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)
from transformers.models.hunyuan_v1_dense import modeling_hunyuan_v1_dense as hunyuan
from transformers.models.llama import modeling_llama as llama

from golden import VOCAB, write
from weights import fill

sizes = dict(
    vocab_size=VOCAB, hidden_size=32, intermediate_size=40, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)


def config(kind, **more):
    return kind(**{**sizes, **more})


def rope(kind, theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **more))


def longrope(original):
    return config(
        Phi3Config, num_attention_heads=2, num_key_value_heads=1, original_max_position_embeddings=original,
        rope_parameters=dict(
            rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75, original_max_position_embeddings=original,
            short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5], long_factor=[1.0, 1.5, 2.0, 2.5, 3.0, 4.0],
        ),
    )


families = {
    "llama": (LlamaForCausalLM, config(LlamaConfig, tie_word_embeddings=False, num_key_value_heads=4), {}),
    "llama-biases": (LlamaForCausalLM, config(LlamaConfig, attention_bias=True, mlp_bias=True, tie_word_embeddings=True), {}),
    "llama3": (
        LlamaForCausalLM,
        config(
            LlamaConfig, tie_word_embeddings=True,
            **rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
        ),
        dict(dtype=torch.bfloat16, shard="40KB"),
    ),
    "llama-linear": (LlamaForCausalLM, config(LlamaConfig, **rope("linear", factor=4.0)), dict(dtype=torch.float16)),
    "llama-dynamic": (LlamaForCausalLM, config(LlamaConfig, **rope("dynamic", factor=2.0)), {}),
    "mistral": (MistralForCausalLM, config(MistralConfig, sliding_window=112, head_dim=16), {}),
    "qwen2": (
        Qwen2ForCausalLM,
        config(Qwen2Config, tie_word_embeddings=True, **rope("yarn", 1e6, factor=4.0, original_max_position_embeddings=32)),
        dict(dtype=torch.bfloat16),
    ),
    "qwen3": (Qwen3ForCausalLM, config(Qwen3Config, head_dim=16, tie_word_embeddings=False), {}),
    "smollm3": (SmolLM3ForCausalLM, config(SmolLM3Config), {}),
    "phi3": (Phi3ForCausalLM, config(Phi3Config, sliding_window=None), {}),
    # Within the original context, and beyond it from the first token that is judged.
    "phi3-partial": (Phi3ForCausalLM, longrope(112), dict(context=112)),
    "phi3-long": (Phi3ForCausalLM, longrope(4), {}),
    "hunyuan": (HunYuanDenseV1ForCausalLM, config(HunYuanDenseV1Config, tie_word_embeddings=True, head_dim=8), {}),
    # Llama's blocks whose layers share turned keys and values: LCKV's words for pairs, AFM's for a tail.
    "shared-pairs": (
        LlamaForCausalLM, config(LlamaConfig), dict(sharing=[0, 0, 2, 2], said=dict(model_type="lckv-llama", layer_types="0_0_2_2")),
    ),
    "shared-tail": (LlamaForCausalLM, config(LlamaConfig), dict(sharing=[0, 1, 1, 1], said=dict(num_kv_reuse_layers=2))),
    "hunyuan-cla": (HunYuanDenseV1ForCausalLM, config(HunYuanDenseV1Config, tie_word_embeddings=True, head_dim=8), dict(cla=2)),
}


def share(model, factor):
    """Tencent's use_cla: of each `factor` layers the first projects keys and values, all turn and norm them themselves."""
    kept = {}

    def forward(self, hidden_states, position_embeddings, attention_mask, **_):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        split = lambda x: x.view(shape).transpose(1, 2)  # noqa: E731
        if self.layer_idx % factor == 0:
            kept["kv"] = split(self.k_proj(hidden_states)), split(self.v_proj(hidden_states))
        key, value = kept["kv"]
        query, key = hunyuan.apply_rotary_pos_emb(split(self.q_proj(hidden_states)), key, *position_embeddings)
        query, key = self.query_layernorm(query), self.key_layernorm(key)
        out, weights = hunyuan.eager_attention_forward(self, query, key, value, attention_mask, scaling=self.scaling)
        return self.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), weights

    for layer in model.model.layers:
        layer.self_attn.forward = forward.__get__(layer.self_attn)


def share_turned(model, sharing):
    """LCKV's way: a layer attends to the keys, turned once, and the values of the layer that it names."""
    kept = {}

    def forward(self, hidden_states, position_embeddings, attention_mask, **_):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        split = lambda x: x.view(shape).transpose(1, 2)  # noqa: E731
        owner = sharing[self.layer_idx]
        query = split(self.q_proj(hidden_states))
        if owner == self.layer_idx:
            _, key = llama.apply_rotary_pos_emb(query, split(self.k_proj(hidden_states)), *position_embeddings)
            kept[owner] = key, split(self.v_proj(hidden_states))
        query, _ = llama.apply_rotary_pos_emb(query, kept[owner][0], *position_embeddings)
        out, weights = llama.eager_attention_forward(self, query, *kept[owner], attention_mask, scaling=self.scaling)
        return self.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), weights

    for layer in model.model.layers:
        layer.self_attn.forward = forward.__get__(layer.self_attn)


def owners_only(tensors, sharing):
    borrowed = [f"layers.{layer}.self_attn.{kv}_proj." for layer, owner in enumerate(sharing) if owner != layer for kv in "kv"]
    return [tensor for tensor in tensors if not any(part in tensor[1] for part in borrowed)]


def tensors_of(folder):
    found = []
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                part = file.get_slice(name)
                found.append([path.name, name, part.get_dtype(), part.get_shape()])
    return found


torch.set_num_threads(1)

if __name__ == "__main__":
    asked = sys.argv[1:]
    for name, (kind, settings, how) in families.items():
        if asked and name not in asked:
            continue
        settings._attn_implementation = "eager"
        model = kind(settings).eval()
        with torch.no_grad():
            for parameter, tensor in model.named_parameters():
                tensor.copy_(torch.from_numpy(fill(parameter, list(tensor.shape))))
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            saved_model = copy.deepcopy(model).to(how.get("dtype", torch.float32))
            saved_model.save_pretrained(folder, max_shard_size=how.get("shard", "5GB"))
            saved = json.loads((Path(folder) / "config.json").read_text())
            tensors = tensors_of(folder)
            if "cla" in how:
                share(model, how["cla"])
                saved |= dict(use_cla=True, cla_share_factor=how["cla"])
            if "sharing" in how:
                share_turned(model, how["sharing"])
                tensors = owners_only(tensors, how["sharing"])
                saved |= how["said"]
            more = {key: how[key] for key in ("context",) if key in how}
            write(name, saved, tensors, lambda ids: model(torch.tensor([ids])).logits[0], **more)
