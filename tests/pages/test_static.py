"""The stylesheet, the vendored files, the components and the custom elements, without any page of an app."""

import ast
import hashlib
import io
import json
import re
import threading
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.paginator import Paginator
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory
from playwright.sync_api import Page

from tests.pages.live import faults_of

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
VENDOR = STATIC / "vendor"
ELEMENTS = sorted((STATIC / "elements").glob("*-*.js"))
HASH = "9d2c5b1e0c34a7f1e29d48aa1f52b2c6efb1ab0d5cb7d2e64f1ab5a1c9e7f402"


def own_files() -> list[Path]:
    return [
        path
        for folder, kinds in ((STATIC, ("*.css", "*.js", "*.svg")), (TEMPLATES, ("*.html",)))
        for kind in kinds
        for path in sorted(folder.rglob(kind))
        if VENDOR not in path.parents
    ]


class TestVendor:
    listing = json.loads((VENDOR / "VENDOR.json").read_text())

    def test_lists_every_file_with_its_hash(self) -> None:
        listed = {name: sha256 for package in self.listing for name, sha256 in package["files"].items()}
        there = {
            str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in VENDOR.rglob("*")
            if path.is_file() and path.name != "VENDOR.json"
        }
        assert listed == there

    def test_names_licence_and_holds_its_text(self) -> None:
        for package in self.listing:
            assert package["licence"]
            assert any(name.endswith("/LICENSE") for name in package["files"]), package["package"]

    def test_holds_the_versions_that_the_script_pins(self) -> None:
        script = ast.parse((ROOT / "scripts" / "vendor.py").read_text())
        calls = [
            node
            for node in ast.walk(script)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Package"
        ]
        pinned = {tuple(ast.literal_eval(argument) for argument in call.args[:2]) for call in calls}
        assert pinned == {(package["package"], package["version"]) for package in self.listing}


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2, 0 to 1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


class TestColours:
    sheet = (STATIC / "liner.css").read_text()
    tokens = {
        name: (day, night)
        for name, day, night in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", sheet)
    }
    text = [
        *((tone, ground) for tone in ("ink", "ink-soft", "spot", "stop") for ground in ("paper", "board")),
        *((tone, f"{tone}-wash") for tone in ("go", "wait", "stop", "unsure", "spot")),
        *(("ink", f"{tone}-wash") for tone in ("go", "wait", "stop", "spot")),
        ("on-spine", "spine"),
        ("on-match", "match"),
    ]
    lines = [("edge", "paper"), ("go", "paper"), ("wait", "paper"), ("unsure", "paper"), ("match", "ink")]

    def test_follow_the_formula(self) -> None:
        assert contrast("#000000", "#ffffff") == pytest.approx(21)
        assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)

    @pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
    def test_keep_text_readable(self, theme: int) -> None:
        for tone, ground in self.text:
            ratio = contrast(self.tokens[tone][theme], self.tokens[ground][theme])
            assert ratio >= 4.5, f"{tone} on {ground}: {ratio:.2f}"

    @pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
    def test_keep_lines_and_shapes_visible(self, theme: int) -> None:
        for tone, ground in self.lines:
            ratio = contrast(self.tokens[tone][theme], self.tokens[ground][theme])
            assert ratio >= 3, f"{tone} on {ground}: {ratio:.2f}"

    def test_are_used_by_name_only(self) -> None:
        rest = re.sub(r"light-dark\([^)]*\)", "", self.sheet)
        assert set(re.findall(r"#[0-9a-f]{3,8}\b", rest)) <= {"#000000"}  # paper prints black

    def test_are_all_defined(self) -> None:
        defined = set(re.findall(r"(--[\w-]+):", self.sheet)) | {"--n"}
        assert set(re.findall(r"var\((--[\w-]+)", self.sheet)) <= defined


class TestOwnFiles:
    @pytest.mark.parametrize("path", own_files(), ids=lambda path: path.name)
    def test_ask_no_other_machine(self, path: Path) -> None:
        addresses = re.findall(r"https?://[^\s\"')]+", path.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}

    def test_point_at_files_that_exist(self) -> None:
        for target in re.findall(r'url\("([^"]+)"\)', (STATIC / "liner.css").read_text()):
            assert (STATIC / target).is_file(), target
        for path in own_files():
            for target in re.findall(r'\{% static "([^"]+)" %\}', path.read_text()):
                assert (STATIC / target).is_file(), f"{path.name}: {target}"

    @pytest.mark.parametrize("path", ELEMENTS, ids=lambda path: path.stem)
    def test_define_one_element_each_named_like_the_file(self, path: Path) -> None:
        assert re.findall(r"customElements\.define\(\s*\"([^\"]+)\"", path.read_text()) == [path.stem]

    def test_use_only_elements_that_have_a_file(self) -> None:
        used = {
            tag
            for path in own_files()
            if path.suffix == ".html"
            for tag in re.findall(r"<(\w+-[\w-]+)", path.read_text())
        }
        assert used <= {path.stem for path in ELEMENTS}

    def test_leave_no_script_in_the_page(self) -> None:
        for path in TEMPLATES.rglob("*.html"):
            for tag in re.findall(r"<script\b[^>]*>", path.read_text()):
                assert "src=" in tag, f"{path.name}: {tag}"
            assert not re.search(r"\son\w+=", path.read_text()), path.name


class TestMarks:
    @pytest.mark.parametrize(
        ("component", "name", "values"),
        [
            ("verdict", "verdict", ["no_match", "review", "blocked", "unverifiable"]),
            ("answer", "answer", ["allowed", "constrained", "not_allowed", "unknown"]),
        ],
    )
    def test_differ_in_word_and_shape(self, component: str, name: str, values: list[str]) -> None:
        rendered = [render_to_string(f"components/{component}.html", {name: value}) for value in values]
        words = {re.sub(r"<svg.*?</svg>|<[^>]+>|\s+", "", html, flags=re.DOTALL) for html in rendered}
        shapes = {re.sub(r"\s+", "", re.findall(r"<svg.*?</svg>", html, re.DOTALL)[0]) for html in rendered}
        assert words == {value.replace("_", "").capitalize() for value in values}
        assert len(shapes) == len(values)

    def test_never_read_a_missing_value_as_a_good_one(self) -> None:
        assert "Unverifiable" in render_to_string("components/verdict.html", {"verdict": None})
        assert "Unknown" in render_to_string("components/answer.html", {})


class TestComponents:
    def test_escape_what_people_wrote(self) -> None:
        html = render_to_string("components/credits.html", {"credits": [("by", "<script>x</script>")]})
        assert "<script>" not in html

    def test_say_not_known_for_an_empty_credit(self) -> None:
        assert "not known" in render_to_string("components/credits.html", {"credits": [("by", "")]})

    def test_copy_the_whole_hash_and_show_its_beginning(self) -> None:
        html = render_to_string("components/hash.html", {"hash": HASH})
        assert f'data-copy="{HASH}"' in html
        assert f">{HASH[:12]}<" in html

    def test_keep_the_filters_when_turning_a_page(self) -> None:
        request = RequestFactory().get("/", {"q": "frozen", "page": "2"})
        context = {"page": Paginator(range(60), 25).page(2), "noun": "recordings"}
        html = render_to_string("components/pager.html", context, request)
        assert "26–50 of 60 recordings" in html
        assert "?q=frozen&amp;page=3" in html

    def test_stop_asking_when_the_job_is_over(self) -> None:
        running = {"doing": "Checking", "percent": 40, "poll_url": "/jobs/1/", "stop_url": "/jobs/1/stop/"}
        assert 'data-url="/jobs/1/"' in render_to_string("components/progress.html", running)
        over = render_to_string("components/progress.html", {"doing": "Checked", "percent": 100})
        assert "data-url" not in over
        assert "Stop" not in over

    def test_show_no_percent_where_none_is_known(self) -> None:
        html = render_to_string(
            "components/progress.html", {"doing": "Waiting for a worker", "percent": None}
        )
        assert "value=" not in html
        assert "%" not in html

    def test_render_the_error_page_from_nothing(self) -> None:
        assert "Something broke" in get_template("500.html").render()


class Site(SimpleHTTPRequestHandler):
    """Serves the static files and, from memory, whatever ``pages`` holds; answers ranges, as players need."""

    pages: dict[str, tuple[str, bytes]] = {}

    def do_GET(self) -> None:
        if self.path not in self.pages:
            super().do_GET()
            return
        kind, body = self.pages[self.path]
        status, sent = 200, body
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), int(wanted[2] or len(body) - 1)
            status, sent = 206, body[first : last + 1]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self.end_headers()
        self.wfile.write(sent)

    def translate_path(self, path: str) -> str:
        found = finders.find(path.removeprefix("/static/"))
        return found if isinstance(found, str) else super().translate_path(path)

    def log_message(self, format: str, *args: object) -> None:
        pass


def silence(seconds: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([128]) * 8000 * seconds)
    return out.getvalue()


def peaks(seconds: int) -> bytes:
    return json.dumps({"duration_s": seconds, "peaks": [0.1, 0.8, 0.4, 0.6] * 50}).encode()


def html(body: str) -> tuple[str, bytes]:
    return (
        "text/html; charset=utf-8",
        f"<!DOCTYPE html><html lang=en><title>t</title><link rel=icon href=data:,>"
        f'<link rel=stylesheet href="/static/liner.css">{body}'.encode(),
    )


SAMPLE = {
    "match": {
        "query_start_s": 1.0,
        "query_end_s": 9.0,
        "reference_start_s": 40.0,
        "reference_end_s": 44.0,
        "occurrences": [40.0, 50.0],
    },
    "output_audio": "/output.wav",
    "output_peaks": "/output.json",
    "source_audio": "/source.wav",
    "source_peaks": "/source.json",
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    guide = render_to_string("styleguide.html", {"sample": SAMPLE}, RequestFactory().get("/guide"))
    pair = {
        name.replace("_audio", "_audio_url").replace("_peaks", "_peaks_url"): value
        for name, value in SAMPLE.items()
    }
    broken = render_to_string("components/pair_player.html", {**pair, "source_peaks_url": "/broken.json"})
    Site.pages = {
        "/guide": ("text/html; charset=utf-8", guide.encode()),
        "/pair": html(render_to_string("components/pair_player.html", pair)),
        "/broken": html(broken),
        "/broken.json": ("application/json", b"not json"),
        "/output.wav": ("audio/wav", silence(10)),
        "/source.wav": ("audio/wav", silence(60)),
        "/output.json": ("application/json", peaks(10)),
        "/source.json": ("application/json", peaks(60)),
        "/job": html(
            render_to_string(
                "components/progress.html", {"doing": "Checking 1 of 2", "percent": 50, "poll_url": "/over"}
            ).replace("<job-progress", '<job-progress data-every-s="0.05"')
        ),
        "/over": html(
            render_to_string("components/progress.html", {"doing": "Both checked", "percent": 100})
        ),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(STATIC)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def clocks(page: Page) -> list[str]:
    return page.locator("pair-player .time b").all_inner_texts()


class TestStyleSheetPage:
    @pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
    def test_passes_axe_and_fits(self, page: Page, site: str, width: int, scheme: str) -> None:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{site}/guide")
        page.locator(".bridge polygon").wait_for()
        page.locator(".plot canvas").wait_for()
        assert faults_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_would_be_told_of_a_fault(self, page: Page, site: str) -> None:
        page.goto(f"{site}/guide")
        page.evaluate(
            "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/mark.svg\">')"
        )
        assert [fault.partition(":")[0] for fault in faults_of(page)] == ["image-alt"]

    def test_breaks_no_word_of_a_note_in_a_table(self, page: Page, site: str) -> None:
        page.goto(f"{site}/guide")
        page.evaluate(
            """document.querySelector("main").insertAdjacentHTML("beforeend",
            "<table style='width: 1px'><tr><td><span id='note' class='note'>threshold</span></td></tr></table>")"""
        )
        assert page.evaluate("getComputedStyle(document.getElementById('note')).overflowWrap") == "normal"

    def test_keeps_the_chosen_theme(self, page: Page, site: str) -> None:
        page.goto(f"{site}/guide")
        page.get_by_role("button", name="Colours").click()
        page.get_by_role("button", name="Colours").click()
        page.reload()
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"

    def test_can_be_reached_past_the_menu_by_keyboard(self, page: Page, site: str) -> None:
        page.goto(f"{site}/guide")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


class TestPairPlayer:
    @pytest.fixture(autouse=True)
    def open_page(self, page: Page, site: str) -> None:
        page.goto(f"{site}/pair")
        page.locator(".bridge polygon").wait_for()
        page.locator("pair-player .wave").first.focus()

    def test_goes_to_the_match(self, page: Page) -> None:
        page.keyboard.press("m")
        assert clocks(page) == ["0:01.0", "0:00.0"]

    def test_jumps_to_the_same_moment_in_the_other(self, page: Page) -> None:
        page.keyboard.press("m")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("j")
        assert clocks(page) == ["0:05.0", "0:42.0"]  # halfway through 8 s is halfway through 4 s
        assert page.evaluate("document.activeElement.ariaLabel") == "Position in Source"

    def test_goes_where_the_wave_is_clicked(self, page: Page) -> None:
        wave = page.locator("pair-player .wave").last
        box = wave.bounding_box()
        assert box is not None
        wave.click(position={"x": box["width"] / 2, "y": 20})
        assert clocks(page)[1] == "0:30.0"

    def test_is_heard_in_one_voice_at_a_time(self, page: Page) -> None:
        playing = "[...document.querySelectorAll('pair-player audio')].map((audio) => !audio.paused)"
        page.keyboard.press("Space")
        page.wait_for_function(f"{playing}[0]")
        page.keyboard.press("j")
        page.wait_for_function(f"{playing}[1]")
        assert page.evaluate(playing) == [False, True]

    def test_marks_the_stretch_where_it_lies(self, page: Page) -> None:
        left, width, whole = page.evaluate(
            """() => {
              const wave = document.querySelector("pair-player .wave");
              const mark = wave.querySelector(".stretch");
              return [parseFloat(mark.style.left), parseFloat(mark.style.width), wave.clientWidth];
            }"""
        )
        assert left / whole == pytest.approx(0.1, abs=0.01)
        assert width / whole == pytest.approx(0.8, abs=0.01)

    def test_marks_the_other_occurrence_once(self, page: Page) -> None:
        assert page.locator(".stretch.echo").count() == 1

    def test_zooms_both_voices_to_the_stretch(self, page: Page) -> None:
        page.keyboard.press("z")
        page.wait_for_function(
            """[...document.querySelectorAll("pair-player .wave")].every(
              (wave) => parseFloat(wave.querySelector(".stretch").style.width) / wave.clientWidth > 0.65)"""
        )
        assert page.get_by_role("button", name="Zoom").get_attribute("aria-pressed") == "true"


class TestPlayerWithoutWaveform:
    def test_leaves_both_sounds_playable(self, page: Page, site: str) -> None:
        page.goto(f"{site}/broken")
        page.get_by_text("No waveform here").wait_for()
        assert page.locator("audio[controls]").count() == 2


class TestJobProgress:
    def test_shows_the_end_without_a_reload(self, page: Page, site: str) -> None:
        page.goto(f"{site}/job")
        page.get_by_text("Both checked").wait_for()
        assert page.locator("job-progress").count() == 1
        assert page.locator("job-progress[data-url]").count() == 0
