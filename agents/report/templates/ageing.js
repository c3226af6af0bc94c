
// The same for goods that age: stock by age, waste, and who was shown what was about to expire.
const LONGER = "--shelf";

class AgeingPlayer extends Player {
  get ages() { return this.story.ageing; }

  // The oldest first; the last band keeps longest, or for ever.
  colourOf(band) { return band === this.ages.bands.length - 1 ? LONGER : `--old${band}`; }

  drawShelf(story, day, product, segment) {
    super.drawShelf(story, day, product, segment);
    [...this.part("shelf").children].forEach((item, i) => {
      const [what, units, bar] = item.firstChild.children;
      const late = this.ages.last_day[day][i], have = story.on_hand[day][i];
      const stock = bar.querySelector(".have");
      const width = have ? parseFloat(stock.style.width) / have : 0;
      let from = 0;
      stock.replaceWith(...this.ages.by_age[day].map((band, age) => {
        const left = from * width;
        from += band[i];
        return element("i", { style: `left:${left}%;width:${band[i] * width}%;background:var(${this.colourOf(age)})` });
      }));
      if (late === 0) return;
      what.querySelector(".badge")?.classList.add("late");
      units.prepend(element("span", { class: "late-units" }, `${late} last day`));
    });
  }

  drawStrips(story, day, product, segment) {
    super.drawStrips(story, day, product, segment);
    const of = (rows) => rows.map((row) => row[product]);
    const bands = this.ages.bands.map((name, age) => [name, this.colourOf(age), of(this.ages.by_age.map((rows) => rows[age]))]);
    const due = story.pipeline.map((rows) => rows.reduce((sum, row) => sum + row[product], 0));
    const sold = of(story.sold), away = of(story.turned_away), wasted = of(this.ages.wasted), late = of(this.ages.last_day);
    const seen = story.attention.map((rows) => rows[segment][product]);
    const [stock, , sales, attention] = this.part("strips").children;
    stock.replaceWith(this.strip("Stock by days left", [...bands, ["on order", "--coming", due]], day,
      `${story.on_hand[day][product]} on hand, ${late[day]} on their last day, ${due[day]} on order`));
    sales.replaceWith(this.strip("Sales", [["sold", "--c3", sold], ["wasted", "--old0", wasted], ["turned away", "--away", away]], day,
      `${sold[day]} sold, ${wasted[day]} wasted, ${away[day]} turned away`));
    attention.replaceWith(this.strip(`Attention, ${story.segments[segment]}`, [
      ["with units on their last day", "--old0", seen.map((each, at) => (late[at] ? each : 0))],
      ["without", "--eye", seen.map((each, at) => (late[at] ? 0 : each))],
    ], day, `${seen[day].toFixed(2)} here, ${story.mean_attention[day][product].toFixed(2)} over all customers`, 1));
    this.part("strips").prepend(this.lastDays(day));
  }

  // What became of all units on their last day, whatever the product.
  lastDays(day) {
    const { shown, sold, wasted } = this.ages.ending;
    const all = shown.map((each, at) => Math.round(each + sold[at] + wasted[at]));
    return this.strip("All units on their last day", [
      ["sold, shown", "--c3", shown], ["sold, unseen", "--unshown", sold], ["wasted", "--old0", wasted],
    ], day, all[day] ? `${all[day] - wasted[day]} sold, ${wasted[day]} wasted` : "none today", Math.max(1, ...all));
  }
}
