"""
Goldens of tokenizer.json files as the families have them, and of chat templates, made by Hugging Face's own libraries:
small vocabularies trained here, ids of nasty texts (added tokens found, none added), and rendered chats.

    pip install tokenizers transformers    # made with tokenizers 0.23.3, transformers 5.24.0
    python make-tokenizers.py
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils.chat_template_utils import render_jinja_template

here = Path(__file__).parent
corpus = [
    "The quick brown fox jumps over the lazy dog. The dog, being lazy, didn't mind; the fox's friends did.\n",
    "We the People of the United States, in Order to form a more perfect Union, establish Justice, insure domestic ",
    "function add(a, b) { return a + b; }\n\n\n    indented    text\t\ttabs\r\n 1234 1234 12 99 2024 1990 ",
    "中文 中文 日本語 日本語 👍👍👍 👨‍👩‍👧‍👦 é é שלום שלום مرحبا مرحبا ñandú naïve café",
    "aaaa aaa aa a abab ababab abcabc bcbc abc aabc xabc banana bananas ananas mississippi missis   spaces    more",
] * 3
texts = [
    "", " ", "   ", "\n", " \n \n  x", "a  b   c\t\td \r\n e\r\nf\r", "\0", "a\0b\x01\x1f\x7f\x80", "Hello", " Hello", "  Hello",
    "Hello world", "Hello  world ", "▁", "▁▁ a▁b", " ▁", "👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦👨‍👩‍👧‍👦 👨‍👩‍👧‍👦!", "🏳️‍🌈 🇸🇪🇩🇪 👍🏽 ☺️ 1️⃣",
    "e\u0301 é ñ n\u0303 Z\u0351\u036b\u0343a\u0321l\u0322g\u0321o\u0322", "\u200d\u200b\ufeff\u2060", "\ufeffBOM first",
    "0 1 12 123 1234567890 3.14159 1e-9 ½ ² Ⅷ ٣٤ 二〇二四", "it's I'm we'll they've you're he'd IT'S I'M 'tis ''s 's's ' s",
    "don’t “quote” — dash – … ‹›", "中文分词没有空格。日本語のテキスト、한국어 문장", "שלום עולם \u200fمرحبا بالعالم\u200e ltr \u202ertl\u202c",
    "ไทยไม่มีช่องว่าง हिन्दी में लिखा", "__proto__ constructor toString hasOwnProperty __proto__", "<0x41> <0xe2> <unk> </s>",
    "<s>", "<s> a", "a<s>b", "a <s> b", "<s><s>  x</s>\n", "<|user|>\nHi<|end|>\n<|assistant|>\n  Yes <|end|>x",
    "  <|end|>  y", "<|end|>\t\n z", "mask<mask>mask <mask> a<mask>", "word wordy word, sword word", "<tool>a <tool> b  <tool>",
    "if (a[0] != b) { return /*x*/ `#{c}`; } // https://x.y/z?q=1&r=%20#h",
    "\u00a0nbsp\u00a0\u3000ideographic\u2028line\u2029paragraph\u0085next", "a" * 300, "ab" * 151, "word" * 50 + " " + "9" * 40 + "!?" * 30 + " " * 50,
    "Ġ Ċ ġ Ā ¡ ® ÿ Ŀ ł",
]
added = [
    AddedToken("<|user|>", special=True, normalized=False, rstrip=True),
    AddedToken("<|assistant|>", special=True, normalized=False, rstrip=True),
    AddedToken("<|end|>", special=True, normalized=False, rstrip=True),
    AddedToken("<mask>", special=True, normalized=False, lstrip=True),
    AddedToken("word", special=False, normalized=False, single_word=True),
    AddedToken("<tool>", special=False, normalized=False),
]
llama3_pattern = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def merged(pretokenizer, alphabet, size, specials):
    """Vocabulary and merges of BPE trained on the corpus."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pretokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def sentencepiece(normalizer, pretokenizer, decoder, more=()):
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab, merges = merged(pre_tokenizers.Metaspace(), [], 700, specials)
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pretokenizer:
        tokenizer.pre_tokenizer = pretokenizer
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens(list(more))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def bytelevel(pretokenizer, normalizer=None, ignore_merges=False, template=False, more=()):
    vocab, merges = merged(pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.ByteLevel.alphabet(), 600, ["<|endoftext|>"])
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pretokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    tokenizer.add_tokens(list(more))
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    return tokenizer


spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
fused = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
stripped = decoders.Sequence([*fused, decoders.Strip(" ", 1, 0)])
byte = lambda use_regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)  # noqa: E731
tokenizers = {
    "llama2": sentencepiece(spaces, None, stripped),
    "phi3": sentencepiece(spaces, None, stripped, added),
    "mistral": sentencepiece(None, pre_tokenizers.Metaspace("▁", "first", False), stripped, added),
    "metaspace": sentencepiece(None, pre_tokenizers.Metaspace("▁", "always", True), decoders.Metaspace("▁", "always", True), added),
    "never": sentencepiece(normalizers.Replace(" ", "▁"), None, decoders.Sequence(fused)),
    "gpt2": bytelevel(byte(True), more=added),
    "llama3": bytelevel(
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(llama3_pattern), "isolated"), byte(False)]),
        ignore_merges=True, template=True, more=added,
    ),
    "qwen2": bytelevel(
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(llama3_pattern.replace("{1,3}", "")), "isolated"), byte(False)]),
        normalizer=normalizers.NFC(),
    ),
    "smollm": bytelevel(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte(True)])),
}

templates = {
    "llama2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "llama3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "qwen2": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "qwen3": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and ns.last_query_index == messages|length - 1 %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "phi3": "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
}
turn = lambda role, content: dict(role=role, content=content)  # noqa: E731
chats = [
    [turn("user", "Hi")],
    [turn("system", "Be brief. "), turn("user", "  What's 2 < 3 & \"so\" on?\n"), turn("assistant", "Yes.\n\n</think>\n More"), turn("user", "日本 👍 {{x}} {% if %}")],
    [turn("user", "a"), turn("assistant", "b"), turn("user", "c\\n"), turn("assistant", "d"), turn("user", "e")],
]


def rendered(template):
    found, _ = render_jinja_template(chats, chat_template=template, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")
    return found


if __name__ == "__main__":
    for name, tokenizer in tokenizers.items():
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        (here / f"{name}.json").write_text(json.dumps(dict(tokenizer=json.loads(tokenizer.to_str()), texts=texts, ids=ids)) + "\n")
    cases = [dict(name=name, template=template, rendered=rendered(template)) for name, template in templates.items()]
    (here / "chats.json").write_text(json.dumps(dict(chats=chats, cases=cases)) + "\n")
