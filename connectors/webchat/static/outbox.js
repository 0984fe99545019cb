// Messages on their way. Each is kept by the browser until the service has stored it, under an id made here, so that a
// closed page or a lost line loses nothing; sending one again is harmless.

class Outbox {
  constructor(wire, keep, on) {
    this.wire = wire;
    this.keep = keep;
    this.on = on;
    this.attempt = 0;
    this.timer = 0;
    this.isBusy = false;
  }

  /** Return what waits, oldest first; `failed` holds the reason of one that was refused. */
  items() {
    return this.keep.names("out ").flatMap((name) => {
      try {
        return [{ ...JSON.parse(this.keep.get(name)), name }];
      } catch {
        return [];
      }
    });
  }

  add(message) {
    const name = `out ${String(Date.now()).padStart(15, "0")} ${message.id}`;
    this.keep.set(name, JSON.stringify(message));
    this.flush();
  }

  /** Whether a message still waits: what the feed shows may not be stored yet, only the service's word counts. */
  has(id) {
    return this.items().some((item) => item.id === id);
  }

  remove(id) {
    for (const item of this.items()) if (item.id === id) this.keep.remove(item.name);
  }

  /** Try a refused message again. */
  retry(id) {
    for (const item of this.items()) {
      if (item.id === id) this.keep.set(item.name, JSON.stringify({ ...item, failed: undefined }));
    }
    this.flush();
  }

  clear() {
    for (const item of this.items()) this.keep.remove(item.name);
  }

  /** Send what waits, one after the other, in the order it was written. */
  async flush() {
    clearTimeout(this.timer);
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      for (let next = this.next(); next; next = this.next()) {
        const pause = await this.send(next);
        if (pause) {
          this.timer = setTimeout(() => this.flush(), pause);
          return;
        }
      }
    } finally {
      this.isBusy = false;
    }
  }

  next() {
    return this.items().find((item) => !item.failed);
  }

  /** Send one message; return 0, or the milliseconds after which to try again. */
  async send(item) {
    const { id, text, choice, attachments, visitorName, invitation } = item;
    try {
      await this.wire.call("messages", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id, text, choice, attachments, name: visitorName, invitation, language: LANGUAGE }),
      });
    } catch (error) {
      return this.failed(item, error);
    }
    this.attempt = 0;
    this.keep.remove(item.name);
    this.on.stored(id);
    return 0;
  }

  failed(item, error) {
    if (error.status === 401) return 1;
    if (error.status === 0 || error.status === 429 || error.status >= 500) {
      this.attempt += 1;
      this.on.waiting(error);
      return Math.max(backoff(this.attempt - 1), error.retryAfter * 1000);
    }
    if (this.keep.get(item.name) === null) return 0;
    const reason = error.message || String(error.status);
    this.keep.set(item.name, JSON.stringify({ ...item, failed: reason }));
    this.on.refused(item.id, reason);
    return 0;
  }
}
