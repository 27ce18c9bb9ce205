// Study: what does sharing cost, and what does it save? A study as it stands, also while it runs.

import { useMemo, useState } from "preact/hooks";
import { isShared } from "../../src/model/sharing.ts";
import type { ModelCard, StudyReply } from "../../src/server/page-api.ts";
import { colorsOf } from "../models.ts";
import { Heading } from "../parts/heading.tsx";
import { usePolled } from "../server/polled.ts";
import { requestJson } from "../server/request.ts";
import { Details } from "./details.tsx";
import { LossChart } from "./loss.tsx";
import { Memory } from "./memory.tsx";
import { ParetoChart } from "./pareto.tsx";
import { SummaryTable } from "./summary-table.tsx";
import { SweepChart } from "./sweep.tsx";

/** The view; `served` says whether the server has a study. Colours are those that its models have in all views. */
export function StudyView({ served, models }: { served: boolean; models: readonly ModelCard[] }) {
  return (
    <>
      <Heading title="Study">What does sharing cost, and what does it save?</Heading>
      {served ? (
        <Served models={models} />
      ) : (
        <div class="card empty">
          <p>This server shows no study. Start it with one:</p>
          <pre>npx crosslayer serve --study runs/demo</pre>
          <p class="note">
            “npm run demo” makes that study in about five minutes; the page follows one that is still running.
          </p>
        </div>
      )}
    </>
  );
}

function Served({ models }: { models: readonly ModelCard[] }) {
  const { value: study, error } = usePolled<StudyReply>("study", 2, askUnlessSame);
  const [choice, setChoice] = useState<string>();
  const named = new Set([...(study?.summary ?? []), ...(study?.live ?? [])].map(({ name }) => name));
  const listed = JSON.stringify([...colorsOf(models, study)].filter(([name]) => named.has(name)));
  const colors = useMemo(() => new Map(JSON.parse(listed) as [string, string][]), [listed]);
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
  const shared = study.summary.filter(({ model }) => isShared(model.sharing));
  const row =
    study.summary.find(({ name }) => name === choice) ??
    shared.find(({ onFront }) => onFront) ??
    shared[0] ??
    study.summary[0];
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
      {study.finding.length > 0 && (
        <p class="finding">
          <strong>{study.finding[0]}</strong> {study.finding.slice(1).join(" ")}
        </p>
      )}
      {row && (
        <>
          <ParetoChart rows={study.summary} colors={colors} chosen={row.name} onChoose={setChoice} />
          <Memory rows={study.summary} colors={colors} />
          <Details row={row} id={best.find(({ id }) => id !== undefined)?.id} />
          <SummaryTable rows={study.summary} chosen={row.name} />
        </>
      )}
      {study.summary.some(({ learningRates }) => learningRates.length > 1) && (
        <SweepChart sweep={study.sweep} colors={colors} />
      )}
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
