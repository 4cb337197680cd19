// The products as cards.

import { buy, onOutcome } from "./buying.js";
import { byId, el, write } from "./dom.js";
import { goods, left, live, now, onChange, phase, whole } from "./goods.js";
import { drawRoom, roomOf } from "./room.js";
import * as words from "./words.js";

const cards = new Map();
/** Sales that are on first, then those to come, then the rest. */
const ORDER = { live: 0, upcoming: 1, ended: 3 };

/** Where a product stands, for its buyers. */
function standing(product) {
  const sale = phase(product);
  if (product.active === false) return "inactive";
  if (sale === "upcoming") return "upcoming";
  if (sale === "ended") return "ended";
  if (left(product) <= 0) return "gone";
  return sale === "live" ? "on" : "plain";
}

const SAID = {
  on: "On sale", upcoming: "Upcoming", plain: "Regular price", gone: "Sold out", ended: "The sale is over",
  inactive: "Not for sale",
};

const secondsTo = (moment) => (Date.parse(moment) - now()) / 1_000;

function build(product) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(name);
  const [name, input, label] = [part(".name"), part("input"), part(".many label")];
  name.id = `product-${product.id}`;
  input.id = `quantity-${product.id}`;
  label.htmlFor = input.id;
  card.dataset.product = product.id;
  card.dataset.sku = product.sku;
  card.setAttribute("aria-labelledby", name.id);
  part(".bar").setAttribute("aria-label", `Units left: ${product.name}`);
  for (const button of card.querySelectorAll("button")) {
    button.setAttribute("aria-describedby", name.id);
  }
  part(".buy").addEventListener("submit", (event) => {
    event.preventDefault();
    const way = event.submitter?.value === "sync" ? "sync" : "async";
    buy(product, Math.max(1, Math.floor(input.valueAsNumber) || 1), way, roomOf(product)?.pass);
  });
  cards.set(product.id, { card, part });
  return card;
}

/** Writes what differs. */
function draw(product) {
  const { card, part } = cards.get(product.id) ?? {};
  if (!card) return;
  const [at, sale] = [standing(product), phase(product)];
  const [units, total] = [left(product), whole(product)];
  card.dataset.state = at;
  if (card.dataset.sale !== String(sale)) {
    card.dataset.sale = String(sale);
    arrange();
  }
  write(part(".words"), SAID[at]);
  write(part(".until"), sale === "live" ? `ends in ${words.clock(secondsTo(product.sale.endsAt))}` : "");
  part(".opens").hidden = at !== "upcoming";
  write(part(".opens"), sale === "upcoming" ? `Opens in ${words.clock(secondsTo(product.sale.startsAt))}` : "");
  write(part(".name"), product.name);
  write(part(".what"), product.description);
  const cheaper = sale === "live" || sale === "upcoming";
  write(part(".price"), words.money(cheaper ? product.sale.flashPrice : product.price, product.currency));
  const off = cheaper ? Math.floor(product.sale.discountPercentage) : 0;
  write(part(".was"), off > 0 ? words.money(product.price, product.currency) : "");
  write(part(".off"), off > 0 ? `−${off} %` : "");

  const bar = part(".bar");
  const share = total ? units / total : 0;
  bar.setAttribute("aria-valuemax", total);
  bar.setAttribute("aria-valuenow", units);
  bar.setAttribute("aria-valuetext", `${units} of ${total}`);
  bar.firstElementChild.style.transform = `scaleX(${share})`;
  card.classList.toggle("few", at !== "upcoming" && share <= 0.1);
  const held = product.stock.reserved ? `, ${words.count(product.stock.reserved)} held` : "";
  const planned = sale === "upcoming" ? product.sale.quantity ?? product.stock.available : null;
  write(part(".units"), planned !== null ? `${words.units(planned)} units`
    : `${words.units(units)} of ${words.units(total)} left${held}`);
  const limit = sale === "live" || sale === "upcoming" ? product.sale.perUserLimit : product.limit;
  write(part(".rules"), limit ? `${limit} to a buyer` : "");
  part("input").max = Math.max(1, Math.min(limit ?? 100, 100));

  const inRoom = drawRoom(product, part, at);
  const open = at === "on" || at === "plain" || at === "gone";
  part(".buy").hidden = !open || inRoom;
}

/** Puts the cards in order, without taking the focus from anybody. */
function arrange() {
  const list = byId("cards");
  if (list.contains(document.activeElement)) return;
  const sorted = [...goods.values()].filter(({ id }) => cards.has(id));
  const rank = ({ id }) => ORDER[cards.get(id).card.dataset.sale] ?? 2;
  sorted.sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  const wanted = sorted.map(({ id }) => cards.get(id).card);
  wanted.forEach((card, i) => { if (list.children[i] !== card) list.insertBefore(card, list.children[i] ?? null); });
}

function drawAll() {
  for (const product of goods.values()) {
    if (!cards.has(product.id)) byId("cards").append(build(product));
    draw(product);
  }
  byId("live").dataset.state = live.problem ? "off" : "on";
  write(byId("live-words"), live.problem ? "Trying to reach the server" : live.pushed ? "Live" : "Live, every second");
  write(byId("shop-wrong"), live.problem ? live.problem.message : "");
  byId("shop-more").hidden = !live.more;
  write(byId("shop-more"), `The first ${goods.size} products of the catalogue.`);
  if (!goods.size && !live.problem) {
    write(byId("shop-wrong"), "There are no products yet: add some with POST /api/v1/products, or run doorbuster seed.");
  }
}

export function start() {
  onChange((product) => (product && cards.has(product.id) ? draw(product) : drawAll()));
  onOutcome(({ product, outcome, good }) => {
    const line = cards.get(product.id)?.part(".outcome");
    if (!line) return;
    line.replaceChildren(el("span", { cls: good === null ? "" : good ? "good" : "bad", text: outcome }));
  });
  // Countdowns, and sales that open and close meanwhile.
  setInterval(() => goods.forEach(draw), 1_000);
}
