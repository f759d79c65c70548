// <theme-switch>: a button that goes from the system's light or dark to the other and back.
// Loaded first and blocking, so that a kept choice is on the page before anything is drawn.
(() => {
  const KEY = "theme";
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const LABEL = { auto: "Light or dark: as the system", light: "Light", dark: "Dark" };
  const root = document.documentElement;

  const kept = () => {
    try {
      return localStorage.getItem(KEY) in NEXT ? localStorage.getItem(KEY) : "auto";
    } catch {
      return "auto"; // storage forbidden: the choice lasts as long as the page
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      /* as above */
    }
  };
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("theme-change"));
  };

  apply(kept());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("theme-change"));
  });

  customElements.define(
    "theme-switch",
    class extends HTMLElement {
      connectedCallback() {
        if (this.firstElementChild) return;
        this.theme = kept();
        const button = document.createElement("button");
        button.type = "button";
        button.className = "plain";
        button.addEventListener("click", () => {
          this.theme = NEXT[this.theme];
          keep(this.theme);
          apply(this.theme);
          this.label();
        });
        this.append(button);
        this.label();
      }

      label() {
        this.firstElementChild.textContent = this.theme === "auto" ? "Light/dark" : LABEL[this.theme];
        this.firstElementChild.title = LABEL[this.theme];
        this.firstElementChild.ariaLabel = `Colours: ${LABEL[this.theme]}. Change`;
      }
    },
  );
})();
