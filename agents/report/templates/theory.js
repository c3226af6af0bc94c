// Lines of the theory page: profit lost, order-up-to levels, responses.

function panel(host, title) {
  const figure = element("figure", {}, element("figcaption", {}, title));
  document.getElementById(host).append(figure);
  return figure;
}

for (const { what, at, lines } of carried.views) {
  if (at.length < 2) continue;
  lineChart(panel("curves", what), {
    x: at, xLabel: what, zero: true, height: 220,
    label: `Profit lost in percent over ${what}: ` + lines.map((line) => `${line.name} from ${short(line.lost[0])} to ${short(line.lost.at(-1))}`).join("; "),
    series: lines.map((line, i) => ({ name: line.name, y: line.lost, colour: COLOURS[[3, 1, 0][i]], dash: DASHES[i] })),
  });
}
for (const { product, other, at, lines } of carried.levels) {
  lineChart(panel("levels", `product ${product}: ordered up to (units)`), {
    x: at, xLabel: `on hand, product ${other}`, whole: true, height: 220,
    label: `Product ${product} is ordered up to: ` + lines.map((line) => `with ${line.own} on hand, ${line.level[0]} to ${line.level.at(-1)} units`).join("; "),
    series: lines.map((line, i) => ({ name: `${line.own} on hand`, y: line.level, colour: COLOURS[i], dash: DASHES[i] })),
  });
}
const choice = document.getElementById("response-choice");
choice.append(...carried.answers.map((answer, i) => element("option", { value: i }, answer.happened)));
responsePanels(document.getElementById("response-panels"), choice, carried.answers, [
  { what: "attention", title: "attention (share of customers)" }, { what: "ordered", title: "orders (units)" },
  { what: "on_hand", title: "on hand (units)" }, { what: "sold", title: "sales (units)" },
]);
