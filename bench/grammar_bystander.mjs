// What a hard grammar costs others: a client streams a text from a server while another asks for one whose pattern takes
// very long to follow. Prints the longest time between two of the first's tokens, without and with it, and how the second
// ended. Usage: node bench/grammar_bystander.mjs http://127.0.0.1:8000 MODEL

const [base, model] = process.argv.slice(2);

const ask = (body, signal) =>
  fetch(`${base}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt: "The state of the union", ...body }),
    signal,
  });

/** The longest time between chunks of a streamed text, ms; `meanwhile` is done after the first. */
async function longestGap(meanwhile) {
  const response = await ask({ stream: true, temperature: 1, seed: 1, ignore_eos: true }); // to the context's end
  if (!response.ok) throw new Error(`the first got ${response.status}: ${await response.text()}`);
  let [first, last, longest, other, chunks] = [0, undefined, 0, undefined, 0];
  for await (const _ of response.body) {
    const now = performance.now();
    if (last === undefined) {
      first = now;
      other = meanwhile?.();
    } else longest = Math.max(longest, now - last);
    last = now;
    chunks++;
  }
  const seconds = ((last - first) / 1000).toFixed(1);
  await other;
  return `${longest.toFixed(0)} ms at most between two of ${chunks} tokens in ${seconds} s`;
}

console.log(`alone: ${await longestGap()}`);
const schema = (pattern) => ({ type: "json_schema", json_schema: { name: "x", schema: { type: "string", pattern } } });
for (const pattern of [`^${"[^a]{0,12}".repeat(40)}$`, "^(x+x+)+y$", "^(.*,){20}$", `^${"(a|b|ab)*".repeat(12)}$`]) {
  let end = "";
  const gap = await longestGap(async () => {
    const start = performance.now();
    const response = await ask({ max_tokens: 200, response_format: schema(pattern) });
    const text = await response.text();
    end = `${response.status} after ${((performance.now() - start) / 1000).toFixed(1)} s: ${text.slice(0, 160)}`;
  });
  console.log(`beside ${pattern.slice(0, 30)}: ${gap}; it ended with ${end}`);
}
