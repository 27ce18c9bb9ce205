// A button that copies a text, also where the browser allows pages without encryption no clipboard.

import { useEffect, useState } from "preact/hooks";

const toldForMs = 1600;

/** The button; it says so when the text is copied. */
export function CopyButton({ text }: { text: string }) {
  const [told, setTold] = useState<"Copied" | "Not copied">();
  useEffect(() => {
    if (told === undefined) return;
    const timer = setTimeout(() => setTold(undefined), toldForMs);
    return () => clearTimeout(timer);
  }, [told]);
  return (
    <button type="button" class="quiet" onClick={async () => setTold((await copied(text)) ? "Copied" : "Not copied")}>
      {told ?? "Copy"}
    </button>
  );
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy"); // old, and works without encryption
    area.remove();
    return done;
  }
}
