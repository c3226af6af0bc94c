"use strict";
// One store's time: a shelf for the day, and strips over all days for one product.

const STRIP = { left: 34, right: 6, top: 4, bottom: 16 };
const PACE = 700; // milliseconds a day

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

class Player {
  constructor(root, stories) {
    this.root = root;
    this.stories = stories;
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.timer = null;
    for (const name of ["story", "product", "segment"]) this.part(name).addEventListener("change", () => this.draw());
    this.part("day").addEventListener("input", () => this.draw());
    this.part("play").addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    this.part("back").addEventListener("click", () => this.move(-1));
    this.part("next").addEventListener("click", () => this.move(1));
    root.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(this.part("strips"));
    this.draw();
  }

  get story() { return this.stories[this.part("story").value]; }
  get day() { return Number(this.part("day").value); }
  get product() { return Number(this.part("product").value); }
  get segment() { return Number(this.part("segment").value); }
  get days() { return this.story.on_hand.length; }

  move(by) {
    this.part("day").value = Math.max(0, Math.min(this.days - 1, this.day + by));
    this.draw();
  }

  start() {
    if (this.day === this.days - 1) this.part("day").value = 0;
    this.timer = setInterval(() => (this.day < this.days - 1 ? this.move(1) : this.stop()), PACE);
    this.mark(true);
    this.draw();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.mark(false);
    this.draw();
  }

  mark(playing) {
    this.part("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
    this.part("now").setAttribute("aria-live", playing ? "off" : "polite");
  }

  // Arrows step through days wherever in the player the keyboard is, but not in a list of choices.
  onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target.matches("select, input")) return;
    event.preventDefault();
    this.move(by);
  }

  draw() {
    const { story, day, product, segment } = this;
    this.part("now").textContent = `Day ${day + 1} of ${this.days}`;
    this.part("day").setAttribute("aria-valuetext", `day ${day + 1}`);
    this.drawShelf(story, day, product, segment);
    this.drawStrips(story, day, product, segment);
  }

  drawShelf(story, day, product, segment) {
    const due = (at, i) => story.pipeline[at].reduce((sum, row) => sum + row[i], 0);
    this.part("shelf-day").textContent = `The shelf on day ${day + 1}`;
    const list = this.part("shelf");
    if (list.childElementCount !== story.products.length) {
      list.replaceChildren(...story.products.map((_, i) => {
        const button = element("button", { type: "button" });
        button.addEventListener("click", () => { this.part("product").value = i; this.draw(); });
        return element("li", {}, button);
      }));
    }
    const ranks = [...new Set(story.attention[day][segment].filter((each) => each > 0))].sort((a, b) => b - a);
    story.products.forEach((name, i) => {
      const most = Math.max(1, ...story.on_hand.map((row, at) => row[i] + due(at, i)));
      const have = story.on_hand[day][i], coming = due(day, i), seen = story.attention[day][segment][i];
      const button = list.children[i].firstChild;
      button.setAttribute("aria-pressed", i === product);
      const what = element("span", { class: "what", title: name });
      if (seen > 0) what.append(element("span", { class: "badge", title: "place on the slate" }, String(ranks.indexOf(seen) + 1)));
      what.append(name);
      const bar = element("span", { class: "bar", "aria-hidden": "true" },
        element("i", { class: "have", style: `left:0;width:${(100 * have) / most}%` }),
        element("i", { class: "due", style: `left:${(100 * have) / most}%;width:${(100 * coming) / most}%` }));
      const units = element("span", { class: "units" }, coming ? `${have} + ${coming}` : String(have));
      button.replaceChildren(what, units, bar);
    });
  }

  drawStrips(story, day, product, segment) {
    const of = (rows) => rows.map((row) => row[product]);
    const stock = of(story.on_hand), ordered = of(story.ordered), sold = of(story.sold), away = of(story.turned_away);
    const due = story.pipeline.map((rows) => rows.reduce((sum, row) => sum + row[product], 0));
    const seen = story.attention.map((rows) => rows[segment][product]);
    const arrivals = story.pipeline[day].map((row, l) => [row[product], l + 1]).filter(([units]) => units > 0)
      .map(([units, l]) => `${units} in ${l} ${l === 1 ? "day" : "days"}`).join(", ");
    this.part("strips").replaceChildren(
      this.strip("Stock", [["on hand", "--shelf", stock], ["on order", "--coming", due]], day,
        `${stock[day]} on hand, ${due[day]} on order${arrivals ? ` (${arrivals})` : ""}`),
      this.strip("Orders", [["ordered", "--order", ordered]], day, `${ordered[day]} ordered`),
      this.strip("Sales", [["sold", "--c3", sold], ["turned away", "--away", away]], day, `${sold[day]} sold, ${away[day]} turned away`),
      this.strip(`Attention, ${story.segments[segment]}`, [["attention", "--eye", seen]], day,
        `${seen[day].toFixed(2)} here, ${story.mean_attention[day][product].toFixed(2)} over all customers`, 1));
  }

  // Bars by day, layers on top of each other, the chosen day marked.
  strip(title, layers, day, told, most = null) {
    const width = Math.max(220, this.part("strips").clientWidth), height = 92;
    const top = most || Math.max(1, ...layers[0][2].map((_, at) => layers.reduce((sum, layer) => sum + layer[2][at], 0)));
    const step = (width - STRIP.left - STRIP.right) / this.days;
    const down = (value) => height - STRIP.bottom - (value / top) * (height - STRIP.top - STRIP.bottom);
    const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} on day ${day + 1}: ${told}` });
    svg.append(drawn("rect", { x: STRIP.left + day * step, y: 0, width: step, height: height - STRIP.bottom, fill: "var(--wash)", stroke: "var(--soft)" }));
    for (let at = 0; at < this.days; at += 1) {
      let base = 0;
      for (const [, colour, values] of layers) {
        if (values[at] > 0) {
          svg.append(drawn("rect", {
            x: STRIP.left + at * step + step * 0.12, width: step * 0.76, y: down(base + values[at]),
            height: down(base) - down(base + values[at]), fill: `var(${colour})`,
          }));
        }
        base += values[at];
      }
    }
    svg.append(drawn("line", { class: "base", x1: STRIP.left, x2: width - STRIP.right, y1: down(0), y2: down(0) }));
    for (const mark of [0, top]) svg.append(drawn("text", { x: STRIP.left - 5, y: down(mark) + (mark ? 9 : 3), "text-anchor": "end" }, String(mark)));
    for (let at = 6; at < this.days; at += 7) svg.append(drawn("text", { x: STRIP.left + (at + 0.5) * step, y: height - 3, "text-anchor": "middle" }, String(at + 1)));
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const at = Math.floor((((event.clientX - box.left) / box.width) * width - STRIP.left) / step);
      this.part("day").value = Math.max(0, Math.min(this.days - 1, at));
      this.draw();
    });
    const head = element("h4", {}, element("span", { style: "color:var(--ink);font-weight:600" }, title));
    const key = element("span");
    for (const [name, colour] of layers.length > 1 ? layers : []) key.append(element("i", { class: "dot", style: `background:var(${colour})` }), name);
    head.append(key, element("span", {}, told));
    return element("div", { class: "strip" }, head, svg);
  }
}
