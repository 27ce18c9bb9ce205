// Study: what does sharing cost, and what does it save? A study as it stands, also while it runs.

import { useMemo, useState } from "preact/hooks";
import { colorOf } from "../../src/charts/palette.ts";
import type { StudyReply } from "../../src/server/page-api.ts";
import { Heading } from "../parts/heading.tsx";
import { usePolled } from "../server/polled.ts";
import { requestJson } from "../server/request.ts";
import { Details } from "./details.tsx";
import { LossChart } from "./loss.tsx";
import { ParetoChart } from "./pareto.tsx";
import { SummaryTable } from "./summary-table.tsx";
import { SweepChart } from "./sweep.tsx";

/** The view; `served` says whether the server has a study. */
export function StudyView({ served }: { served: boolean }) {
  return (
    <>
      <Heading title="Study">What does sharing cost, and what does it save?</Heading>
      {served ? (
        <Served />
      ) : (
        <div class="card empty">
          <p>This server shows no study. Start it with one:</p>
          <pre>crosslayer serve --study runs/demo</pre>
          <p class="note">
            “npm run demo” makes that study in about three minutes; the page follows one that is still running.
          </p>
        </div>
      )}
    </>
  );
}

function Served() {
  const { value: study, error } = usePolled<StudyReply>("study", 2, askUnlessSame);
  const [choice, setChoice] = useState<string>();
  const names = [...(study?.summary ?? []), ...(study?.live ?? [])].map(({ name }) => name);
  const listed = [...new Set(names)].join("\n");
  const colors = useMemo(() => new Map(listed.split("\n").map((name, i) => [name, colorOf(i)])), [listed]);
  if (!study) {
    if (error) {
      return (
        <p class="error" role="alert">
          {error.message}
        </p>
      );
    }
    return <p class="note">Reading the study …</p>;
  }
  const row = study.summary.find(({ name }) => name === choice) ?? study.summary.find(({ onFront }) => onFront);
  const best = study.results.filter((run) => run.name === row?.name && run.learningRate === row.learningRate);
  const { length: finished } = study.results;
  return (
    <>
      <p class="study-title">
        <strong>{study.title}</strong>{" "}
        <span class="note">
          {finished} {finished === 1 ? "run" : "runs"} finished
          {study.live.length > 0 && `, ${study.live.length} under way`}
        </span>
      </p>
      {error && (
        <p class="error" role="alert">
          {error.message}
        </p>
      )}
      {row && (
        <>
          <ParetoChart rows={study.summary} chosen={row.name} onChoose={setChoice} />
          <Details row={row} id={best.find(({ id }) => id !== undefined)?.id} />
          <SummaryTable rows={study.summary} chosen={row.name} />
        </>
      )}
      {study.sweep.length > 0 && <SweepChart sweep={study.sweep} colors={colors} />}
      {finished + study.live.length > 0 ? (
        <LossChart study={study} colors={colors} />
      ) : (
        <p class="card empty">No run has begun yet.</p>
      )}
    </>
  );
}

// The same object where nothing has changed, so that charts are not drawn again.
async function askUnlessSame(signal: AbortSignal, last: StudyReply | undefined): Promise<StudyReply> {
  const next = await requestJson<StudyReply>("/api/study", signal);
  return last && JSON.stringify(last) === JSON.stringify(next) ? last : next;
}
