// Loss by step: finished runs at their models' best learning rates, and runs under way, dashed.

import * as Plot from "@observablehq/plot";
import { useCallback, useState } from "preact/hooks";
import { lossPlot } from "../../src/charts/loss-plot.ts";
import { rateText } from "../../src/charts/quantity.ts";
import type { LiveRun, StudyReply } from "../../src/server/page-api.ts";
import { mean } from "../../src/tensor/estimate.ts";
import { Chart } from "../parts/chart.tsx";
import { Segments } from "../parts/field.tsx";
import { Legend } from "../parts/legend.tsx";

const kinds = [
  ["loss", "Training"],
  ["validation", "Validation"],
] as const;

/** Points of a training curve that are shown as their mean. */
const smoothedPoints = 9;

type Kind = (typeof kinds)[number][0];
type Run = LiveRun & { readonly live: boolean };

interface Point {
  readonly run: Run;
  readonly id: string;
  readonly step: number;
  readonly loss: number;
}

/** The chart; models by their colours. */
export function LossChart({ study, colors }: { study: StudyReply; colors: ReadonlyMap<string, string> }) {
  const [kind, setKind] = useState<Kind>("loss");
  const draw = useCallback((): Plot.PlotOptions => {
    const points = pointsOf(study, kind);
    const color = ({ run }: Point) => colors.get(run.name);
    const runs = [...new Set(points.map(({ run }) => run))].sort((a, b) => Number(a.live) - Number(b.live));
    const lines = runs.map((run) => ({
      ...{ color: colors.get(run.name), live: run.live },
      points: points.filter((point) => point.run === run),
    }));
    const plot = lossPlot(lines, { ticks: { steps: 5, losses: 5 }, lineWidth: 1.5 });
    return {
      ...{ marginLeft: 48, marginTop: 12, marginBottom: 44 },
      ...plot,
      marks: [
        ...plot.marks,
        Plot.axisX({ ticks: [], label: "steps →", labelOffset: 40 }),
        Plot.dot(points.filter(isOnlyPoint), { x: "step", y: "loss", fill: color }),
        Plot.tip(
          points,
          Plot.pointer({
            ...{ x: "step", y: "loss" },
            title: ({ run, step, loss }: Point) =>
              `${run.name}${run.live ? ", under way" : ""}\nlearning rate ${rateText(run.learningRate)}, seed ${run.seed}\nstep ${step} of ${run.steps}: ${loss.toFixed(3)}`,
          }),
        ),
      ],
    };
  }, [study, kind, colors]);
  const under = study.live.length;
  return (
    <figure class="card">
      <figcaption>
        <div class="figure-head">
          <h2>Loss by step</h2>
          <Segments label="Loss" value={kind} options={kinds} onChange={setKind} />
        </div>
        <p class="note">
          Nats per token, after the first steps{kind === "loss" && `, means over ${smoothedPoints} points`}.{" "}
          {under > 0 && `Dashed: ${under === 1 ? "a run that is" : `${under} runs that are`} under way.`}
        </p>
        <Legend colors={colors} />
      </figcaption>
      <Chart draw={draw} height={300} live={under > 0} label={`Loss by training step of ${colors.size} models`} />
    </figure>
  );
}

// Without the first quarter of a finished run, which dwarfs all differences, and the first steps of one under way.
function pointsOf({ results, summary, live }: StudyReply, kind: Kind): Point[] {
  const best = new Map(summary.map(({ name, learningRate }) => [name, learningRate]));
  const finished = results.filter(({ name, learningRate }) => best.get(name) === learningRate);
  const runs: Run[] = [
    ...finished.map((run) => ({ ...run, live: false })),
    ...live.map((run) => ({ ...run, live: true })),
  ];
  const smooth = kind === "loss" ? Math.floor(smoothedPoints / 2) : 0;
  return runs.flatMap((run) => {
    const curve = run.curve.filter((point) => Number.isFinite(point[kind]));
    const start = run.live ? Math.min(run.steps / 4, (run.curve.at(-1)?.step ?? 0) / 2) : run.steps / 4;
    return curve.flatMap(({ step }, i) => {
      if (step < start) return [];
      const near = curve.slice(Math.max(0, i - smooth), i + smooth + 1).map((point) => point[kind] as number);
      return [{ run, id: `${run.name} ${run.learningRate} ${run.seed} ${run.live}`, step, loss: mean(near) }];
    });
  });
}

function isOnlyPoint({ id }: Point, _index: number, points: readonly Point[]): boolean {
  return points.filter((point) => point.id === id).length === 1;
}
