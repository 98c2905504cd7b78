import * as echarts from "echarts";
import { phases } from "../contender.ts";
import type { Summary } from "./statistics.ts";

const width = 1000;
const rowHeight = 260;
const topMargin = 60;
/** Where the logarithmic axes begin, in seconds. */
const floor = 0.1;

/** The phases that were measured, in their order. */
const phasesOf = (group: readonly Summary[]) => phases.filter((phase) => group.some((one) => one.phase === phase));

/** Wall times as an SVG: a row for each set of conditions and number of clones, a group of bars for each phase. */
export function chart(summaries: readonly Summary[]): string {
  const rows = [...Map.groupBy(summaries, ({ conditions, clones }) => `${conditions}, ${clones} clones`)];
  const contenders = [...new Set(summaries.map(({ contender }) => contender))];
  const height = topMargin + rows.length * rowHeight;
  const top = (index: number) => topMargin + index * rowHeight;
  const drawn = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  drawn.setOption({
    animation: false,
    backgroundColor: "#fff",
    legend: { top: 10, itemGap: 30 },
    title: rows.map(([title], index) => ({
      text: `${title}: wall seconds, median`,
      top: top(index),
      left: 60,
      textStyle: { fontSize: 14, fontWeight: "normal" },
    })),
    grid: rows.map((_, index) => ({ top: top(index) + 35, height: rowHeight - 80, left: 60, right: 20 })),
    xAxis: rows.map(([, group], index) => ({ type: "category", gridIndex: index, data: phasesOf(group) })),
    yAxis: rows.map((_, index) => ({ type: "log", gridIndex: index, min: floor, startValue: floor })),
    series: rows.flatMap(([, group], index) =>
      contenders.map((contender) => ({
        name: contender,
        type: "bar" as const,
        barMaxWidth: 45,
        xAxisIndex: index,
        yAxisIndex: index,
        label: { show: true, position: "top" as const, fontSize: 9 },
        data: phasesOf(group).map((phase) => {
          const median = group.find((one) => one.contender === contender && one.phase === phase)?.of.wallSeconds
            ?.median;
          return median === undefined ? "-" : Number(median.toPrecision(3));
        }),
      })),
    ),
  });
  const svg = drawn.renderToSVGString();
  drawn.dispose();
  return svg;
}
