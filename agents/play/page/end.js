// The end of a game: what others made of the same customers, and why.
import { lineChart, running } from "./charts.js";
import { amount, ask, element, number, part, signed } from "./page.js";

const EXPLAINED = 3; // products whose worth of one more unit is drawn

export async function showEnd(game) {
  const end = part("end");
  end.replaceChildren(element("p", { "aria-live": "polite" }, "The others serve the same customers …"));
  const [you, { others }] = await Promise.all([ask("end", game.asked), game.others]);
  const paths = [you, ...others];
  const learned = paths.find((path) => path.who === "learned");
  const names = game.store.products;
  const apart = names.map((_, product) => learned.products.profit[product] - you.products.profit[product]);
  const order = names.map((_, product) => product).sort((a, b) => Math.abs(apart[b]) - Math.abs(apart[a]));
  const { ages, week } = game.store;
  end.replaceChildren(
    element("h2", {}, "The same customers"),
    element("p", { class: "answer" }, verdict(you, learned)),
    element("p", {}, whoWent(you, learned)),
    table(["", "profit", "without", "left", "empty", ...(ages ? ["waste"] : [])],
      paths.map(({ who, days }) => [{ who }, who, amount(total(days.profit)), ...[total(days.missed), total(days.left) / days.left.length, total(days.empty), ...(ages ? [total(days.wasted)] : [])].map((each) => number(each))])),
    element("p", { class: "small soft" }, "Profit charges each unit's cost when it is sold or thrown away, so that stock left at the end is no loss. Without: customers whom absence cost. Left: units each evening, on average. Empty: shelves without stock when customers came, added up over days." + (ages ? " Waste: units thrown away." : "")),
    element("div", { class: "two" },
      lineChart("Profit, added up", lines(paths, (days) => running(days.profit)), week),
      lineChart("Customers who went without, each day", lines([you, learned], (days) => days.missed), week),
      ...(ages ? [lineChart("Units thrown away, each day", lines([you, learned], (days) => days.wasted), week)] : []),
      lineChart("Units left, each evening", lines([you, learned], (days) => days.left), week)),
    element("h3", {}, "Where it comes from"),
    element("p", {}, whereFrom(names, apart, order, you, learned)),
    table(["you / learned", "profit", "without", "shown to", ...(ages ? ["waste"] : [])],
      order.slice(0, 5).map((product) => [{}, names[product], both(you, learned, "profit", product), both(you, learned, "missed", product), both(you, learned, "shown", product, 100, " %"), ...(ages ? [both(you, learned, "wasted", product)] : [])])),
    element("h3", {}, "Why: what one more unit would have been worth"),
    ...reasons(order.slice(0, EXPLAINED), you, learned, game.store),
    element("h3", {}, "What coordination is"),
    ...lesson(game).map((text) => element("p", {}, text)),
    again(game),
  );
  end.focus();
  end.scrollIntoView();
}

const total = (values) => values.reduce((sum, each) => sum + each, 0);
const lines = (paths, values) => paths.map(({ who, name, days }) => ({ who, name, values: values(days) }));

function both(you, learned, what, product, times = 1, unit = "") {
  const said = what === "profit" ? amount : number;
  return [you, learned].map((path) => said(times * path.products[what][product])).join(" / ") + unit;
}

function verdict(you, learned) {
  const [yours, theirs] = [total(you.days.profit), total(learned.days.profit)];
  const share = yours > 0 ? ` (${signed((100 * (theirs - yours)) / yours, 1)} %)` : "";
  if (theirs <= yours) return `You earned ${amount(yours)}, the learned departments ${amount(theirs)}: you did better. Four weeks of one store are luck, too: try other customers.`;
  return `You earned ${amount(yours)}. The learned departments earned ${amount(theirs)} from the same customers: ${amount(theirs - yours)} more${share}.`;
}

function whoWent(you, learned) {
  const [missed, left] = ["missed", "left"].map((name) => total(learned.days[name]) - total(you.days[name]));
  const customers = missed > 0 ? "let more customers go without" : "let fewer customers go without";
  const stock = left > 0 ? "kept more on the shelf" : "kept less on the shelf";
  return `They ${customers} than you, and ${stock}. Neither is the aim: what counts is which customers are served, with what.`;
}

function whereFrom(names, apart, order, you, learned) {
  const said = (product, verb) => `${names[product]}, which they showed to ${number(100 * learned.products.shown[product])} % and you to ${number(100 * you.products.shown[product])} %, ${verb} ${amount(Math.abs(apart[product]))}`;
  const [more, less] = [order.find((product) => apart[product] > 0), order.find((product) => apart[product] < 0)];
  const parts = [];
  if (more !== undefined) parts.push(said(more, "earned them more than you: by"));
  if (less !== undefined) parts.push(said(less, "earned them less than you: by"));
  return `${parts.join("; ")}. Both departments have a part in that: a product earns when it is shown and there.`;
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([{ who }, first, ...cells]) => {
    const name = element("td", {}, ...(who ? [element("i", { class: "mark" })] : []), first);
    return element("tr", { class: who }, name, ...cells.map((cell) => element("td", {}, cell)));
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function reasons(products, you, learned, store) {
  const charts = products.map((product) => {
    const drawn = [you, learned].map(({ who, name, worth }) => ({ who, name, values: worth.map((day) => day[product]) }));
    const yours = drawn[0].values;
    const day = yours.reduce((best, worth, at) => (Math.abs(worth) > Math.abs(yours[best]) ? at : best), 0);
    const sale = amount(store.price[product] - store.cost[product]);
    const said = yours[day] > 0
      ? `On the morning of day ${day + 1}, one more unit would have brought you ${amount(yours[day])} over its cost (a sale earns ${sale}): there was too little.`
      : `On the morning of day ${day + 1}, one more unit would have cost you ${amount(-yours[day])} (a sale earns ${sale}): it would have lain, or sold in the place of something better.`;
    const figure = lineChart(`${store.products[product]}: worth of one more unit, less its cost`, drawn, store.week);
    figure.append(element("p", { class: "small" }, said));
    return figure;
  });
  return [
    element("p", {}, "Money, in hindsight, had everybody decided the same. Near what a sale earns: the shelf was about to be empty, and the unit would have been sold to somebody who left. At 0: neither too little nor too much. Below: a unit too many."),
    element("div", { class: "two" }, ...charts),
  ];
}

function lesson(game) {
  const own = game.department === "replenishment"
    ? "You ordered by a forecast. It is an average of what was asked for while other things were shown; what sells next week is what will be shown then. An order is right for the slates that it will meet."
    : "You chose what is shown. A place on the slate is worth what it sells beyond what would have sold anyway: much for a full shelf, nothing for an empty one, and less than nothing where the last units would have gone to customers who came for them.";
  const taught = game.store.common_goal
    ? "Nobody told the learned departments what the other would do. Both were taught by one number, the store's profit, and so each learned what its decision is worth given the other's. That is coordination: one goal, and sight of what the other does."
    : "The learned departments of this run were each taught by a number of their own, and not by the store's profit. What one profit for both would add, a run with another --regime shows.";
  const next = game.store.departments.length > 1 ? "Try the other department next, or the" : "Try the";
  return [own, taught, `${next} tab “What if”: without lift, what is shown changes nothing, and there is nothing to coordinate.`];
}

function again(game) {
  const other = game.department === "replenishment" ? "recommendation" : "replenishment";
  const buttons = [["Again, the same customers", game.department, 0], ["Again, other customers", game.department, 1], [`Now as ${other}`, other, 0]]
    .filter(([, department]) => game.store.departments.includes(department))
    .map(([text, department, more]) => {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => game.begin(department, game.other, game.customers + more));
      return button;
    });
  const back = element("button", { type: "button" }, "Choose anew");
  back.addEventListener("click", () => {
    game.show("begin");
    part("begin").querySelector("input").focus();
  });
  return element("div", { class: "buttons" }, ...buttons, back);
}
