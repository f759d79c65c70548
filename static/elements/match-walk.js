// <match-walk> inside an <article class="match">: which of the page's matches this is, and buttons to the one before and
// after it; N and P do the same while the focus is inside the match. A page with one match gets none.
import { button, node } from "./waveform.js";

const STEP = { n: 1, p: -1 };

customElements.define(
  "match-walk",
  class extends HTMLElement {
    connectedCallback() {
      if (this.childElementCount) return;
      this.article = this.closest("article.match");
      const all = [...document.querySelectorAll("article.match")];
      const at = all.indexOf(this.article);
      if (all.length < 2 || at < 0) return;
      this.press = (event) => this.pressed(event);
      this.article.addEventListener("keydown", this.press);
      const [back, on] = [button("Previous", "P", () => this.go(-1)), button("Next", "N", () => this.go(1))];
      back.disabled = at === 0;
      on.disabled = at === all.length - 1;
      this.append(node("span", {}, `${at + 1} of ${all.length}`), back, on);
    }

    disconnectedCallback() {
      this.article?.removeEventListener("keydown", this.press);
    }

    pressed(event) {
      const typing = event.target.closest("input, textarea, select");
      const step = STEP[event.key.toLowerCase()];
      if (!step || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.go(step);
    }

    go(step) {
      const all = [...document.querySelectorAll("article.match")];
      const to = all[all.indexOf(this.article) + step];
      if (!to) return;
      to.focus({ preventScroll: true });
      to.scrollIntoView({ block: "start" });
      document.dispatchEvent(new CustomEvent("say", { detail: to.querySelector("h3").innerText }));
    }
  },
);
