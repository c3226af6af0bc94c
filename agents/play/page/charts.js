// Lines over days.
import { decimals, drawn, element, number } from "./page.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [420, 190, 48, 8, 8, 22];

// `lines`: [{ who, name, values }], one value for each day.
export function lineChart(caption, lines, weeks) {
  const all = lines.flatMap((line) => line.values).concat(0);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const days = lines[0].values.length;
  const across = (day) => LEFT + (day / Math.max(1, days - 1)) * (WIDTH - LEFT - RIGHT);
  const up = (value) => TOP + ((high - value) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": caption });
  for (const value of new Set([low, 0, high])) {
    const at = up(value);
    svg.append(drawn("line", { class: value ? "rule" : "base", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }));
    svg.append(drawn("text", { x: LEFT - 5, y: at + 4, "text-anchor": "end" }, number(value, decimals(high - low))));
  }
  for (let week = 0; week * weeks < days; week += 1) {
    const at = across(week * weeks);
    svg.append(drawn("line", { class: "rule", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }));
    svg.append(drawn("text", { x: at + 2, y: HEIGHT - 6 }, `week ${week + 1}`));
  }
  for (const line of lines) {
    const points = line.values.map((value, day) => `${across(day).toFixed(1)},${up(value).toFixed(1)}`).join(" ");
    svg.append(drawn("polyline", { class: line.who, points }));
  }
  return element("figure", {}, element("figcaption", {}, caption, legend(lines)), svg);
}

function legend(lines) {
  const names = lines.map(({ who, name }) => element("span", { class: who }, element("i", { class: "mark" }), name));
  return element("div", { class: "legend small soft" }, ...names);
}

// A mean with its interval, on a scale from `low` to `high`.
export function intervalBar(mean, [from, to], low, high) {
  const across = (value) => 2 + (96 * (value - low)) / (high - low || 1);
  const svg = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(drawn("line", { class: "track", x1: 0, x2: 100, y1: 5, y2: 5, "vector-effect": "non-scaling-stroke" }));
  svg.append(drawn("line", { class: "reach", x1: across(from), x2: across(to), y1: 5, y2: 5, "vector-effect": "non-scaling-stroke" }));
  svg.append(drawn("line", { class: "reach", x1: across(mean), x2: across(mean), y1: 1, y2: 9, "vector-effect": "non-scaling-stroke" }));
  return svg;
}

export const running = (values) => values.reduce((sums, each) => [...sums, (sums.at(-1) ?? 0) + each], []);
