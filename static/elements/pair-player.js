// <pair-player> with two <audio controls src data-label data-title data-peaks-url data-start data-end> inside: the
// output above, its source below, the matched stretch marked in both and drawn from one to the other. One is heard at a
// time; J jumps to the same moment of the music in the other. Without script the two <audio> stand as they are.
import { Voice, button, node, ready } from "./waveform.js";

const SVG = "http://www.w3.org/2000/svg";
const BRIDGE_PX = 34;
const STEP_S = { ArrowLeft: -1, ArrowRight: 1 };
const OTHER = { 0: 1, 1: 0 };

customElements.define(
  "pair-player",
  class extends HTMLElement {
    async connectedCallback() {
      const sounds = [...this.querySelectorAll("audio")];
      if (sounds.length !== 2 || this.voices) return;
      this.voices = [new Voice(sounds[0], "--ink-soft"), new Voice(sounds[1], "--spot")];
      this.current = 0;
      this.closeUp = false;
      this.build();
      const loaded = await Promise.allSettled(this.voices.map((voice) => voice.load()));
      const failed = loaded.find((outcome) => outcome.status === "rejected");
      if (failed) {
        this.fallBack(sounds, failed.reason);
        return;
      }
      ready(this.player, true);
      this.voices.forEach((voice, which) => this.listen(voice, which));
      this.addEventListener("keydown", (event) => this.press(event));
      this.draw();
    }

    disconnectedCallback() {
      this.voices?.forEach((voice) => voice.destroy());
    }

    build() {
      const [upper, lower] = this.voices;
      this.play = button("Play", "Space", () => this.toggle());
      this.zoom = button("Zoom to the match", "Z", () => this.zoomed(!this.closeUp));
      this.zoom.setAttribute("aria-pressed", "false");
      this.bridge = document.createElementNS(SVG, "svg");
      this.bridge.setAttribute("aria-hidden", "true");
      this.player = node(
        "div",
        { class: "player", role: "group", "aria-label": this.dataset.label ?? "Output and source, to compare by ear" },
        upper.element,
        node("div", { class: "bridge" }, this.bridge),
        lower.element,
        node(
          "div",
          { class: "controls" },
          this.play,
          button(`Jump to the other`, "J", () => this.jump()),
          ...(upper.hasStretch() && lower.hasStretch() ? [button("To the match", "M", () => this.toMatch()), this.zoom] : []),
          node("span", { class: "keys" }, "← → move by 1 s, with Shift by 10 s"),
        ),
      );
      this.append(this.player);
      ready(this.player, false);
    }

    fallBack(sounds, fault) {
      this.voices.forEach((voice) => voice.destroy());
      sounds.forEach((audio) => (audio.controls = true));
      this.player.replaceChildren(...sounds, node("p", { class: "note" }, "No waveform here; the sound still plays."));
      console.warn(fault.message);
    }

    listen(voice, which) {
      voice.addEventListener("placed", () => this.draw());
      voice.addEventListener("touched", () => this.choose(which));
      voice.wave.addEventListener("focus", () => {
        if (!this.playing()) this.current = which;
      });
      voice.addEventListener("play", () => this.choose(which));
      for (const happening of ["play", "pause"]) {
        voice.addEventListener(happening, () => (this.play.firstChild.data = this.playing() ? "Pause" : "Play"));
      }
    }

    playing() {
      return this.voices.some((voice) => voice.surfer.isPlaying());
    }

    choose(which) {
      this.current = which;
      const other = this.voices[OTHER[which]].surfer;
      if (other.isPlaying()) other.pause();
    }

    toggle() {
      this.voices[this.current].surfer.playPause();
    }

    toMatch() {
      const voice = this.voices[this.current];
      if (voice.hasStretch()) voice.seek(voice.start_s);
    }

    // The same moment of the music: inside the stretch in proportion, outside it at the same distance.
    jump() {
      const from = this.voices[this.current];
      const to = this.voices[OTHER[this.current]];
      const wasPlaying = this.playing();
      const at_s = from.at_s;
      if (from.hasStretch() && to.hasStretch()) {
        const inside = at_s >= from.start_s && at_s <= from.end_s;
        const ratio = inside ? (to.end_s - to.start_s) / (from.end_s - from.start_s) : 1;
        to.seek(to.start_s + (at_s - from.start_s) * ratio);
      }
      from.surfer.pause();
      this.current = OTHER[this.current];
      if (wasPlaying) to.surfer.play();
      else to.wave.focus({ preventScroll: true });
      document.dispatchEvent(new CustomEvent("say", { detail: `Now in ${to.label}` }));
    }

    zoomed(close) {
      this.closeUp = close;
      this.zoom.setAttribute("aria-pressed", String(close));
      this.voices.forEach((voice) => voice.zoom(close));
    }

    draw() {
      const [upper, lower] = this.voices;
      if (!upper.surfer || !lower.surfer || !upper.hasStretch() || !lower.hasStretch()) return;
      const width = this.bridge.clientWidth;
      this.bridge.setAttribute("viewBox", `0 0 ${width} ${BRIDGE_PX}`);
      const [a, b] = [upper.x(upper.start_s), upper.x(upper.end_s)];
      const [c, d] = [lower.x(lower.start_s), lower.x(lower.end_s)];
      const shape = document.createElementNS(SVG, "polygon");
      shape.setAttribute("points", `${a},0 ${b},0 ${d},${BRIDGE_PX} ${c},${BRIDGE_PX}`);
      const edges = [
        [a, c],
        [b, d],
      ].map(([top, bottom]) => {
        const edge = document.createElementNS(SVG, "line");
        edge.setAttribute("x1", top);
        edge.setAttribute("x2", bottom);
        edge.setAttribute("y1", 0);
        edge.setAttribute("y2", BRIDGE_PX);
        return edge;
      });
      this.bridge.replaceChildren(shape, ...edges);
    }

    press(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const voice = this.voices[this.current];
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (key === " " && event.target.tagName !== "BUTTON") this.toggle();
      else if (key === "j") this.jump();
      else if (key === "m") this.toMatch();
      else if (key === "z") this.zoomed(!this.closeUp);
      else if (key in STEP_S) voice.seek(voice.at_s + STEP_S[key] * (event.shiftKey ? 10 : 1));
      else if (key === "Home") voice.seek(0);
      else return;
      event.preventDefault();
    }
  },
);
