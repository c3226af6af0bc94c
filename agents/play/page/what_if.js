// Four things to move, and what the departments earn then.
import { intervalBar } from "./charts.js";
import { ask, decimals, element, number, part, signed } from "./page.js";

const PAUSE = 120; // milliseconds without a move before the store is simulated

export class WhatIf {
  constructor(store) {
    this.store = store;
    this.asked = 0;
    this.inputs = {};
    const keeps = store.longest_life + 1;
    const times = (value) => `× ${number(Number(value), 2)}`;
    const days = (value) => (Number(value) ? `${signed(Number(value), 0)} day${Math.abs(value) === 1 ? "" : "s"}` : "as it is");
    const life = (value) => (Number(value) === keeps ? "as it is" : `${value} day${Number(value) === 1 ? "" : "s"}`);
    this.add("lift", "Lift", "What it is worth to be shown. At 0, nothing that is shown changes what sells: there is nothing to coordinate.", 0, 2, 0.25, 1, times);
    this.add("lead_time", "Lead time", "How long an order takes. The longer, the earlier replenishment must know what will be shown.", -store.most_lead_time, store.most_lead_time, 1, 0, days);
    this.add("margin", "Margin", "What a sale earns, at the same price. With a small one, a unit left over costs more than a customer lost.", 0.25, 1.75, 0.25, 1, times);
    this.add("shelf_life", "Shelf life", "How long goods can be sold. Short ones make every unit too many waste: show it, or never order it.", 1, keeps, 1, keeps, life);
    this.keeps = keeps;
    const reset = element("button", { type: "reset" }, "As the store is");
    part("moves").append(element("div", { class: "buttons" }, reset));
    part("moves").addEventListener("submit", (event) => event.preventDefault());
    part("moves").addEventListener("reset", () => setTimeout(() => this.moved()));
  }

  add(name, title, about, min, max, step, value, said) {
    const output = element("output", { for: name });
    const input = element("input", { id: name, type: "range", min, max, step, value, "aria-describedby": `about-${name}` });
    const tell = () => {
      output.textContent = said(input.value);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => this.moved());
    this.inputs[name] = { input, tell };
    tell();
    part("moves").append(element("div", {}, element("label", { for: name }, title, output), input, element("p", { class: "small soft", id: `about-${name}` }, about)));
  }

  show() {
    if (!this.asked) this.moved();
  }

  moved() {
    for (const { tell } of Object.values(this.inputs)) tell();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), this.asked ? PAUSE : 0);
    this.asked ||= 1;
  }

  async ask() {
    this.asked += 1;
    const turn = this.asked;
    const value = (name) => Number(this.inputs[name].input.value);
    const life = value("shelf_life");
    part("answers").classList.add("busy");
    part("what-if-state").textContent = this.answered ? "Simulating …" : "Compiling, once: some seconds, up to a minute for a large store …";
    const started = performance.now();
    const { answers, stores, periods } = await ask("what-if", { lift: value("lift"), lead_time: value("lead_time"), margin: value("margin"), shelf_life: life === this.keeps ? 0 : life });
    if (turn !== this.asked) return;
    part("answers").classList.remove("busy");
    part("what-if-state").textContent = `${this.answered ? "Simulated" : "Compiled and simulated"} in ${number((performance.now() - started) / 1000, 2)} seconds.`;
    this.answered = true;
    part("measured").textContent = `Mean of ${stores} stores over ${periods} days, with its 95 % interval, all on the same customers.`;
    this.draw(answers);
  }

  draw(answers) {
    const ends = answers.flatMap((each) => each.profit_ci95);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    this.usual ??= new Map(answers.map(({ who, profit }) => [who, profit])); // the first is the store as it is
    const places = Math.max(...ends.map((end, at) => decimals(end - answers[at >> 1].profit))); // two figures of the narrowest interval
    const ages = answers.some((each) => each.wasted > 0);
    part("scale").textContent = `The lines run from ${number(low, places)} to ${number(high, places)}.`;
    part("answers").replaceChildren(...answers.map((each) => {
      const half = (each.profit_ci95[1] - each.profit_ci95[0]) / 2;
      const more = each.who === "tuned" ? "the others are compared with it" : `${signed(each.more, places)} (${number(each.more_ci95[0], places)} to ${number(each.more_ci95[1], places)}) against tuned`;
      const usual = `as the store is: ${number(this.usual.get(each.who), places)}`;
      const units = `${number(each.missed, 1)} went without${ages ? `, ${number(each.wasted, 1)} thrown away` : ""} a day`;
      return element("li", { class: each.who },
        element("span", {}, element("i", { class: "mark" }), each.name, element("small", {}, element("br"), units)),
        intervalBar(each.profit, each.profit_ci95, low, high),
        element("span", { class: "number" }, element("b", {}, number(each.profit, places)), ` ± ${number(half, places)}`, element("small", {}, element("br"), more, element("br"), usual)));
    }));
  }
}
