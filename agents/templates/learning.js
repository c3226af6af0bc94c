
// How the departments learned: a line for each regime, a band from its lowest to its highest training.

const COLOUR_OF = { mtma: 0, joint: 1, independent: 2, silo: 3, single: 4, "mtma-reversed": 5 };
const curves = carried.curves;
const coloured = (curve) => ({ colour: COLOURS[COLOUR_OF[curve.regime]], dash: DASHES[COLOUR_OF[curve.regime]] });
const banded = (curve, band) => (curve.trainings > 1 ? { low: band.low, high: band.high } : {});
const experience = { x: curves[0].millions, xLabel: "experience (million store-periods)", xName: "at million store-periods" };

lineChart(document.getElementById("curve-profit"), {
  ...experience, height: 300, key: true,
  label: "Profit per period over the training, by regime: " + curves.map((curve) => `${curve.regime} ends at ${short(curve.profit.mean.at(-1))} while exploring`).join("; "),
  series: curves.flatMap((curve) => [
    { name: `${curve.regime}, without exploration`, x: curve.checked_at, y: curve.checked.mean, dots: true, ...coloured(curve), ...banded(curve, curve.checked) },
    { name: `${curve.regime}, while exploring`, y: curve.profit.mean, ...coloured(curve), ...banded(curve, curve.profit) },
  ]),
  references: carried.references,
});
lineChart(document.getElementById("curve-fill"), {
  ...experience, key: true,
  label: "Fill rate over the training, by regime: " + curves.map((curve) => `${curve.regime} ends at ${short(curve.fill_rate.mean.at(-1))}`).join("; "),
  series: curves.map((curve) => ({ name: curve.regime, y: curve.fill_rate.mean, ...coloured(curve), ...banded(curve, curve.fill_rate) })),
});
const clocked = curves.find((curve) => curve.regime === carried.regime);
lineChart(document.getElementById("curve-rates"), {
  ...experience, x: clocked.millions, log: true,
  label: "Learning rates: " + Object.entries(clocked.rates).map(([clock, rate]) => `${clock} ends at ${short(rate.at(-1))}`).join("; "),
  series: Object.entries(clocked.rates).map(([clock, rate], i) => ({ name: clock === "critic" ? "critic" : `${clock} department`, y: rate, colour: COLOURS[[4, 1, 0][i]], dash: DASHES[[1, 0, 2][i]] })),
});
