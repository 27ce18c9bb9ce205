"""
A crosslayer model in PyTorch: a Llama-like decoder whose layers may share keys and values (CLA, arXiv 2405.12981).

An owner computes keys and values, turns the keys once and caches both; a borrower has no projections for them and attends
to its owner's. Which is which is `config.sharing_pattern`. What is shared goes from layer to layer as tensors, not through
the cache: a model computes the same with and without one, and its gradients are whole under gradient checkpointing.
"""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers import __version__ as transformers_version
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from .configuration_crosslayer import CrossLayerConfig

# What outputs call the cache: `past_key_values`, and `cache` in later versions of transformers.
CACHE = next(name for name in ("cache", "past_key_values") if name in CausalLMOutputWithPast.__dataclass_fields__)
TIED = {"lm_head.weight": "model.embed_tokens.weight"}


class CrossLayerRMSNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return self.weight * unit(x, self.epsilon)


def unit(x, epsilon):
    """x over its root mean square along the last axis, computed in float32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)).to(x.dtype)


def rotary(config, positions, dtype):
    """cos and sin of positions [B, S], each [B, 1, S, D/2]; pairs that do not turn have cos 1 and sin 0."""
    half = config.head_dim // 2
    frequencies = config.rope_inverse_frequencies
    if frequencies is None:
        frequencies = [config.rope_theta ** (-pair / half) for pair in range(half)]
    wide = torch.float32 if positions.device.type == "mps" else torch.float64
    turns = torch.tensor(frequencies, dtype=wide, device=positions.device)
    angles = positions[:, None, :, None].to(wide) * turns
    still = (0, half - len(frequencies))
    cos = F.pad(angles.cos() * config.rope_amplitude, still, value=1.0)
    sin = F.pad(angles.sin() * config.rope_amplitude, still, value=0.0)
    return cos.to(dtype), sin.to(dtype)


def turned(x, cos, sin):
    """x [B, heads, S, D] with each pair (i, i + D/2) turned."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Mask:
    """What queries may see, made once the number of keys is known: a cache may have room for more than there are."""

    def __init__(self, given, past, length, dtype, device):
        self.given = given
        self.past = past
        self.length = length
        self.dtype = dtype
        self.device = device
        self.places = torch.arange(length, device=device) + past
        self.made = None

    def additive(self, keys):
        """[B or 1, 1, S, keys]: 0 for what is seen, very negative for the rest; None where causality is all there is."""
        is_first = not torch.is_tensor(self.past) and self.past == 0
        if self.made is not None or (self.given is None and is_first and keys == self.length):
            return self.made
        lowest = torch.finfo(self.dtype).min
        if self.given is not None and self.given.dim() == 4:
            mask = self.given[..., :keys]
            if mask.dtype == torch.bool:
                mask = torch.zeros_like(mask, dtype=self.dtype).masked_fill(~mask, lowest)
            self.made = mask.to(self.dtype)
            return self.made
        seen = (torch.arange(keys, device=self.device) <= self.places[:, None])[None, None]
        if self.given is not None:
            given = F.pad(self.given[:, :keys].bool(), (0, max(0, keys - self.given.shape[1])))
            seen = seen & given[:, None, None, :]
        self.made = torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill(~seen, lowest)
        return self.made


class CrossLayerAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.is_owner = config.sharing_pattern[layer_idx] == layer_idx
        self.turns = layer_idx not in config.layers_without_rope
        width, dim, epsilon = config.hidden_size, config.head_dim, config.rms_norm_eps
        queries, keys = config.num_attention_heads * dim, config.num_key_value_heads * dim
        self.q_proj = nn.Linear(width, queries, bias=config.attention_bias)
        if config.head_norms is not None:
            self.q_norm = CrossLayerRMSNorm(dim, epsilon)
        if config.head_norms == "after":
            self.read_norm = CrossLayerRMSNorm(dim, epsilon)
        if self.is_owner:
            if config.kv_norm == "own":
                self.kv_norm = CrossLayerRMSNorm(width, epsilon)
            self.k_proj = nn.Linear(width, keys, bias=config.attention_bias)
            self.v_proj = nn.Linear(width, keys, bias=config.attention_bias)
            if config.head_norms == "before":
                self.k_norm = CrossLayerRMSNorm(dim, epsilon)
        self.o_proj = nn.Linear(queries, width, bias=config.attention_output_bias)

    def heads(self, x):
        """[B, S, heads·D] to [B, heads, S, D]."""
        return x.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)

    def keys_and_values(self, residual, normed, cos, sin):
        source = self.kv_norm(residual) if self.config.kv_norm == "own" else normed
        key, value = self.heads(self.k_proj(source)), self.heads(self.v_proj(source))
        if self.config.head_norms == "before":
            key = self.k_norm(key)
        key = turned(key, cos, sin) if self.turns else key
        if self.config.head_norms == "after":
            key = unit(key, self.config.rms_norm_eps)  # its scale, each reader's own, is on the queries
        return key, value

    def queries(self, normed, cos, sin):
        query = self.heads(self.q_proj(normed))
        if self.config.head_norms == "before":
            query = self.q_norm(query)
        query = turned(query, cos, sin) if self.turns else query
        if self.config.head_norms == "after":
            query = self.q_norm(query) * self.read_norm.weight
        return query

    def forward(self, residual, normed, key, value, cos, sin, mask, cache, with_weights):
        if self.is_owner:
            key, value = self.keys_and_values(residual, normed, cos, sin)
            if cache is not None:
                # Static caches of transformers 4 are told where the new ones lie; others know it.
                key, value = cache.update(key, value, self.layer_idx, {"cache_position": mask.places})
        query = self.queries(normed, cos, sin)
        repeat = query.shape[1] // key.shape[1]
        keys, values = key, value
        if repeat > 1:
            keys, values = key.repeat_interleave(repeat, dim=1), value.repeat_interleave(repeat, dim=1)
        additive = mask.additive(keys.shape[2])
        weights = None
        if self.config._attn_implementation == "sdpa" and not with_weights:
            attended = F.scaled_dot_product_attention(
                query, keys, values, attn_mask=additive, is_causal=additive is None and query.shape[2] > 1
            )
        else:
            scores = query @ keys.transpose(2, 3) * self.config.head_dim**-0.5
            if additive is None:
                size = scores.shape[-2:]
                future = torch.ones(size, dtype=torch.bool, device=scores.device).triu(1)
                scores = scores.masked_fill(future, torch.finfo(scores.dtype).min)
            else:
                scores = scores + additive
            weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
            attended = weights @ values
        return self.o_proj(attended.transpose(1, 2).flatten(2)), weights, key, value


class CrossLayerMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
        self.gate_proj = nn.Linear(width, inner, bias=bias)
        self.up_proj = nn.Linear(width, inner, bias=bias)
        self.down_proj = nn.Linear(inner, width, bias=bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class CrossLayerDecoderLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.input_layernorm = CrossLayerRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = CrossLayerAttention(config, layer_idx)
        self.post_attention_layernorm = CrossLayerRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = CrossLayerMLP(config)

    def forward(self, x, *attention):
        """The residual stream after the layer, attention's weights if they are made, and the keys and values it used."""
        attended, weights, key, value = self.self_attn(x, self.input_layernorm(x), *attention)
        x = x + attended
        return x + self.mlp(self.post_attention_layernorm(x)), weights, key, value


class CrossLayerPreTrainedModel(PreTrainedModel):
    config_class = CrossLayerConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["CrossLayerDecoderLayer"]
    _supports_sdpa = True
    _supports_cache_class = True
    _supports_static_cache = True

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, CrossLayerRMSNorm):
            nn.init.ones_(module.weight)


class CrossLayerModel(CrossLayerPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(CrossLayerDecoderLayer(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = CrossLayerRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def set_input_embeddings(self, value):
        self.embed_tokens = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        cache=None,
        inputs_embeds=None,
        use_cache=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
        **kwargs,
    ):
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        cache = past_key_values if cache is None else cache
        checkpointing = self.gradient_checkpointing and self.training
        use_cache = (self.config.use_cache if use_cache is None else use_cache) and not checkpointing
        if use_cache and cache is None:
            cache = DynamicCache()
        if not use_cache and checkpointing:
            cache = None
        past = 0 if cache is None else cache.get_seq_length()
        past = past.clone() if torch.is_tensor(past) else past  # a static cache counts on in place
        if position_ids is None:
            position_ids = torch.arange(x.shape[1], device=x.device)[None] + past
        if isinstance(attention_mask, dict):  # by kind of layer, of which this model has one
            attention_mask = next(iter(attention_mask.values()))
        mask = Mask(attention_mask, past, x.shape[1], x.dtype, x.device)
        cos, sin = rotary(self.config, position_ids, x.dtype)
        with_weights = asked(self.config, "output_attentions", output_attentions)
        owned = {}  # keys and values by owner
        states, attentions = [x], []
        for layer, owner in zip(self.layers, self.config.sharing_pattern):
            inputs = (x, *owned.get(owner, (None, None)), cos, sin, mask, cache, with_weights)
            if checkpointing:
                x, weights, key, value = self._gradient_checkpointing_func(layer.__call__, *inputs)
            else:
                x, weights, key, value = layer(*inputs)
            owned[owner] = (key, value)
            states.append(x)
            attentions.append(weights)
        x = self.norm(x)
        states[-1] = x
        output = BaseModelOutputWithPast(
            last_hidden_state=x,
            hidden_states=tuple(states) if asked(self.config, "output_hidden_states", output_hidden_states) else None,
            attentions=tuple(attentions) if with_weights else None,
            **{CACHE: cache if use_cache else None},
        )
        return output if return_dict is not False else output.to_tuple()


class CrossLayerForCausalLM(CrossLayerPreTrainedModel, GenerationMixin):
    _tied_weights_keys = TIED if int(transformers_version.split(".")[0]) >= 5 else list(TIED)

    def __init__(self, config):
        super().__init__(config)
        self.model = CrossLayerModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.embed_tokens

    def set_input_embeddings(self, value):
        self.model.embed_tokens = value

    def get_output_embeddings(self):
        return self.lm_head

    def set_output_embeddings(self, value):
        self.lm_head = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        cache=None,
        inputs_embeds=None,
        labels=None,
        use_cache=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
        logits_to_keep=0,
        **kwargs,
    ):
        found = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=past_key_values if cache is None else cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(found.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        output = CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            hidden_states=found.hidden_states,
            attentions=found.attentions,
            **{CACHE: getattr(found, CACHE)},
        )
        return output if return_dict is not False else output.to_tuple()


def asked(config, name, given):
    """Whether an output is asked for, in the call or by the config."""
    return bool(getattr(config, name, False) if given is None else given)
