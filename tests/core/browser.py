"""A real browser, where there is one: what it makes of a page."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

POLICY = "style-src 'unsafe-inline'"

SCHEMES = {"dark": 0, "light": 1}
"""Values of the browser's setting, by the name of what the reader prefers."""

LOOK = (Path(__file__).parent / "browser.js").read_text()
"""Measures a page, and tells the page around it."""

AROUND = """\
<!doctype html>
<meta name="color-scheme" content="light dark">
<title></title>
<style>body { margin: 0; display: flex; } iframe { border: 0; height: 900px; flex: none; }</style>
<script>
const found = {};
addEventListener("message", (event) => {
  for (let i = 0; i < frames.length; i++) if (frames[i] === event.source) found[i] = event.data;
  document.title = JSON.stringify(found);
});
</script>
"""


@dataclass(frozen=True)
class Seen:
    """A page as it was shown. console: what the browser complained of."""

    found: dict[str, object]
    console: list[str]
    picture: Image.Image


@cache
def browser():
    """Path of a browser that starts; "" where there is none."""
    for path in filter(None, map(shutil.which, NAMES)):
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return ""


def look_at(page, place, *, widths, scheme):
    """Show a page in frames of these widths, to readers who prefer this scheme.

    A window would not get as narrow as a phone. The page that is shown differs from the given one
    in that its policy allows one script, which measures it.
    place: a directory without anything.
    """
    assert page.count(POLICY) == 1
    page = page.replace(POLICY, f"{POLICY}; script-src 'unsafe-inline'")
    (place / "page.html").write_text(page.replace("</body>", f"<script>{LOOK}</script></body>"))
    frames = (f'<iframe src="page.html" style="width: {width}px"></iframe>' for width in widths)
    around, picture = place / "around.html", place / "page.png"
    around.write_text(AROUND + "".join(frames))
    done = subprocess.run(
        [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--enable-logging=stderr",
            "--virtual-time-budget=2000", f"--user-data-dir={place / 'profile'}",
            f"--window-size={sum(widths)},900",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--screenshot={picture}", "--dump-dom", around.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    found = json.loads(unescape(told[1]))
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    with Image.open(picture) as shown:
        image = shown.convert("RGB")
    seen, left = {}, 0
    for number, width in enumerate(widths):
        part = image.crop((left, 0, left + width, image.height))
        seen[width] = Seen(found[str(number)], console, part)
        left += width
    return seen
