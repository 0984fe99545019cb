// Where the visitor writes: a text that grows, files with their progress, and one button.

const FILE_MAX = 10 * 1024 * 1024;
const FILES_MAX = 5;
const TEXT_MAX = 8000;
const ACCEPT = "image/png,image/jpeg,image/gif,image/webp,application/pdf,text/plain,audio/*,video/mp4,video/webm,video/quicktime";

class Composer {
  /** `on`: send({text, attachments}), upload(file, progress) -> what names it. */
  constructor(on) {
    this.on = on;
    this.files = [];
    this.isAsked = false; // to send as soon as the files have arrived
    this.text = make("textarea", { rows: 1, maxLength: TEXT_MAX, placeholder: WORDS.placeholder, dir: "auto",
      "aria-label": WORDS.message, autocomplete: "off", enterKeyHint: "send" });
    this.picker = make("input", { type: "file", multiple: true, accept: ACCEPT, hidden: true, tabIndex: -1 });
    this.attach = make("button", { type: "button", className: "tool", title: WORDS.attach, "aria-label": WORDS.attach,
      onclick: () => this.picker.click() }, icon("clip"));
    this.button = make("button", { type: "submit", className: "send", title: WORDS.send, "aria-label": WORDS.send,
      disabled: true }, icon("send"));
    this.shelf = make("ul", { className: "shelf", hidden: true });
    this.complaint = make("p", { className: "complaint", role: "alert" });
    this.element = make("form", { className: "composer" }, this.shelf, this.complaint,
      make("div", { className: "row" }, this.attach, this.picker, this.text, this.button));
    this.listen();
  }

  listen() {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.text.addEventListener("input", () => {
      this.isAsked = false;
      this.refresh();
    });
    this.text.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    this.picker.addEventListener("change", () => {
      this.add(this.picker.files);
      this.picker.value = "";
    });
  }

  submit() {
    this.isAsked = this.files.length > 0;
    this.refresh();
    if (this.button.disabled) return;
    this.isAsked = false;
    this.on.send({ text: this.text.value.trim(), attachments: this.files.map((entry) => entry.kept) });
    this.text.value = "";
    this.files = [];
    this.shelf.replaceChildren();
    this.refresh();
  }

  setText(text) {
    this.text.value = text;
    this.refresh();
  }

  /** Grow with the text, and allow sending when there is something and every file has arrived. */
  refresh() {
    this.text.style.height = "auto";
    if (this.text.scrollHeight) this.text.style.height = `${Math.min(this.text.scrollHeight, 132)}px`;
    this.shelf.hidden = !this.files.length;
    const isEmpty = !this.text.value.trim() && !this.files.length;
    this.button.disabled = isEmpty || this.files.some((entry) => !entry.kept);
    this.on.draft(this.text.value);
  }

  add(files) {
    this.complaint.textContent = "";
    for (const file of files) {
      if (this.files.length >= FILES_MAX) this.complaint.textContent = WORDS.tooMany;
      else if (file.size > FILE_MAX) this.complaint.textContent = WORDS.tooLarge(file.name);
      else this.begin(file);
    }
    this.refresh();
    this.text.focus();
  }

  begin(file) {
    const bar = make("progress", { max: 1, value: 0, "aria-label": WORDS.uploading(file.name) });
    const picture = make("span", { className: "thumb" }, icon("file"));
    const note = make("span", { className: "note" });
    const entry = { file, bar, note, kept: null };
    entry.node = make("li", { className: "upload" }, picture,
      make("span", { className: "label" }, make("span", { className: "name", dir: "auto" }, file.name), bar, note),
      make("button", { type: "button", className: "tool small", "aria-label": WORDS.remove(file.name),
        onclick: () => this.drop(entry) }, icon("close")));
    if (RASTER.test(file.type)) drawn(file, 40, 40, "").then((canvas) => picture.replaceChildren(canvas), () => {});
    this.files.push(entry);
    this.shelf.append(entry.node);
    this.upload(entry);
  }

  async upload(entry) {
    entry.bar.hidden = false;
    entry.note.textContent = "";
    try {
      entry.kept = await this.on.upload(entry.file, (fraction) => { entry.bar.value = fraction; });
      entry.note.textContent = formatSize(entry.file.size);
    } catch (error) {
      const isFinal = error.status === 413 || error.status === 415 || error.status === 400;
      entry.note.replaceChildren(`${isFinal && error.message ? error.message : WORDS.uploadFailed} `,
        isFinal ? "" : make("button", { type: "button", className: "link", onclick: () => this.upload(entry) }, WORDS.again));
    }
    entry.bar.hidden = true;
    entry.node.classList.toggle("failed", !entry.kept);
    this.isAsked &&= Boolean(entry.kept);
    this.refresh();
    if (this.isAsked && !this.button.disabled) this.submit();
  }

  drop(entry) {
    this.files = this.files.filter((other) => other !== entry);
    entry.node.remove();
    this.refresh();
    this.text.focus();
  }
}
