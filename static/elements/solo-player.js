// <solo-player><audio controls src data-label data-title data-peaks-url [data-start data-end]></audio></solo-player>
// Space plays and pauses, arrows move by a second (with Shift by ten), M goes to the marked stretch, Z zooms to it.
import { Voice, button, node, ready } from "./waveform.js";

const STEP_S = { ArrowLeft: -1, ArrowRight: 1 };

customElements.define(
  "solo-player",
  class extends HTMLElement {
    async connectedCallback() {
      const audio = this.querySelector("audio");
      if (!audio || this.voice) return;
      this.voice = new Voice(audio, "--ink-soft");
      this.play = button("Play", "Space", () => this.voice.surfer.playPause());
      this.controls = node("div", { class: "controls" }, this.play);
      if (this.voice.hasStretch()) {
        this.zoom = button("Zoom", "Z", () => this.zoomed(this.zoom.getAttribute("aria-pressed") !== "true"));
        this.zoom.setAttribute("aria-pressed", "false");
        this.controls.append(button("To the match", "M", () => this.voice.seek(this.voice.start_s)), this.zoom);
      }
      try {
        this.append(node("div", { class: "player" }, this.voice.element, this.controls));
        ready(this.lastElementChild, false);
        await this.voice.load();
        ready(this.lastElementChild, true);
      } catch (fault) {
        this.lastElementChild.replaceChildren(audio, node("p", { class: "note" }, "No waveform here; the sound still plays."));
        audio.controls = true;
        console.warn(fault.message);
        return;
      }
      this.voice.addEventListener("play", () => (this.play.firstChild.data = "Pause"));
      this.voice.addEventListener("pause", () => (this.play.firstChild.data = "Play"));
      this.addEventListener("keydown", (event) => this.press(event));
    }

    disconnectedCallback() {
      this.voice?.destroy();
    }

    zoomed(close) {
      this.zoom.setAttribute("aria-pressed", String(close));
      this.voice.zoom(close);
    }

    press(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (key === " " && event.target.tagName !== "BUTTON") this.voice.surfer.playPause();
      else if (key in STEP_S) this.voice.seek(this.voice.at_s + STEP_S[key] * (event.shiftKey ? 10 : 1));
      else if (key === "Home") this.voice.seek(0);
      else if (key === "m" && this.voice.hasStretch()) this.voice.seek(this.voice.start_s);
      else if (key === "z" && this.zoom) this.zoomed(this.zoom.getAttribute("aria-pressed") !== "true");
      else return;
      event.preventDefault();
    }
  },
);
