"use strict";
// Line charts in SVG, drawn at the width they have and again when that changes.

const carried = JSON.parse(document.getElementById("carried").textContent);
const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"].map((name) => `var(${name})`);
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "1 2"];
const MARGIN = { top: 8, right: 12, bottom: 38, left: 52 };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// Round numbers that cut [low, high] into about `count` parts.
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step + 0);
  return found;
}

function powers(low, high) {
  const found = [];
  for (let at = Math.ceil(Math.log10(low) - 1e-9); at <= Math.log10(high) + 1e-9; at += 1) found.push(10 ** at);
  return found;
}

function written(value, among) {
  const step = among.length > 1 ? Math.abs(among[1] - among[0]) : Math.abs(value) || 1;
  const digits = Math.min(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)), 6);
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

function exponent(value) {
  return value.toExponential(0).replace("e-", "e−").replace("e+", "e");
}

function short(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return Math.abs(value) > 0 && Math.abs(value) < 5e-4
    ? value.toExponential(1).replace("e-", "e−").replace(/^-/, "−")
    : value.toFixed(digits).replace("-", "−");
}

function path(xs, ys) {
  let text = "", pen = "M";
  xs.forEach((x, i) => {
    if (ys[i] === null) { pen = "M"; return; }
    text += `${pen}${x.toFixed(1)} ${ys[i].toFixed(1)}`;
    pen = "L";
  });
  return text;
}

function legend(entries) {
  const list = element("ul", { class: "key" });
  for (const { name, colour, dash, dots } of entries) {
    const swatch = drawn("svg", { width: 26, height: 10, "aria-hidden": "true" });
    if (dots) swatch.append(drawn("circle", { cx: 13, cy: 5, r: 4, fill: colour }));
    else swatch.append(drawn("path", { d: "M1 5H25", stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }));
    list.append(element("li", {}, swatch, name));
  }
  return list;
}

// spec: x, xLabel, label (read aloud), series of {name, y, low, high, colour, dash, dots, x},
// references of {name, y}, log, zero (include it), height.
function lineChart(host, spec) {
  const reading = element("p", { class: "reading", "aria-live": "polite" });
  const entries = spec.series.filter((each) => each.name).concat(
    (spec.references || []).map((each) => ({ name: each.name, colour: "var(--soft)", dash: "5 4" })));
  if (entries.length > 1 || spec.key) host.append(legend(entries));
  const holder = element("div");
  host.append(holder, reading);
  let chosen = null, width = 0;
  const draw = () => {
    holder.replaceChildren(drawLines(spec, width, chosen));
    reading.textContent = chosen === null ? "" : readout(spec, chosen);
  };
  const choose = (index) => {
    chosen = index === null ? null : Math.max(0, Math.min(spec.x.length - 1, index));
    draw();
  };
  holder.addEventListener("pointermove", (event) => {
    const box = holder.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    const wanted = spec.x[0] + share * (spec.x.at(-1) - spec.x[0]);
    let nearest = 0;
    spec.x.forEach((x, i) => { if (Math.abs(x - wanted) < Math.abs(spec.x[nearest] - wanted)) nearest = i; });
    choose(nearest);
  });
  holder.addEventListener("pointerleave", () => choose(null));
  new ResizeObserver(() => {
    const now = Math.max(260, holder.clientWidth);
    if (now !== width) { width = now; draw(); }
  }).observe(holder);
}

function readout(spec, index) {
  const at = `${spec.xName || spec.xLabel} ${short(spec.x[index])}: `;
  return at + spec.series.filter((each) => each.name && !each.x && each.y[index] !== null)
    .map((each) => `${each.name} ${short(each.y[index])}`
      + (each.low ? ` (${short(each.low[index])} to ${short(each.high[index])})` : "")).join(" · ");
}

function drawLines(spec, width, chosen) {
  const height = spec.height || 240;
  const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.label });
  const everything = spec.series.flatMap((each) => [each.y, each.low || [], each.high || []].flat())
    .concat((spec.references || []).map((each) => each.y)).filter((value) => value !== null && (!spec.log || value > 0));
  if (spec.zero) everything.push(0);
  let low = Math.min(...everything), high = Math.max(...everything);
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  const room = 0.05 * (high - low);
  if (spec.log) { low = 10 ** Math.floor(Math.log10(low) + 1e-9); high = 10 ** Math.ceil(Math.log10(high) - 1e-9); if (low === high) low /= 10; }
  else { low -= room; high += room; }
  const form = spec.log ? Math.log10 : (value) => value;
  const first = spec.x[0], last = spec.x.at(-1) === first ? first + 1 : spec.x.at(-1);
  const across = (x) => MARGIN.left + ((x - first) / (last - first)) * (width - MARGIN.left - MARGIN.right);
  const down = (y) => (y === null || (spec.log && y <= 0) ? null
    : height - MARGIN.bottom - ((form(y) - form(low)) / (form(high) - form(low))) * (height - MARGIN.top - MARGIN.bottom));

  const marks = spec.log ? powers(low, high) : ticks(low, high, Math.max(2, Math.round(height / 60)));
  for (const mark of marks) {
    svg.append(drawn("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: down(mark), y2: down(mark) }));
    svg.append(drawn("text", { x: MARGIN.left - 6, y: down(mark) + 4, "text-anchor": "end" }, spec.log ? exponent(mark) : written(mark, marks)));
  }
  const stops = spec.whole ? ticks(first, last, Math.min(8, last - first, width / 60)).filter(Number.isInteger) : ticks(first, last, Math.min(8, width / 80));
  for (const stop of stops) svg.append(drawn("text", { x: across(stop), y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, written(stop, stops)));
  svg.append(drawn("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 4, "text-anchor": "middle" }, spec.xLabel));
  svg.append(drawn("line", { class: "base", x1: MARGIN.left, x2: width - MARGIN.right, y1: height - MARGIN.bottom, y2: height - MARGIN.bottom }));
  if (!spec.log && low < 0 && high > 0) svg.append(drawn("line", { class: "base", x1: MARGIN.left, x2: width - MARGIN.right, y1: down(0), y2: down(0) }));

  for (const each of spec.references || []) {
    svg.append(drawn("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: down(each.y), y2: down(each.y), stroke: "var(--soft)", "stroke-width": 1.5, "stroke-dasharray": "5 4" }));
  }
  for (const each of spec.series.slice().reverse()) drawSeries(svg, each, (each.x || spec.x).map(across), down);
  if (chosen !== null) {
    svg.append(drawn("line", { class: "base", x1: across(spec.x[chosen]), x2: across(spec.x[chosen]), y1: MARGIN.top, y2: height - MARGIN.bottom }));
  }
  return svg;
}

function drawSeries(svg, series, xs, down) {
  const { y, low, high, colour, dash = "", dots, width = 2.2 } = series;
  if (low && !dots) {
    const kept = xs.map((x, i) => i).filter((i) => low[i] !== null && high[i] !== null);
    const there = kept.map((i) => `${xs[i].toFixed(1)} ${down(high[i]).toFixed(1)}`);
    const back = kept.map((i) => `${xs[i].toFixed(1)} ${down(low[i]).toFixed(1)}`).reverse();
    if (kept.length) svg.append(drawn("path", { class: "band", d: `M${there.join("L")}L${back.join("L")}Z`, fill: colour, opacity: 0.2 }));
  }
  if (dots) {
    xs.forEach((x, i) => {
      if (low) svg.append(drawn("line", { x1: x, x2: x, y1: down(low[i]), y2: down(high[i]), stroke: colour, "stroke-width": 2 }));
      svg.append(drawn("circle", { cx: x, cy: down(y[i]), r: 4, fill: colour, stroke: "var(--card)", "stroke-width": 1.5 }));
    });
    return;
  }
  svg.append(drawn("path", { class: "line", d: path(xs, y.map(down)), fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash, "stroke-linejoin": "round" }));
}

// A row of panels that a choice above them fills anew.
function responsePanels(host, picker, answers, panels) {
  const draw = () => {
    const answer = answers[picker.value];
    host.replaceChildren();
    for (const { what, title } of panels) {
      const figure = element("figure", {}, element("figcaption", {}, title));
      host.append(figure);
      const lines = answer[what];
      lineChart(figure, {
        x: lines[0].mean.map((_, lag) => lag), xLabel: "periods since", xName: "after periods", whole: true, zero: true, key: true, height: 220,
        label: `${title} after ${answer.happened}: ` + lines.map((line) => `${line.product} ${short(line.mean[0])} at once`).join(", "),
        series: lines.map((line, i) => ({
          name: line.product, y: line.mean, colour: COLOURS[i], dash: DASHES[i], width: i ? 2 : 3,
          low: line.mean.map((mean, lag) => mean - line.error[lag]), high: line.mean.map((mean, lag) => mean + line.error[lag]),
        })),
      });
    }
  };
  picker.addEventListener("change", draw);
  draw();
}
