// <job-progress data-url="…" data-every-s="2" data-then="…">: replaces itself with what data-url answers (the same
// component, as HTML) until the answer carries no data-url: then the job is over, "job-done" bubbles up, and the page
// goes to data-then where one is given. Asks less often while the tab is hidden or the server does not answer.
const SLOWEST_S = 30;

customElements.define(
  "job-progress",
  class extends HTMLElement {
    connectedCallback() {
      this.wait_s = Number(this.dataset.everyS ?? 2);
      if (this.dataset.url) this.later();
    }

    disconnectedCallback() {
      clearTimeout(this.timer);
    }

    later() {
      this.timer = setTimeout(() => this.ask(), 1000 * (document.hidden ? SLOWEST_S : this.wait_s));
    }

    async ask() {
      let answer;
      try {
        answer = await fetch(this.dataset.url, { headers: { "HX-Request": "true" } });
        if (!answer.ok) throw new Error(String(answer.status));
      } catch {
        this.wait_s = Math.min(2 * this.wait_s, SLOWEST_S);
        if (this.isConnected) this.later();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("job-progress");
      if (fresh && this.isConnected) this.become(document.adoptNode(fresh));
    }

    become(fresh) {
      const focused = this.contains(document.activeElement);
      const then = this.dataset.then;
      this.replaceWith(fresh);
      if (focused) fresh.querySelector("button, a")?.focus();
      const doing = fresh.querySelector(".doing")?.textContent.trim();
      if (fresh.dataset.url) return;
      document.dispatchEvent(new CustomEvent("say", { detail: doing || "Done." }));
      fresh.dispatchEvent(new CustomEvent("job-done", { bubbles: true }));
      if (then && !("failed" in fresh.dataset)) location.assign(then);
    }
  },
);
