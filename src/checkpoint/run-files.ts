// What the files of a run's directory are called.

export const runFiles = {
  config: "config.json",
  tokenizer: "tokenizer.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  model: "model.safetensors",
  texts: "tokenizer_config.json",
  chatTemplate: "chat_template.jinja",
} as const;
