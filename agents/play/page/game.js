// A game from the first morning to the last evening. It is what was decided so far; the server
// simulates its days from that.
import { choices } from "./decide.js";
import { showEnd } from "./end.js";
import { amount, ask, element, number, part } from "./page.js";

export class Game {
  constructor(store, ready) {
    this.store = store;
    this.ready = ready; // called when the server has nothing to do for the game
    this.customers = 1;
  }

  async begin(department, other, customers = this.customers) {
    Object.assign(this, { department, other, customers, decisions: [] });
    this.show("day");
    part("day").replaceChildren(element("p", { "aria-live": "polite" }, "The store is being opened. The first time takes some seconds …"));
    await this.ask({});
    this.morning();
    // While the first day is thought about: what others make of the same customers.
    this.others = ask("others", { customers });
    this.others.then(this.ready, () => {});
  }

  get asked() {
    const own = this.department === "replenishment" ? "orders" : "slates";
    return { department: this.department, other: this.other, customers: this.customers, [own]: this.decisions };
  }

  async ask(more) {
    this.state = await ask("play", { ...this.asked, ...more });
    this.decisions = this.state.decisions;
  }

  show(...ids) {
    for (const id of ["begin", "week", "day", "end"]) part(id).hidden = !ids.includes(id);
  }

  morning() {
    const { day, days, morning } = this.state;
    const earned = days.profit.reduce((sum, each) => sum + each, 0);
    const heading = element("h2", { tabindex: "-1" }, `Day ${day + 1} of ${this.store.days}${morning.open ? "" : ": closed, nobody comes"}`);
    const so_far = element("p", { class: "soft", "aria-live": "polite" }, this.yesterday(), ` Earned so far: ${amount(earned)}.`);
    const progress = element("progress", { class: "bar", value: day, max: this.store.days, "aria-label": "days played" });
    this.choices = choices(this.store, this.department, morning, this.decisions.at(-1));
    const left = this.store.week - (day % this.store.week) - 1;
    const rest = element("button", { type: "button" }, `Rest of the week like this`);
    rest.addEventListener("click", () => this.decide(left));
    const buttons = element("div", { class: "buttons" }, element("button", { class: "go" }, "Open the doors (Enter)"), rest);
    const meaning = this.department === "replenishment" ? "Rest of the week: what sells is ordered again." : "Rest of the week: the same is shown.";
    buttons.append(element("span", {}, meaning));
    const form = element("form", {}, this.choices.content, buttons);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.decide(0);
    });
    part("day").replaceChildren(heading, progress, so_far, form);
    this.show("day");
    (this.choices.first ?? heading).focus({ preventScroll: day > 0 });
    if (this.choices.first?.select) this.choices.first.select();
  }

  yesterday() {
    const { day, days } = this.state;
    if (!day) return "The shop was opened with a few days of stock.";
    const [profit, sold, missed] = ["profit", "sold", "missed"].map((name) => days[name][day - 1]);
    const without = missed >= 0.5 ? `${number(missed)} customer${missed < 1.5 ? "" : "s"} went without` : "nobody went without";
    return `Yesterday ${number(sold)} units sold, ${without}; profit ${amount(profit)}.`;
  }

  async decide(repeat) {
    if (this.waits) return;
    const decision = this.choices.read();
    const before = [this.decisions, this.state.weeks.length];
    this.decisions = [...this.decisions, decision];
    this.waits = true;
    try {
      await this.ask({ repeat });
    } catch {
      this.decisions = before[0];
      return;
    } finally {
      this.waits = false;
    }
    if (this.state.weeks.length > before[1]) this.week();
    else this.morning();
  }

  week() {
    const week = this.state.weeks.at(-1);
    const over = this.state.morning === null;
    const on = element("button", { class: "go" }, over ? "See what others made of these customers" : `On to week ${week.number + 1}`);
    on.addEventListener("click", () => (over ? this.end() : this.morning()));
    part("week").replaceChildren(
      element("h2", {}, `Week ${week.number}: ${amount(week.profit)} earned`),
      ...week.facts.map((fact) => element("p", {}, fact)),
      element("p", { class: "hint" }, week.hint),
      element("div", { class: "buttons" }, on),
    );
    this.show("week");
    on.focus();
    part("week").scrollIntoView({ block: "nearest" });
  }

  async end() {
    this.show("end");
    await showEnd(this);
  }
}
