"""
Converts an exported Llama folder to GGUF by llama.cpp's own converter: python to_gguf.py <llama.cpp> <folder> <out.gguf>.
The converter knows a byte-level tokenizer by what it makes of one text, and so none that was trained anew: it is told that
this one cuts texts by GPT-2's pattern, as those do that crosslayer trains.

    pip install gguf transformers torch
"""

import sys

root, folder, out = sys.argv[1:]
sys.path[:0] = [root, f"{root}/gguf-py"]

import convert_hf_to_gguf as converter  # noqa: E402

try:
    from conversion.base import TextModel
except ImportError:  # before it was split
    from convert_hf_to_gguf import TextModel

TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
sys.argv[1:] = [folder, "--outfile", out, "--outtype", "f32"]
converter.main()
