// Who is buying: a name that is believed, or somebody with an account.

import { ask, onUnknown, setToken } from "./api.js";
import { byId, kept, say } from "./dom.js";

/** Names are believed (`auth.mode = "open"`). */
export const open = document.documentElement.dataset.users === "believed";

let account = null;

/** Whom to buy as; null, with the question on the screen, while that is not known. */
export function buyer() {
  if (!open) {
    if (!account) askWho();
    return account?.userId ?? null;
  }
  const name = byId("user").value.trim();
  if (name) return name;
  byId("user").focus();
  say("Say first who is buying.");
  return null;
}

/** The same, without a question. */
export const buyerSoFar = () => (open ? byId("user").value.trim() : account?.userId) || null;

function askWho() {
  if (!byId("log-in").open) byId("log-in").showModal();
}

function draw() {
  document.querySelector(".believed").hidden = !open;
  document.querySelector(".known").hidden = open || !account;
  byId("to-log-in").hidden = open || Boolean(account);
  byId("account").textContent = account?.userId ?? "";
}

async function enter(way) {
  const body = { userId: byId("name").value.trim(), password: byId("password").value };
  byId("log-in-wrong").textContent = "";
  try {
    const { data } = await ask("POST", `/api/v1/auth/${way}`, { body });
    account = { userId: data.userId, refresh: data.refreshToken };
    setToken(data.accessToken);
    byId("password").value = "";
    byId("log-in").close();
    say(`Buying as ${account.userId}.`);
  } catch (problem) {
    byId("log-in-wrong").textContent = problem.message;
  }
  draw();
}

async function leave() {
  const refreshToken = account?.refresh;
  account = null;
  setToken(null);
  draw();
  byId("to-log-in").focus();
  if (refreshToken) await ask("POST", "/api/v1/auth/logout", { body: { refreshToken } }).catch(() => {});
}

/** The name in the field, remembered for the next time. */
function believe() {
  const [user, store] = [byId("user"), () => localStorage];
  user.value = kept.get(store, "doorbuster.user") || `u-${1 + Math.floor(Math.random() * 9_999)}`;
  const keep = () => kept.set(store, "doorbuster.user", user.value.trim() || null);
  user.addEventListener("change", keep);
  keep();
}

export function start() {
  if (open) believe();

  byId("to-log-in").addEventListener("click", askWho);
  byId("log-in-close").addEventListener("click", () => byId("log-in").close());
  byId("log-out").addEventListener("click", leave);
  byId("log-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    enter(event.submitter?.value === "register" ? "register" : "login");
  });
  onUnknown(() => {
    account = null;
    draw();
    if (!open) askWho();
  });
  draw();
}
