// The end of a game: what others made of the same customers, and why.
import { lineChart, running } from "./charts.js";
import { amount, ask, element, number, part, signed } from "./page.js";

export async function showEnd(game) {
  const end = part("end");
  end.replaceChildren(element("p", { "aria-live": "polite" }, "The others serve the same customers. This takes some seconds …"));
  const { rows, products } = await ask("result", game.asked);
  const [you, learned] = ["you", "learned"].map((who) => rows.find((row) => row.who === who));
  const why = element("div", {}, element("p", { class: "soft" }, "What one more unit would have been worth is being computed …"));
  end.replaceChildren(
    element("h2", {}, "The same customers, four ways".replace("four", ["", "", "two", "three", "four"][rows.length])),
    element("p", { class: "answer" }, verdict(you, learned)),
    table(["", "profit", "went without", "left each evening", "shelves empty", ...(game.store.ages ? ["thrown away"] : [])],
      rows.map((row) => [row, row.name, number(row.profit), number(row.missed), number(row.left), number(row.empty), ...(game.store.ages ? [number(row.wasted)] : [])])),
    element("p", { class: "small soft" }, "Profit charges each unit's cost when it is sold or thrown away, so that stock left at the end is no loss. Went without: customers whom absence cost, in four weeks. Shelves empty: products and days without stock when customers came."),
    element("div", { class: "two" },
      lineChart("Profit, added up", lines(rows, (days) => running(days.profit)), game.store.week),
      lineChart("Customers who went without, each day", lines([you, learned], (days) => days.missed), game.store.week)),
    element("h3", {}, "Where it comes from"),
    table(["", "profit: you", "learned", "without: you", "learned", "shown: you", "learned"],
      products.slice(0, 5).map((each) => [{}, each.name, ...each.profit.map((x) => number(x)), ...each.missed.map((x) => number(x)), ...each.shown.map((x) => `${number(100 * x)} %`)])),
    element("h3", {}, "Why: what one more unit would have been worth"), why,
    element("h3", {}, "What coordination is"),
    ...lesson(game).map((text) => element("p", {}, text)),
    again(game),
  );
  end.focus();
  end.scrollIntoView();
  const found = await ask("why", game.asked);
  why.replaceChildren(...reasons(found.products, game.store.week));
}

function verdict(you, learned) {
  const apart = learned.profit - you.profit;
  const share = you.profit > 0 ? ` (${signed((100 * apart) / you.profit, 1)} %)` : "";
  if (apart <= 0) return `You earned ${number(you.profit)}, and the learned departments ${number(learned.profit)}: you did better. One store and four weeks are luck, too: try other customers.`;
  return `You earned ${number(you.profit)}. The learned departments earned ${number(learned.profit)} from the same customers: ${number(apart)} more${share}.`;
}

const lines = (rows, values) => rows.map(({ who, name, days }) => ({ who, name, values: values(days) }));

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([row, first, ...cells]) => {
    const name = element("td", {}, ...(row.who ? [element("i", { class: "mark" })] : []), first);
    return element("tr", { class: row.who }, name, ...cells.map((cell) => element("td", {}, cell)));
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function reasons(products, week) {
  const charts = products.map((each) => {
    const both = [{ who: "you", name: "you", values: each.you }, { who: "learned", name: "learned departments", values: each.learned }];
    const day = each.you.reduce((best, worth, at) => (Math.abs(worth) > Math.abs(each.you[best]) ? at : best), 0);
    const worth = each.you[day];
    const said = worth > 0
      ? `On day ${day + 1} one more unit would have brought you ${amount(worth)} over its cost (a sale earns ${amount(each.margin)}): there was too little.`
      : `On day ${day + 1} one more unit would have lost you ${amount(-worth)}: there was enough, or it sold in the place of something better.`;
    const figure = lineChart(`${each.name}: worth of one more unit, less its cost`, both, week);
    figure.append(element("p", { class: "small" }, said));
    return figure;
  });
  return [
    element("p", {}, "Money, in hindsight, had everybody decided the same. High above 0: empty shelves to come. Below 0: a unit too many. Departments that work together keep it near 0 for what they show: they stock what they will show, and show what they have."),
    element("div", { class: "two" }, ...charts),
  ];
}

function lesson(game) {
  const own = game.department === "replenishment"
    ? "You ordered by what sold. But what sells is what is shown, and that changes from day to day: the forecast that you saw was yesterday's slates. The learned orders know the slates of today, and are made for those that will be shown when they arrive."
    : "You chose what is shown. A place on the slate is worth what it sells beyond what would have sold anyway: much for a full shelf, nothing for an empty one, and less than nothing where the last units would have gone to customers who came for them.";
  return [own, "Nobody told the learned departments what the other would do. Both were taught by one number, the store's profit, and so each learned what its decision is worth given the other's. That is coordination. It needs no meeting, but it needs one common goal and sight of the other's decision.",
    "Try the other department next, or the tab “What if”: without lift there is nothing to coordinate, and with longer lead times it matters more."];
}

function again(game) {
  const other = game.department === "replenishment" ? "recommendation" : "replenishment";
  const buttons = [["Again, the same customers", game.department, 0], ["Again, other customers", game.department, 1], [`Now as ${other}`, other, 0]]
    .map(([text, department, more]) => {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => game.begin(department, game.other, game.customers + more));
      return button;
    });
  const back = element("button", { type: "button" }, "Choose anew");
  back.addEventListener("click", () => { game.show("begin"); part("begin").querySelector("input").focus(); });
  return element("div", { class: "buttons" }, ...buttons, back);
}
