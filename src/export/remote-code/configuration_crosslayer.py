"""Config of a crosslayer model: a Llama-like decoder whose layers may share keys and values (CLA, arXiv 2405.12981)."""

try:
    from transformers import PreTrainedConfig
except ImportError:  # before 4.56
    from transformers import PretrainedConfig as PreTrainedConfig


class CrossLayerConfig(PreTrainedConfig):
    """
    Sizes go by the names that Llama's config has. What is this model's own:

    sharing_pattern: for each layer the layer whose keys and values it attends to, itself or an earlier owner.
    kv_norm: "own" if an owner norms what keys and values are made of apart from its queries; "shared" as in Llama.
    head_norms: None, or RMS norms of each head's queries and keys: "before" they turn, or "after" as in Hunyuan.
    layers_without_rope: layers whose queries and keys do not turn.
    rope_inverse_frequencies: radians per position of the pairs (i, i + head_dim / 2) that turn; by rope_theta if None.
    rope_amplitude: a factor on their cos and sin.
    crosslayer: the same model in the words of the crosslayer package, which reads it back.
    """

    model_type = "crosslayer"
    keys_to_ignore_at_inference = ["past_key_values", "cache"]

    def __init__(
        self,
        vocab_size=32000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=None,
        head_dim=None,
        sharing_pattern=None,
        max_position_embeddings=2048,
        kv_norm="own",
        head_norms=None,
        layers_without_rope=None,
        rope_theta=10000.0,
        rope_inverse_frequencies=None,
        rope_amplitude=1.0,
        rms_norm_eps=1e-5,
        initializer_range=0.02,
        attention_bias=False,
        attention_output_bias=False,
        mlp_bias=False,
        tie_word_embeddings=True,
        use_cache=True,
        crosslayer=None,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads or num_attention_heads
        self.head_dim = head_dim or hidden_size // num_attention_heads
        self.sharing_pattern = list(range(num_hidden_layers)) if sharing_pattern is None else list(sharing_pattern)
        self.max_position_embeddings = max_position_embeddings
        self.kv_norm = kv_norm
        self.head_norms = head_norms
        self.layers_without_rope = list(layers_without_rope or [])
        self.rope_theta = rope_theta
        self.rope_inverse_frequencies = rope_inverse_frequencies
        self.rope_amplitude = rope_amplitude
        self.rms_norm_eps = rms_norm_eps
        self.initializer_range = initializer_range
        self.attention_bias = attention_bias
        self.attention_output_bias = attention_output_bias
        self.mlp_bias = mlp_bias
        self.use_cache = use_cache
        self.crosslayer = crosslayer
        for layer, owner in enumerate(self.sharing_pattern):
            if not (0 <= owner <= layer and self.sharing_pattern[owner] == owner):
                raise ValueError(f"sharing_pattern: layer {layer} cannot use the keys and values of layer {owner}")
        if len(self.sharing_pattern) != num_hidden_layers:
            raise ValueError(f"sharing_pattern: {num_hidden_layers} layers have {len(self.sharing_pattern)} entries")
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)

    @property
    def kv_sharing_modes(self):
        """Which layers a cache has nothing for, as the caches of transformers ask it."""
        return [None if owner == layer else "reuse" for layer, owner in enumerate(self.sharing_pattern)]
