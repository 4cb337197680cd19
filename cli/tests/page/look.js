// What is wrong with the page as it stands: names that are missing, letters that are hard to read, what sticks out.
const wrong = [];
const seen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const tell = (node) => `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ""}.${node.className} "${node.textContent.trim().slice(0, 40)}"`;
const named = (node) => {
  const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
  return by.trim() || node.getAttribute("aria-label")?.trim() || [...(node.labels ?? [])].map((label) => label.textContent).join("").trim();
};

for (const node of document.querySelectorAll("input, select, textarea, progress, [role=meter], dialog")) {
  if (!named(node)) wrong.push(`without a label: ${tell(node)}`);
}
for (const node of document.querySelectorAll("button, a, h1, h2, h3, th")) {
  if (seen(node) && !named(node) && !node.textContent.trim()) wrong.push(`without a name: ${tell(node)}`);
}
for (const node of document.querySelectorAll("img")) {
  if (!node.hasAttribute("alt")) wrong.push(`without a text: ${node.src}`);
}
for (const node of document.querySelectorAll("svg")) {
  if (!node.hasAttribute("aria-hidden") && !named(node)) wrong.push("a drawing without a name");
}
for (const node of document.querySelectorAll("button, input, select")) {
  if (!seen(node)) continue;
  const { width, height } = node.getBoundingClientRect();
  // WCAG 2.2, 2.5.8: 24 by 24 at least.
  if (width < 24 || height < 24) wrong.push(`too small to hit: ${tell(node)}`);
}
if (!document.documentElement.lang) wrong.push("no language");
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
if (!document.querySelector("main") || !document.querySelector("[aria-live]")) wrong.push("no main, or nothing that tells news");
const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => wrong.push(`twice: #${id}`));

// WCAG 2.2, 1.4.3: 4.5 to 1, large letters 3 to 1.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
  const part = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const color = rgba(getComputedStyle(at).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
};
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own || !seen(node) || node.closest(".hide, .skip, [aria-disabled=true], option")) continue;
  const style = getComputedStyle(node);
  const [a, b] = [light(rgba(style.color)), light(ground(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) wrong.push(`hard to read (${ratio.toFixed(2)}): ${tell(node)}`);
}

const wide = document.documentElement;
if (wide.scrollWidth > wide.clientWidth) wrong.push(`${wide.scrollWidth} wide on ${wide.clientWidth}`);
return wrong;
