// Small helpers. Whatever the server says becomes text, never markup.

export const byId = (id) => document.getElementById(id);

/** An element with a class, a text and children. */
export function el(tag, { cls, text, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The same in SVG. */
export function svg(tag, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Sets a text only where it differs: screen readers and selections are left alone otherwise. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tells those who do not see it. */
export function say(text) {
  byId("said").textContent = text;
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Runs at once and then every `ms` while the page is seen and `wanted` says so. */
export function whileSeen(ms, run, wanted = () => true) {
  let timer;
  const tick = async () => {
    clearTimeout(timer);
    if (document.visibilityState !== "visible") return;
    if (wanted()) await run();
    timer = setTimeout(tick, ms);
  };
  document.addEventListener("visibilitychange", tick);
  tick();
}

/** Something kept for this browser; nothing where it may not keep anything. */
export const kept = {
  get: (store, key) => { try { return store()?.getItem(key); } catch { return null; } },
  set: (store, key, value) => {
    try { value === null ? store().removeItem(key) : store().setItem(key, value); } catch { /* not kept */ }
  },
};
