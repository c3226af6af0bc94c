
// How the departments learned: a line for each group (a regime), a band from its lowest to its highest training.

const COLOUR_OF = { mtma: 0, joint: 1, independent: 2, silo: 3, single: 4, "mtma-reversed": 5 };
const curves = carried.curves;
const numbered = (curve) => COLOUR_OF[curve.group] ?? curves.indexOf(curve);
const coloured = (curve) => ({ colour: COLOURS[numbered(curve)], dash: DASHES[numbered(curve)] });
const banded = (curve, band) => (curve.trainings > 1 ? { low: band.low, high: band.high } : {});
const experience = { x: curves[0].millions, xLabel: "experience (million store-periods)", xName: "at million store-periods" };

lineChart(document.getElementById("curve-profit"), {
  ...experience, height: 300, key: true,
  label: "Profit per period over the training, by group: " + curves.map((curve) => `${curve.group} ends at ${short(curve.profit.mean.at(-1))} while exploring`).join("; "),
  series: curves.flatMap((curve) => [
    { name: curves.length > 1 ? null : "without exploration", x: curve.checked_at, y: curve.checked.mean, dots: true, ...coloured(curve), ...banded(curve, curve.checked) },
    { name: curves.length > 1 ? curve.group : "while exploring", y: curve.profit.mean, ...coloured(curve), ...banded(curve, curve.profit) },
  ]),
  references: carried.references,
});
lineChart(document.getElementById("curve-fill"), {
  ...experience, key: true,
  label: "Fill rate over the training, by group: " + curves.map((curve) => `${curve.group} ends at ${short(curve.fill_rate.mean.at(-1))}`).join("; "),
  series: curves.map((curve) => ({ name: curve.group, y: curve.fill_rate.mean, ...coloured(curve), ...banded(curve, curve.fill_rate) })),
});
const clocked = curves.find((curve) => curve.group === carried.group);
lineChart(document.getElementById("curve-rates"), {
  ...experience, x: clocked.millions, log: true,
  label: "Learning rates: " + Object.entries(clocked.rates).map(([clock, rate]) => `${clock} ends at ${short(rate.at(-1))}`).join("; "),
  series: Object.entries(clocked.rates).map(([clock, rate], i) => ({ name: clock === "critic" ? "critic" : `${clock} department`, y: rate, colour: COLOURS[[4, 1, 0][i]], dash: DASHES[[1, 0, 2][i]] })),
});
