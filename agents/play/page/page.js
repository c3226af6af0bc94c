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

export function number(value, decimals = 0) {
  if (value === null) return "–";
  const text = value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return text.replace("-", "−");
}

// One decimal for small numbers, none for large ones.
export const amount = (value) => number(value, Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 1);

export const signed = (value, decimals) => (value > 0 ? "+" : "") + number(value, decimals);

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
