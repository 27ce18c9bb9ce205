// Where a question is written: below what was said, as wide as it. Enter sends; Shift+Enter breaks the line.

import type { RefObject } from "preact";
import type { Mode } from "./turn.ts";

/** The form. */
export function Composer(props: {
  mode: Mode;
  prompt: string;
  busy: boolean;
  ready: boolean;
  empty: boolean;
  field: RefObject<HTMLTextAreaElement | null>;
  onPrompt: (prompt: string) => void;
  onSend: () => void;
  onStop: () => void;
  onClear: () => void;
}) {
  const { mode, prompt, busy, ready, empty, field, onPrompt, onSend, onStop, onClear } = props;
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.isComposing) return;
    if (event.shiftKey && !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    onSend();
  };
  return (
    <form
      class="composer card"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      <label class="field">
        <span>{mode === "chat" ? "Message" : "Text to continue"}</span>
        <textarea
          ref={field}
          rows={2}
          value={prompt}
          onInput={(event) => onPrompt(event.currentTarget.value)}
          onKeyDown={onKey}
        />
      </label>
      <div class="actions">
        {/* Keys: one button that turned from Stop to Send while it is clicked would send. */}
        {busy ? (
          <button key="stop" type="button" class="primary" onClick={onStop}>
            Stop
          </button>
        ) : (
          <button key="send" type="submit" class="primary" disabled={!ready}>
            Send
          </button>
        )}
        <button type="button" onClick={onClear} disabled={empty}>
          Clear
        </button>
        <span class="note">{busy ? "Escape stops" : "Enter sends, Shift+Enter breaks the line"}</span>
      </div>
    </form>
  );
}
