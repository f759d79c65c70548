// What the two players share: one voice = an <audio> with its waveform, its marked stretch and its clock.
import WaveSurfer from "../vendor/wavesurfer/wavesurfer.esm.js";

const HEIGHT_PX = 76;

export const clock = (seconds) => {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
};

export const node = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

export const button = (label, key, act) => {
  const made = node("button", { type: "button", class: "small" }, label);
  if (key) {
    made.append(" ", node("kbd", { "aria-hidden": "true" }, key));
    made.setAttribute("aria-keyshortcuts", key === "Space" ? "Space" : key);
  }
  made.addEventListener("click", act);
  return made;
};

// What can't be done yet can't be pressed: a first preview of notes takes the server some seconds.
export const ready = (player, is) => {
  player.setAttribute("aria-busy", String(!is));
  for (const one of player.querySelectorAll("button")) one.disabled = !is;
};

// A canvas needs a colour, the stylesheet has light-dark(): let the browser resolve it on an element.
export const inkOf = (element, token) => {
  const probe = node("span", { style: `color: var(${token})` });
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
};

// Server-made peaks: {"duration_s": 12.5, "peaks": [0.1, …]}, one loudness per equal slice, 0 to 1.
const peaksFrom = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const { duration_s, peaks } = await answer.json();
  return { duration: duration_s, peaks: [peaks] };
};

const numbers = (text) => (text ?? "").split(/\s+/).filter(Boolean).map(Number);

export class Voice extends EventTarget {
  // audio: an <audio> with data-label, data-title, data-peaks-url and, where something matched, data-start and
  // data-end (seconds) and data-occurrences (other places in seconds, spaces between).
  constructor(audio, tone) {
    super();
    this.audio = audio;
    this.tone = tone;
    this.label = audio.dataset.label ?? "Recording";
    this.start_s = audio.dataset.start === undefined ? null : Number(audio.dataset.start);
    this.end_s = audio.dataset.end === undefined ? null : Number(audio.dataset.end);
    this.duration_s = null;
    this.build();
  }

  build() {
    this.name = node("div", { class: "name" }, this.label, node("b", {}, this.audio.dataset.title ?? ""));
    this.name.lastChild.title = this.audio.dataset.title ?? "";
    this.now = node("b", {}, "0:00.0");
    this.total = node("span", {}, "getting ready …");
    this.wave = node("div", { class: "wave", role: "slider", tabindex: "0", "aria-label": `Position in ${this.label}` });
    for (const name of ["aria-valuemin", "aria-valuenow"]) this.wave.setAttribute(name, "0"); // also before the peaks are here
    this.marks = [];
    if (this.hasStretch()) {
      this.mark(this.start_s, this.end_s, "stretch");
      const length_s = this.end_s - this.start_s;
      for (const at_s of numbers(this.audio.dataset.occurrences)) {
        if (Math.abs(at_s - this.start_s) > 0.5) this.mark(at_s, at_s + length_s, "stretch echo");
      }
    }
    this.element = node("div", { class: "voice" }, this.name, this.wave, node("div", { class: "time" }, this.now, this.total));
  }

  mark(start_s, end_s, names) {
    const element = node("div", { class: names });
    this.wave.append(element);
    this.marks.push({ start_s, end_s, element });
  }

  hasStretch() {
    return this.start_s !== null && this.end_s !== null;
  }

  async load() {
    const { duration, peaks } = await peaksFrom(this.audio.dataset.peaksUrl);
    this.duration_s = duration;
    this.audio.controls = false;
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      peaks,
      duration,
      height: HEIGHT_PX,
      barWidth: 2,
      barGap: 1,
      normalize: true,
      interact: false,
      cursorWidth: 2,
      ...this.inks(),
    });
    for (const happening of ["scroll", "zoom", "redraw", "resize", "ready"]) {
      this.surfer.on(happening, () => this.place());
    }
    this.surfer.on("timeupdate", () => this.tick(this.at_s));
    this.wave.addEventListener("pointerdown", (event) => event.button === 0 && this.point(event));
    this.wave.addEventListener("pointermove", (event) => event.buttons & 1 && this.point(event));
    this.surfer.on("play", () => this.element.setAttribute("data-playing", ""));
    this.surfer.on("pause", () => this.element.removeAttribute("data-playing"));
    for (const happening of ["play", "pause"]) {
      this.surfer.on(happening, () => this.dispatchEvent(new Event(happening)));
    }
    this.recolour = () => this.surfer.setOptions(this.inks());
    document.addEventListener("theme-change", this.recolour);
    this.wave.setAttribute("aria-valuemax", duration.toFixed(1));
    this.total.textContent = `of ${clock(duration)}`;
    this.tick(0);
    this.place();
  }

  inks() {
    return {
      waveColor: inkOf(this.wave, this.tone),
      progressColor: inkOf(this.wave, this.tone === "--spot" ? "--spot" : "--ink"),
      cursorColor: inkOf(this.wave, "--ink"),
    };
  }

  destroy() {
    document.removeEventListener("theme-change", this.recolour);
    this.surfer?.destroy();
  }

  tick(at_s) {
    this.now.textContent = clock(at_s);
    this.wave.setAttribute("aria-valuenow", at_s.toFixed(1));
    this.wave.setAttribute("aria-valuetext", `${clock(at_s)} of ${clock(this.duration_s)}`);
    this.dispatchEvent(new Event("tick"));
  }

  // Where it stands, or will as soon as the browser knows the sound: an <audio> forgets a seek that comes earlier.
  // The element is asked itself, because wavesurfer loses one of two seeks in quick succession.
  get at_s() {
    return this.wanted_s ?? this.audio.currentTime;
  }

  seek(at_s) {
    const inside_s = Math.min(Math.max(0, at_s), this.duration_s);
    if (this.wanted_s === undefined && this.audio.readyState === HTMLMediaElement.HAVE_NOTHING) {
      this.audio.addEventListener("loadedmetadata", () => this.arrive(), { once: true });
      this.audio.preload = "auto";
      this.wanted_s = inside_s;
    }
    if (this.wanted_s === undefined) this.audio.currentTime = inside_s;
    else this.wanted_s = inside_s;
    this.tick(inside_s);
  }

  arrive() {
    this.audio.currentTime = this.wanted_s;
    delete this.wanted_s;
  }

  point(event) {
    const x = event.clientX - this.wave.getBoundingClientRect().left;
    const width = this.surfer.getWrapper().clientWidth;
    this.seek(((x + this.surfer.getScroll()) / width) * this.duration_s);
    this.dispatchEvent(new Event("touched"));
  }

  // Pixels from the left edge of what is visible.
  x(at_s) {
    return (at_s / this.duration_s) * this.surfer.getWrapper().clientWidth - this.surfer.getScroll();
  }

  place() {
    for (const { start_s, end_s, element } of this.marks) {
      element.style.left = `${this.x(start_s)}px`;
      element.style.width = `${Math.max(3, this.x(end_s) - this.x(start_s))}px`;
    }
    this.dispatchEvent(new Event("placed"));
  }

  zoom(close) {
    if (!close || !this.hasStretch()) {
      this.surfer.zoom(0);
      return;
    }
    const width = this.wave.clientWidth;
    this.surfer.zoom((0.7 * width) / (this.end_s - this.start_s));
    this.surfer.setScrollTime(Math.max(0, this.start_s - 0.2 * (this.end_s - this.start_s)));
  }
}
