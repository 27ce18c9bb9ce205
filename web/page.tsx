// The page's frame: header, navigation, and the view that the address asks for. Knows which models are served; what
// the views show is theirs.

import { useEffect, useMemo } from "preact/hooks";
import type { ModelsReply } from "../src/server/page-api.ts";
import { CacheView } from "./cache/view.tsx";
import { ChatView } from "./chat/view.tsx";
import { KeyForm } from "./key-form.tsx";
import { Colors, colorsOf } from "./models.ts";
import { addressOf, useRoute, type View, views } from "./route.ts";
import { useKeyRefused } from "./server/access-key.ts";
import { usePolled } from "./server/polled.ts";
import { requestJson } from "./server/request.ts";
import { SharingView } from "./sharing/view.tsx";
import { StudyView } from "./study/view.tsx";
import { ThemeButton } from "./theme.tsx";

/** Everything. */
export function Page() {
  const { view, parameters } = useRoute();
  const refused = useKeyRefused();
  useEffect(() => {
    document.title = `${views[view]} · crosslayer`;
    window.scrollTo(0, 0);
  }, [view]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <div class="top-row">
          <a class="brand" href={addressOf("chat")}>
            <Mark />
            crosslayer
          </a>
          <nav aria-label="Views">
            {(Object.keys(views) as View[]).map((name) => (
              <a key={name} href={addressOf(name)} aria-current={name === view ? "page" : undefined}>
                {views[name]}
              </a>
            ))}
            <a href="docs">API</a>
          </nav>
          <ThemeButton />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {refused ? <KeyForm /> : <Content view={view} model={parameters.get("model") ?? undefined} />}
      </main>
    </>
  );
}

function Content({ view, model }: { view: View; model: string | undefined }) {
  const { value, error } = usePolled<ModelsReply>("models", 15, (signal) => requestJson("/api/models", signal));
  const colors = useMemo(() => colorsOf(value?.models ?? []), [value]);
  if (!value) {
    if (error) {
      return (
        <p class="error" role="alert">
          {error.message}
        </p>
      );
    }
    return <p class="note">Asking the server which models it has …</p>;
  }
  const { models, study } = value;
  return (
    <Colors.Provider value={colors}>
      <div hidden={view !== "chat"}>
        <ChatView models={models} preselected={view === "chat" ? model : undefined} visible={view === "chat"} />
      </div>
      {view === "cache" && <CacheView models={models} />}
      {view === "sharing" && <SharingView models={models} />}
      {view === "study" && <StudyView served={study} models={models} />}
    </Colors.Provider>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <g stroke="var(--surface)" fill="none" stroke-width="3" stroke-linecap="round">
        <path d="M9 8v15M9 13c0 5 14 1 14 10" />
        <circle cx="9" cy="8.500" r="2" fill="var(--surface)" />
        <circle cx="23" cy="23" r="2" fill="var(--surface)" />
      </g>
    </svg>
  );
}
