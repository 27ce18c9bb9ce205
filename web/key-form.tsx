// Asks for the key of a server that wants one.

import { useState } from "preact/hooks";
import { hasKey, keepKey } from "./server/access-key.ts";

/** The field, and what was wrong with the last key if one was given. */
export function KeyForm() {
  const [key, setKey] = useState("");
  const wrong = hasKey();
  const send = (event: Event) => {
    event.preventDefault();
    if (key.trim() !== "") keepKey(key.trim());
  };
  return (
    <form class="card key-form" onSubmit={send}>
      <h1>This server asks for a key</h1>
      <label class="field">
        <span>API key</span>
        <input
          type="password"
          autocomplete="off"
          value={key}
          aria-describedby="key-note"
          aria-invalid={wrong}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <p id="key-note" class={wrong ? "error" : "note"} role={wrong ? "alert" : undefined}>
        {wrong
          ? "The server did not take that key. Give the one it was started with."
          : "It is kept for this tab alone and forgotten when the tab is closed."}
      </p>
      <button type="submit" class="primary">
        Use this key
      </button>
    </form>
  );
}
