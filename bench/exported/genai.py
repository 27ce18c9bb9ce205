"""
Writes on by onnxruntime-genai from an exported ONNX folder: python genai.py <folder> [prompt]. Its tokenizer adds nothing to a
prompt, so what begins a text is put before it here.

    pip install onnxruntime-genai
"""

import json
import sys

import onnxruntime_genai as og

folder, prompt = sys.argv[1], (sys.argv[2:] or ["My fellow Americans"])[0]
model = og.Model(folder)
tokenizer = og.Tokenizer(model)
begin = json.load(open(f"{folder}/tokenizer_config.json"))
first = [json.load(open(f"{folder}/genai_config.json"))["model"]["bos_token_id"]] if begin["add_bos_token"] else []
ids = first + [int(token) for token in tokenizer.encode(prompt)]
params = og.GeneratorParams(model)
params.set_search_options(max_length=len(ids) + 16, do_sample=False)
generator = og.Generator(model, params)
generator.append_tokens(ids)
while not generator.is_done():
    generator.generate_next_token()
print(f"onnxruntime-genai {og.__version__}:", tokenizer.decode(generator.get_sequence(0)))
