// The wire: what the browser keeps, calls to the service, and the stream of events.

const PAUSE_FIRST = 800;
const PAUSE_LONGEST = 20_000;
/** The service says something every 15 seconds; after this long without a byte the line is dead. */
const SILENCE_MAX = 40_000;

/** localStorage under a prefix, or memory where the browser forbids it. */
class Keep {
  constructor(prefix) {
    this.prefix = prefix;
    this.memory = new Map();
    try {
      localStorage.setItem(`${prefix}?`, "");
      localStorage.removeItem(`${prefix}?`);
      this.storage = localStorage;
    } catch {
      this.storage = null;
    }
  }

  get(name) {
    return this.storage ? this.storage.getItem(this.prefix + name) : (this.memory.get(name) ?? null);
  }

  set(name, value) {
    try {
      this.storage?.setItem(this.prefix + name, value);
    } catch {
      this.storage = null; // full: go on in memory
    }
    this.memory.set(name, value);
  }

  remove(name) {
    this.storage?.removeItem(this.prefix + name);
    this.memory.delete(name);
  }

  names(start) {
    const all = this.storage ? Object.keys(this.storage) : [...this.memory.keys()].map((name) => this.prefix + name);
    return all.filter((name) => name.startsWith(this.prefix + start)).map((name) => name.slice(this.prefix.length)).sort();
  }
}

/** A call that was answered with an error (`status`), or not at all (`status` 0). */
class CallError extends Error {
  constructor(status, message = "", retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** What a refusal says, in the page's language where we have it. */
const said = (body) => WORDS.refusals[body?.error] ?? body?.message;

const randomId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const backoff = (attempt) => Math.min(PAUSE_LONGEST, PAUSE_FIRST * 2 ** attempt) * (0.5 + Math.random() / 2);

class Wire {
  constructor(base, keep) {
    this.base = base;
    this.keep = keep;
    this.onForgotten = () => {};
  }

  get token() {
    return this.keep.get("token");
  }

  /** Return a token, a new one if there is none; two pages that ask at once get the same. */
  async session() {
    if (this.token) return this.token;
    const ask = async () => {
      if (!this.token) {
        const answer = await this.request("session", { method: "POST" });
        const { token } = await answer.json();
        if (!this.token) this.keep.set("token", token);
      }
      return this.token;
    };
    return navigator.locks ? navigator.locks.request(`${this.keep.prefix}session`, ask) : ask();
  }

  /** Forget a token the service no longer knows. */
  forget(token) {
    if (this.token !== token) return;
    this.keep.remove("token");
    this.onForgotten();
  }

  /** Call with the visitor's token. */
  async call(path, options = {}) {
    const token = await this.session();
    try {
      return await this.request(path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } });
    } catch (error) {
      if (error.status === 401) this.forget(token);
      throw error;
    }
  }

  async request(path, options) {
    let answer;
    try {
      answer = await fetch(this.base + path, { ...options, credentials: "omit", cache: "no-store" });
    } catch {
      throw new CallError(0);
    }
    if (answer.ok) return answer;
    const body = await answer.json().catch(() => ({}));
    throw new CallError(answer.status, said(body), Number(answer.headers.get("Retry-After")) || 0);
  }

  /** Upload one file and return what names it; `progress` hears fractions. */
  async upload(file, progress) {
    const token = await this.session();
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${this.base}files`);
      request.setRequestHeader("Authorization", `Bearer ${token}`);
      request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      request.setRequestHeader("X-File-Name", encodeURIComponent([...file.name].slice(0, 200).join("").replace(/\p{Surrogate}/gu, "")));
      request.responseType = "json";
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onerror = () => reject(new CallError(0));
      request.onload = () => {
        if (request.status === 201) return resolve(request.response);
        if (request.status === 401) this.forget(token);
        return reject(new CallError(request.status, said(request.response)));
      };
      request.send(file);
    });
  }
}

/** The visitor's feed as it grows: calls back for each event, reconnects by itself, rests while nobody can see it. */
class Stream {
  constructor(wire, on) {
    this.wire = wire;
    this.on = on;
    this.cursor = 0;
    this.attempt = 0;
    this.controller = null;
    this.timer = 0;
  }

  /** Be connected from now on, or sooner than planned. */
  start() {
    if (this.controller && !this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.run();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.controller?.abort();
    this.controller = null;
  }

  async run() {
    const controller = new AbortController();
    this.controller = controller;
    try {
      await this.follow(controller);
    } catch {
      // comes again below, whatever it was
    }
    if (this.controller !== controller) return;
    this.on.down();
    this.timer = setTimeout(() => this.start(), backoff(this.attempt));
    this.attempt += 1;
  }

  async follow(controller) {
    const answer = await this.wire.call(`events?after=${this.cursor}`, { signal: controller.signal });
    this.on.up();
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    let watchdog = 0;
    try {
      for (;;) {
        watchdog = setTimeout(() => controller.abort(), SILENCE_MAX);
        const { done, value } = await reader.read();
        clearTimeout(watchdog);
        if (done) return;
        this.attempt = 0;
        text += decoder.decode(value, { stream: true });
        const frames = text.split("\n\n");
        text = frames.pop();
        if (this.controller === controller) frames.forEach((frame) => this.take(frame));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  take(frame) {
    const fields = {};
    for (const line of frame.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (fields.event === "typing") return this.on.typing();
    if (!fields.id || !fields.data) return undefined;
    this.cursor = Math.max(this.cursor, Number(fields.id));
    return this.on.entry({ ...JSON.parse(fields.data), sequence: Number(fields.id) });
  }
}
