// The store, the two tabs, and a game that begins.
import { Game } from "./game.js";
import { ask, element, part } from "./page.js";
import { WhatIf } from "./what_if.js";

const store = await ask("store");
part("name").textContent = store.name;
part("about").textContent = store.about;
document.title = `${store.name}: a store to play with`;
for (const [kind, couple] of Object.entries(store.couples)) {
  const input = element("input", { type: "radio", name: "other", value: kind, checked: kind === "learned" });
  const words = element("span", {}, element("b", {}, kind), element("small", {}, couple.about));
  part("others").append(element("label", {}, input, words));
}

for (const input of part("begin").querySelectorAll("input[name=department]")) {
  if (store.departments.includes(input.value)) continue;
  input.disabled = true;
  input.parentElement.append(element("small", {}, "nothing to decide: every slate of this store shows the same"));
}

const whatIf = new WhatIf(store);
const game = new Game(store, () => whatIf.show());
part("begin").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = new FormData(event.target);
  game.begin(chosen.get("department"), chosen.get("other"));
});

const tabs = [part("tab-play"), part("tab-what-if")];

function open(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    part(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab.id === "tab-what-if") whatIf.show();
}

for (const tab of tabs) tab.addEventListener("click", () => open(tab));
tabs[0].parentElement.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const other = tabs.find((tab) => tab !== document.activeElement);
  other.focus();
  open(other);
});
document.body.dataset.ready = "yes";
