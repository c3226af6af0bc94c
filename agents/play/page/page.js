// Elements, numbers and questions to the server.

export const part = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

export function number(value, places = 0) {
  if (value === null) return "–";
  const text = value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  return text.replace("-", "−");
}

// Decimals at which an amount of this size shows so many figures, four at most.
export const decimals = (size, figures = 2) => (size ? Math.min(4, Math.max(0, figures - 1 - Math.floor(Math.log10(Math.abs(size))))) : 0);

// Small numbers to two figures, large ones whole.
export const amount = (value) => number(value, Number.isInteger(value) ? 0 : decimals(value));

export const signed = (value, places) => (value > 0 ? "+" : "") + number(value, places);

// The answer to a question; what cannot be is shown at the top of the page, one line.
export async function ask(path, body) {
  const sent = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let said;
  try {
    const reply = await fetch(path, sent);
    said = await reply.json();
    if (!reply.ok) throw new Error(said.error);
  } catch (error) {
    const gone = error instanceof TypeError;
    tell(gone ? "The server does not answer: was it ended in the terminal?" : error.message);
    throw error;
  }
  tell("");
  return said;
}

function tell(message) {
  part("trouble").textContent = message;
  part("trouble").hidden = !message;
}
