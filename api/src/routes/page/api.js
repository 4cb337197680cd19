// Asking the API.

/** Why something was not done, as the server said it (RFC 9457). */
export class Problem extends Error {
  constructor({ code, title, detail, details = {}, status = 0 }, retryAfter = 0) {
    super(detail || title || code);
    Object.assign(this, { code, title, detail, details, status, retryAfter });
  }
}

let token = null;
let whenUnknown = () => {};

/** The access token of the buyer; kept in memory only. */
export const setToken = (next) => { token = next; };

/** What to do when the server wants to know who is buying. */
export const onUnknown = (act) => { whenUnknown = act; };

/** Asks; `signed` sends the buyer's token, which must be right wherever it is sent. */
export async function ask(method, path, { body, headers = {}, signed = false, signal } = {}) {
  const init = { method, headers: { accept: "application/json", ...headers }, cache: "no-store", signal };
  if (signed && token) init.headers.authorization = `Bearer ${token}`;
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let answer, text;
  try {
    answer = await fetch(path, init);
    text = await answer.text();
  } catch {
    throw new Problem({ code: "UNREACHABLE", title: "The server cannot be reached" }, 2);
  }
  const retryAfter = Number(answer.headers.get("retry-after")) || 0;
  const type = answer.headers.get("content-type") ?? "";
  const data = /json/.test(type) && text ? JSON.parse(text) : text;
  if (answer.ok) return { status: answer.status, data, retryAfter };
  const told = data?.code ? data : { code: `HTTP_${answer.status}`, title: answer.statusText };
  if (answer.status === 401 && signed) {
    token = null;
    whenUnknown();
  }
  throw new Problem({ ...told, status: answer.status }, retryAfter);
}

/** Names one attempt: sent again with the same name it is the same purchase. */
export function attempt() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
