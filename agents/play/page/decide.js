// What a department sees in the morning, and the controls with which it decides.
import { amount, element, number } from "./page.js";

export function choices(store, department, morning, before) {
  return department === "replenishment" ? orders(store, morning, before) : slates(store, morning, before);
}

function fact(label, value, attributes = {}) {
  return element("span", attributes, element("small", {}, label), value);
}

function stockFact(units) {
  return fact("on hand", units > 0 ? number(units) : "0, empty", units > 0 ? {} : { class: "empty" });
}

const coming = (rows) => fact("coming", rows.map((units) => number(units)).join(", "));
const percent = (share) => `${number(100 * share)} %`;

function fillers(named, fill) {
  const buttons = Object.entries(named).map(([name, values]) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => fill(values));
    return button;
  });
  return element("div", { class: "buttons" }, element("span", {}, "Fill in:"), ...buttons);
}

function orders(store, seen) {
  const packs = (units, product) => store.pack[product] * Math.round(Math.max(0, units) / store.pack[product]);
  const asSold = seen.sold.map(packs);
  const covered = seen.protected.map((units, product) => packs(units - seen.position[product], product));
  const inputs = store.products.map((name, product) =>
    element("input", {
      type: "number", inputmode: "numeric", min: 0, max: 100000, step: store.pack[product], required: true,
      value: seen.due[product] ? asSold[product] : 0, readonly: !seen.due[product], "aria-label": `order of ${name}`,
    }),
  );
  const rows = store.products.map((name, product) => {
    const facts = element("div", { class: "facts" }, stockFact(seen.on_hand[product]), coming(seen.coming[product]),
      fact("forecast", number(seen.forecast[product], 1)), fact("sold", number(seen.sold[product])),
      fact("lost", number(seen.lost[product])), fact("shown", percent(seen.shown[product])),
      fact("earns", amount(store.price[product] - store.cost[product])));
    if (seen.last_day) facts.append(fact("last day", number(seen.last_day[product])));
    if (!seen.due[product]) facts.append(fact("order", "not today"));
    return element("li", {}, element("span", { class: "what" }, name), facts, inputs[product]);
  });
  const fill = (values) => inputs.forEach((input, product) => { if (seen.due[product]) input.value = values[product]; });
  const content = element("div", {},
    element("p", {}, `How many units of each do you order? What is ordered now arrives ${leadTimes(store)}. Coming: by day, tomorrow's first. Sold and lost: yesterday. Shown: how much of customers' attention recommendation gives it today. Earns: price less cost.${seen.last_day ? " Last day: what can be sold today for the last time." : ""}`),
    fillers({ "as sold yesterday": asSold, "up to the forecast until it arrives": covered }, fill),
    element("ul", { class: "items" }, ...rows));
  return { content, first: inputs.find((input) => !input.readOnly), read: () => inputs.map((input) => Math.round(Number(input.value))) };
}

function leadTimes(store) {
  const [least, most] = [Math.min(...store.lead_time), Math.max(...store.lead_time)];
  if (most === 0) return "at once";
  const days = most === 1 ? "day" : "days";
  return least === most ? `after ${most} ${days}` : `after ${least} to ${most} ${days}`;
}

function slates(store, seen, before) {
  const margin = store.products.map((_, product) => store.price[product] - store.cost[product]);
  const best = (worth) => store.segments.map((_, segment) =>
    store.products.map((_, product) => [worth(segment, product), product])
      .sort((a, b) => b[0] - a[0]).slice(0, store.slots).map(([, product]) => product));
  const liked = best((segment, product) => seen.taste[segment][product]);
  const earning = best((segment, product) => seen.taste[segment][product] * margin[product]);
  const there = best((segment, product) => seen.taste[segment][product] * margin[product] * (seen.on_hand[product] > 0));
  const start = before ?? liked;
  const label = (segment, product) =>
    `${store.products[product]} · ${number(seen.on_hand[product])} there · earns ${amount(margin[product])} · ${percent(seen.taste[segment][product])}`;
  const selects = store.segments.map((name, segment) =>
    Array.from({ length: store.slots }, (_, slot) => {
      const options = store.products.map((_, product) => element("option", { value: product, selected: product === start[segment][slot] }, label(segment, product)));
      return element("select", { "aria-label": `place ${slot + 1} for ${name}` }, ...options);
    }),
  );
  selects.forEach((places) => places.forEach((select) => select.addEventListener("change", () => exchange(places, select))));
  const fill = (values) => selects.forEach((places, segment) => places.forEach((select, slot) => keep(select, values[segment][slot])));
  fill(start);
  const shelf = store.products.map((name, product) => {
    const facts = element("div", { class: "facts" }, stockFact(seen.on_hand[product]), coming(seen.coming[product]),
      fact("forecast", number(seen.forecast[product], 1)), fact("sold", number(seen.sold[product])), fact("earns", amount(margin[product])));
    if (seen.last_day) facts.append(fact("last day", number(seen.last_day[product])));
    return element("li", {}, element("span", { class: "what" }, name), facts);
  });
  const crowd = seen.arrivals.reduce((sum, each) => sum + each, 0) || 1;
  const segments = store.segments.map((name, segment) =>
    element("li", {}, element("span", { class: "what" }, name, element("small", {}, ` ${percent(seen.arrivals[segment] / crowd)} of customers`)),
      element("div", { class: "slots" }, ...selects[segment])));
  const content = element("div", {},
    element("p", {}, `What do you show to each group of customers? The first of ${store.slots} place${store.slots === 1 ? "" : "s"} is seen most. What is shown sells more today; what is sold out cannot. In percent: how many of the group would choose it if nothing were shown.`),
    fillers({ "what they like": liked, "what earns most": earning, "what earns most and is there": there }, fill),
    element("ul", { class: "items segments" }, ...segments),
    element("details", {}, element("summary", {}, "The shelf"), element("ul", { class: "items" }, ...shelf)));
  return { content, first: selects[0][0], read: () => selects.map((places) => places.map((select) => Number(select.value))) };
}

function keep(select, value) {
  select.value = value;
  select.dataset.kept = value;
}

// A product has one place on a slate: choosing it again exchanges the two.
function exchange(places, changed) {
  const twin = places.find((each) => each !== changed && each.value === changed.value);
  if (twin) keep(twin, changed.dataset.kept);
  keep(changed, changed.value);
}
