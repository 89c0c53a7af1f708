/** HTTP calls to the server: XSRF token, idempotency key, deadline, and the one error shape. */
import { uuid } from "./ids.js";

export const DEADLINE_MS = 15_000;

/** Any call that did not succeed. `temporary`: the same call, with the same key, may succeed later. */
export class ApiError extends Error {
  constructor({ status = 0, code = "unreachable", message = "The server cannot be reached.", field = null, retryAfterMs = null }) {
    super(message);
    Object.assign(this, { name: "ApiError", status, code, field, retryAfterMs });
    this.temporary = status === 0 || status === 429 || status >= 500;
  }
}

export function cookie(name, text = document.cookie) {
  const pair = text.split("; ").find((one) => one.startsWith(`${name}=`));
  return pair ? decodeURIComponent(pair.slice(name.length + 1)) : "";
}

async function errorOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After"));
  const body = await response.json().catch(() => ({}));
  return new ApiError({
    status: response.status,
    code: "unexpected",
    message: "The server gave an answer that was not expected.",
    ...body.error,
    retryAfterMs: retryAfter ? retryAfter * 1000 : null,
  });
}

export function createApi({ fetch = (...all) => globalThis.fetch(...all), xsrf = () => cookie("_xsrf"), signedOut = () => {} } = {}) {
  /** Answers the parsed body, null for an empty one; throws `ApiError`. Mutations get a key where none is given. */
  async function call(method, path, { body, key, deadlineMs = DEADLINE_MS } = {}) {
    const headers = { Accept: "application/json" };
    if (method !== "GET") {
      headers["X-Xsrftoken"] = xsrf();
      if (method !== "PUT" || key) headers["Idempotency-Key"] = key ?? uuid(); // what PUT sets is the same the second time
    }
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.timeout(deadlineMs),
      });
      if (response.ok) return response.status === 204 ? null : await response.json();
    } catch {
      throw new ApiError({});
    }
    const error = await errorOf(response);
    // The repeated call has the same key, so that whatever was under way when the session ended happens once.
    if (error.code === "not_signed_in" && (await signedOut())) return call(method, path, { body, key: headers["Idempotency-Key"], deadlineMs });
    throw error;
  }

  return {
    get: (path, options) => call("GET", path, options),
    post: (path, body, options) => call("POST", path, { ...options, body }),
    patch: (path, body, options) => call("PATCH", path, { ...options, body }),
    put: (path, options) => call("PUT", path, options),
    delete: (path, options) => call("DELETE", path, options),
  };
}

/** `query("/api/users", {q: "a", after: null})` → `/api/users?q=a`. */
export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
